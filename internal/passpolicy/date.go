package passpolicy

import (
	"strings"
	"time"
	"unicode"
)

// date reports whether s, which has no letters, is a date from 1900 to 2099 in
// eight digits, in a common order and with any separators. There are only about
// 70,000 such dates, and they are frequent in published leaks.
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
