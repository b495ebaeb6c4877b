package passpolicy

import (
	"strings"
	"time"
	"unicode"
)

// date reports whether s, which has no letters, is a date of a life in eight
// digits, in any order and with any signs between. There are some 70,000 of
// them, and published leaks are full of them.
func date(s string) bool {
	digits := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
	for _, layout := range []string{"02012006", "01022006", "20060102"} {
		if t, err := time.Parse(layout, digits); err == nil && 1900 <= t.Year() && t.Year() < 2100 {
			return true
		}
	}
	return false
}
