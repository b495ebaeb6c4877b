package jws

import (
	"fmt"
	"strings"
	"time"
)

// failClaim records an error of a claim, as opposed to one of the JSON syntax.
func (s *scanner) failClaim(name, says string) {
	if s.err == nil {
		s.claim = true
		s.fail(fmt.Errorf("%w: %s %s", ErrClaim, name, says))
	}
}

// claimText reads a string of 1 to MaxText bytes without control characters.
func (s *scanner) claimText(name string) string {
	if s.peek() != '"' {
		s.failClaim(name, "is not a string")
		return ""
	}
	literal := s.literal()
	text := unescape(literal)
	switch {
	case s.err != nil:
		return ""
	case text == "":
		s.failClaim(name, "is empty")
	case len(text) > MaxText:
		s.failClaim(name, "is too long")
	case len(text) < len(literal) && hasControl(text): // only escapes can contain them
		s.failClaim(name, "has control characters")
	}
	return text
}

// hasControl reports whether text has ASCII control characters. In UTF-8, no
// other character contains these bytes.
func hasControl(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' {
			return true
		}
	}
	return false
}

// claimTexts reads a string and appends it to a slice, or reads an array of
// strings.
func (s *scanner) claimTexts(name string, to []string) []string {
	if s.peek() != '[' {
		return append(to, s.claimText(name))
	}
	var texts []string
	for in := s.begin('['); s.more(&in, ']'); {
		if len(texts) == MaxAudiences {
			s.failClaim(name, "has too many elements")
			break
		}
		texts = append(texts, s.claimText(name))
	}
	return texts
}

// claimTime reads a Unix time in seconds in decimal notation, from 0 to before
// the year 9999. Fractions of a nanosecond are dropped.
func (s *scanner) claimTime(name string) time.Time {
	if c := s.peek(); c != '-' && !isDigit(c) {
		s.failClaim(name, "is not a number")
		return time.Time{}
	}
	number := s.number()
	seconds, nanoseconds, ok := parseTime(number)
	if !ok {
		s.failClaim(name, "is not a time before the year 9999 in decimal notation")
		return time.Time{}
	}
	return time.Unix(seconds, nanoseconds).UTC()
}

// parseTime splits a JSON number into seconds and nanoseconds. It accepts no
// sign and no exponent.
func parseTime(number string) (seconds, nanoseconds int64, ok bool) {
	whole, fraction, _ := strings.Cut(number, ".")
	for _, c := range []byte(whole) {
		if !isDigit(c) {
			return 0, 0, false
		}
		seconds = seconds*10 + int64(c-'0')
		if seconds >= maxTime {
			return 0, 0, false
		}
	}
	unit := int64(time.Second)
	for _, c := range []byte(fraction) {
		if !isDigit(c) {
			return 0, 0, false
		}
		unit /= 10
		nanoseconds += int64(c-'0') * unit
	}
	return seconds, nanoseconds, true
}
