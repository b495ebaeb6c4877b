package ginauth

import (
	"strings"
	"unicode/utf8"
)

// cut returns at most the first n bytes of s, in whole characters and as valid
// UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	if utf8.ValidString(s) { // as usual, and found out faster
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// headerListHas reports whether a comma-separated header names a value.
func headerListHas(list, value string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(part), value) {
			return true
		}
	}
	return false
}
