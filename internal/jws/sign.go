package jws

import (
	"fmt"
	"strings"
)

// maxType is the length of the longest type, in bytes.
const maxType = 64

// tailSize is the length of the longest end of a header: the remainder of its
// beginning, the type, and the two closing characters.
const tailSize = 2 + maxType + 2

// usualToken is the size of the buffer on the stack for a token, in bytes. An
// access token with some application claims fits.
const usualToken = 1 << 10

func newEntry(key Key) entry {
	prefix := append([]byte(`{"alg":"`), key.Algorithm()...)
	prefix = append(prefix, '"')
	if key.id != "" {
		prefix = appendString(append(prefix, `,"kid":`...), key.id)
	}
	prefix = append(prefix, `,"typ":"`...)
	whole := len(prefix) / 3 * 3
	return entry{
		material: key.material(),
		id:       key.id,
		prefix:   encoding.EncodeToString(prefix[:whole]),
		rest:     string(prefix[whole:]),
	}
}

// appendTail appends the encoded end of a header, which follows the prefix.
func (e *entry) appendTail(to []byte, typ string) []byte {
	var room [tailSize]byte
	tail := append(room[:0], e.rest...)
	tail = append(tail, typ...)
	tail = append(tail, `"}`...)
	return encoding.AppendEncode(to, tail)
}

// isType reports whether a text can be the type of a token. It must consist of
// the characters of a media type (RFC 6838, 4.2), which need no escapes in
// JSON.
func isType(typ string) bool {
	if typ == "" || len(typ) > maxType {
		return false
	}
	for _, c := range []byte(typ) {
		letter := c | 0x20
		if !('a' <= letter && letter <= 'z' || isDigit(c) || strings.IndexByte("!#$&-^_.+/", c) >= 0) {
			return false
		}
	}
	return true
}

// Sign returns a token with a type, such as "at+jwt", and a payload. The
// payload must be a JSON object that Verify accepts, such as the result of
// Claims.Payload. The header has the members alg, typ and, if the key has one,
// kid.
//
// The error wraps ErrInput if Verify would refuse the token. Otherwise it is
// the error of the signing key.
func (s *Set) Sign(typ string, payload []byte) (string, error) {
	if err := checkObject(string(payload)); err != nil {
		return "", fmt.Errorf("%w: payload: %w", ErrInput, err)
	}
	return s.sign(typ, payload)
}

// SignClaims returns a token with a type and the payload that Claims.Payload
// returns for the same arguments. Its errors are those of Claims.Payload and
// Sign.
func (s *Set) SignClaims(typ string, c *Claims, application []byte) (string, error) {
	var room [usualToken]byte
	payload, err := c.payload(room[:0], application)
	if err != nil {
		return "", err
	}
	return s.sign(typ, payload)
}

// sign signs a payload that is a checked JSON object.
func (s *Set) sign(typ string, payload []byte) (string, error) {
	list := s.entries()
	if len(list) == 0 {
		return "", fmt.Errorf("%w: the set has no keys", ErrKey)
	}
	if !isType(typ) {
		return "", fmt.Errorf("%w: %w", ErrInput, ErrType)
	}
	e := &list[0]
	length := len(e.prefix) + encoding.EncodedLen(len(e.rest)+len(typ)+2) +
		1 + encoding.EncodedLen(len(payload)) + 1 + encoding.EncodedLen(e.size())
	if length > MaxToken {
		return "", fmt.Errorf("%w: %w: %d bytes, at most %d", ErrInput, ErrTooLong, length, MaxToken)
	}
	var room [usualToken]byte
	token := room[:0]
	if length > len(room) {
		token = make([]byte, 0, length)
	}
	token = append(token, e.prefix...)
	token = e.appendTail(token, typ)
	token = encoding.AppendEncode(append(token, '.'), payload)
	var sum [maxMAC]byte
	signature, err := e.signature(sum[:0], token)
	if err != nil {
		return "", fmt.Errorf("jws: signing: %w", err)
	}
	return string(encoding.AppendEncode(append(token, '.'), signature)), nil
}
