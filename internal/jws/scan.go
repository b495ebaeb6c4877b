package jws

import (
	"strings"
	"unicode/utf8"
)

// The limits of a JSON text. maxMembers limits the members of all open objects
// together, so that a scanner needs no additional memory.
const (
	maxDepth   = 32
	maxMembers = 128
)

// scanner parses one JSON object of limited depth. After the first error it
// finds nothing more, so callers need to check the error only at the end. It
// allocates memory only to unescape strings.
type scanner struct {
	text  string
	pos   int
	depth int
	err   error
	claim bool // whether err is an error of a claim
	// names are the names of the members of all open objects. open is their
	// number.
	names [maxMembers]member
	open  int
}

// member is the position of a member's name in the text.
type member struct {
	folded     uint32 // hash of the folded name
	start, end int32
}

// container is an open object or array.
type container struct {
	// name is the name of the current member as written, without quotes.
	name    string
	begun   bool
	members int // number of members of the enclosing objects
}

func (s *scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.pos = len(s.text)
}

// peek skips white space and returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// at returns the next byte, or 0 at the end.
func (s *scanner) at() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// begin opens an object or array that starts with the byte c.
func (s *scanner) begin(c byte) container {
	switch {
	case s.peek() != c:
		s.fail(ErrSyntax)
	case s.depth == maxDepth:
		s.fail(ErrDepth)
	default:
		s.pos++
		s.depth++
	}
	return container{members: s.open}
}

// more reports whether another element follows before the closing byte of the
// container.
func (s *scanner) more(in *container, closing byte) bool {
	switch c := s.peek(); {
	case s.err != nil:
		return false
	case c == closing:
		s.pos++
		s.depth--
		s.open = in.members
		return false
	case c == ',' && in.begun:
		s.pos++
		if s.peek() == closing {
			s.fail(ErrSyntax)
		}
	case in.begun:
		s.fail(ErrSyntax)
	}
	in.begun = true
	return s.err == nil
}

// object opens an object. The caller then calls next for each member and reads
// its value.
func (s *scanner) object() container { return s.begin('{') }

// next reads the name of the next member. It refuses a name that is equal under
// case folding to an earlier one.
func (s *scanner) next(in *container) bool {
	if !s.more(in, '}') {
		return false
	}
	s.peek()
	start := s.pos + 1
	in.name = s.literal()
	if s.peek() != ':' {
		s.fail(ErrSyntax)
		return false
	}
	s.pos++
	this := member{foldedHash(in.name), int32(start), int32(start + len(in.name))}
	for _, other := range s.names[in.members:s.open] {
		if other.folded == this.folded && equalFold(s.text[other.start:other.end], in.name) {
			s.fail(ErrDuplicate)
			return false
		}
	}
	if s.open == maxMembers {
		s.fail(ErrMembers)
		return false
	}
	s.names[s.open] = this
	s.open++
	return s.err == nil
}

// end returns the first error. It fails if the text continues.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.text) {
		s.fail(ErrSyntax)
	}
	return s.err
}

// skip reads and ignores any value.
func (s *scanner) skip() {
	switch c := s.peek(); {
	case c == '{':
		for in := s.object(); s.next(&in); {
			s.skip()
		}
	case c == '[':
		for in := s.begin('['); s.more(&in, ']'); {
			s.skip()
		}
	case c == '"':
		s.literal()
	case c == '-' || isDigit(c):
		s.number()
	default:
		for _, word := range [...]string{"true", "false", "null"} {
			if strings.HasPrefix(s.text[s.pos:], word) {
				s.pos += len(word)
				return
			}
		}
		s.fail(ErrSyntax)
	}
}

// number reads a number and returns it as written. An invalid leading zero, as
// in 01, is detected when the next token is read.
func (s *scanner) number() string {
	start := s.pos
	s.accept('-')
	if !s.accept('0') {
		s.digits()
	}
	if s.accept('.') {
		s.digits()
	}
	if s.accept('e') || s.accept('E') {
		if !s.accept('+') {
			s.accept('-')
		}
		s.digits()
	}
	if s.err != nil {
		return ""
	}
	return s.text[start:s.pos]
}

func (s *scanner) accept(c byte) bool {
	if s.pos < len(s.text) && s.text[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// digits reads one or more digits.
func (s *scanner) digits() {
	start := s.pos
	for s.pos < len(s.text) && isDigit(s.text[s.pos]) {
		s.pos++
	}
	if s.pos == start {
		s.fail(ErrSyntax)
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// start begins to read a text. It checks that the text is valid UTF-8.
func (s *scanner) start(text string) {
	s.text = text
	if !utf8.ValidString(text) {
		s.fail(ErrText)
	}
}

// checkObject returns an error if text is not one unambiguous JSON object.
func checkObject(text string) error {
	var s scanner
	s.start(text)
	for in := s.object(); s.next(&in); {
		s.skip()
	}
	return s.end()
}
