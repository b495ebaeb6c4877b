package jws

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// literal reads a string and returns it as it is written, without quotes.
func (s *scanner) literal() string {
	if s.peek() != '"' {
		s.fail(ErrSyntax)
		return ""
	}
	s.pos++
	for start := s.pos; ; {
		s.pos += ordinary(s.text[s.pos:])
		switch c := s.at(); c {
		case '"':
			s.pos++
			return s.text[start : s.pos-1]
		case '\\':
			s.escape()
		default: // a control character, or the end
			s.fail(ErrSyntax)
			return ""
		}
	}
}

// ordinary returns how many bytes at the beginning of a text are themselves in a
// string: all but the quote, the backslash and control characters.
func ordinary(text string) int {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(text)
}

// escape reads an escape sequence, or the two that are a surrogate pair.
func (s *scanner) escape() {
	rest := s.text[s.pos:]
	switch {
	case len(rest) > 1 && strings.IndexByte(`"\/bfnrt`, rest[1]) >= 0:
		s.pos += 2
		return
	case !strings.HasPrefix(rest, `\u`):
		s.fail(ErrSyntax)
		return
	}
	r, ok := hex4(rest[2:])
	if !ok {
		s.fail(ErrSyntax)
		return
	}
	if !utf16.IsSurrogate(r) {
		s.pos += 6
		return
	}
	low, ok := rune(0), false
	if strings.HasPrefix(rest[6:], `\u`) {
		low, ok = hex4(rest[8:])
	}
	if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
		s.fail(ErrText)
		return
	}
	s.pos += 12
}

// hex4 returns the number that the first four hexadecimal digits are.
func hex4(s string) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, c := range []byte(s[:4]) {
		switch lower := c | 0x20; {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case 'a' <= lower && lower <= 'f':
			r = r<<4 | rune(lower-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// first returns the first character of a literal that the scanner has read, and
// how many bytes of it that takes.
func first(literal string) (r rune, size int) {
	if c := literal[0]; c < utf8.RuneSelf && c != '\\' {
		return rune(c), 1
	} else if c != '\\' {
		return utf8.DecodeRuneInString(literal)
	}
	switch c := literal[1]; c {
	case 'u':
		r, _ := hex4(literal[2:])
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		low, _ := hex4(literal[8:])
		return utf16.DecodeRune(r, low), 12
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	default: // " \ and /
		return rune(c), 2
	}
}

// unescape returns the text of a literal that the scanner has read.
func unescape(literal string) string {
	if strings.IndexByte(literal, '\\') < 0 {
		return literal
	}
	text := make([]byte, 0, len(literal))
	for literal != "" {
		r, size := first(literal)
		text = utf8.AppendRune(text, r)
		literal = literal[size:]
	}
	return string(text)
}

// equalFold reports whether two literals are the same text under simple case
// folding, as encoding/json compares names: U+017F is an s and U+212A a k.
func equalFold(a, b string) bool {
	for a != "" && b != "" {
		r, n := first(a)
		q, m := first(b)
		if smallest(r) != smallest(q) {
			return false
		}
		a, b = a[n:], b[m:]
	}
	return a == b
}

// foldedHash returns the same number (FNV-1a) for literals that are equal under
// folding.
func foldedHash(literal string) uint32 {
	hash := uint32(2166136261)
	for literal != "" {
		r, size := rune(literal[0]), 1
		if r >= utf8.RuneSelf || r == '\\' {
			r, size = first(literal)
		}
		hash = (hash ^ uint32(smallest(r))) * 16777619
		literal = literal[size:]
	}
	return hash
}

// smallest returns the smallest of the characters that fold to one.
func smallest(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return r - ('a' - 'A')
	case r < utf8.RuneSelf:
		return r
	}
	return smallestFold(r)
}

func smallestFold(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next // the cycle begins again, at its smallest
		}
		r = next
	}
}

// appendString appends a JSON string, which must be UTF-8.
func appendString(to []byte, text string) []byte {
	const digits = "0123456789abcdef"
	to = append(to, '"')
	done := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			to = append(append(to, text[done:i]...), '\\', c)
		case c < ' ':
			to = append(append(to, text[done:i]...), '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			continue
		}
		done = i + 1
	}
	return append(append(to, text[done:]...), '"')
}
