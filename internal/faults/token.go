package faults

import "strings"

// IsToken reports whether s is a token of RFC 9110, 5.6.2, of at most 128 bytes, as the
// names of cookies and guards are.
func IsToken(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return true
}
