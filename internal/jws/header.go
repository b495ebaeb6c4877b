package jws

import (
	"errors"
	"fmt"
)

// header holds the members of a header that are used. A missing kid or typ is
// "".
type header struct {
	alg, kid, typ string
}

// parseHeader parses an encoded header.
func parseHeader(encoded string) (header, error) {
	if len(encoded) > maxHeader {
		return header{}, fmt.Errorf("%w: too long", ErrHeader)
	}
	data, ok := decode(nil, encoded)
	if !ok {
		return header{}, ErrFormat
	}
	var h header
	var s scanner
	s.start(string(data))
	for in := s.object(); s.next(&in); {
		switch in.name {
		case "alg":
			h.alg = s.headerText()
		case "kid":
			h.kid = s.headerText()
		case "typ":
			h.typ = s.headerText()
		case "crit", "b64":
			// RFC 7515, 4.1.11, and RFC 7797, 6, forbid to ignore these.
			s.fail(ErrCritical)
		case "jwk", "jku", "x5c", "x5u":
			s.fail(errOwnKey)
		default:
			if misspelt(in.name) {
				s.fail(ErrDuplicate)
			}
			s.skip()
		}
	}
	if err := s.end(); err != nil {
		return header{}, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	if h.alg == "" {
		return header{}, fmt.Errorf("%w: alg is missing", ErrHeader)
	}
	return h, nil
}

// Other errors of a header.
var (
	errOwnKey = errors.New("contains a key or a reference to one")
	errNoText = errors.New("alg, kid or typ is not a non-empty string")
)

// headerText reads a string that is not empty.
func (s *scanner) headerText() string {
	if s.peek() != '"' {
		s.fail(errNoText)
		return ""
	}
	text := unescape(s.literal())
	if text == "" {
		s.fail(errNoText)
	}
	return text
}

// misspelt reports whether a JSON parser could treat a name as equal to one
// that is used.
func misspelt(literal string) bool {
	for _, name := range [...]string{"alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "x5u"} {
		if equalFold(literal, name) {
			return true
		}
	}
	return false
}
