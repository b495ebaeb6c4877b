package request

import (
	"strings"
	"unicode/utf8"
)

// Cut returns at most the first n bytes of s, in whole characters and as valid
// UTF-8. It bounds what a client's text takes in a store or a log.
func Cut(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	if utf8.ValidString(s) { // the usual case is the fast one
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
