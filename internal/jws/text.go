package jws

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// literal reads a string and returns it as written, without quotes.
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

// ordinary returns the number of bytes at the start of text that need no escape
// in a string: all except quotes, backslashes and control characters.
func ordinary(text string) int {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(text)
}

// escape reads an escape sequence, or two that form a surrogate pair.
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

// hex4 returns the value of the first four hexadecimal digits.
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

// first returns the first character of a checked literal, and its length in
// bytes.
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

// unescape returns the text of a checked literal.
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

// equalFold reports whether two literals are equal under simple case folding,
// as encoding/json compares names. For example, U+017F equals s and U+212A
// equals k.
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

// foldedHash returns an FNV-1a hash that is the same for all literals that are
// equal under folding.
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

// smallest returns the smallest character that folds to the same as r.
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
			return next // the smallest character begins the cycle
		}
		r = next
	}
}

// appendString appends a JSON string. Text must be valid UTF-8.
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
