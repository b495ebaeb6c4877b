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

// IsName reports whether s consists of 1 to 64 letters, digits and hyphens, as the names of features do.
func IsName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && (c < '0' || c > '9') && (c|' ' < 'a' || c|' ' > 'z') {
			return false
		}
	}
	return true
}
