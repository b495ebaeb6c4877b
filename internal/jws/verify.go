package jws

import (
	"fmt"
	"strings"
)

// maxHeader is the length of the longest encoded header, in bytes. The longest
// kid and type fit.
const maxHeader = 2 << 10

// Verify verifies a token that must have the given type. It returns the payload
// and the index of the key that signed it; 0 is the signing key. The payload is
// a JSON object without ambiguous members. Verify does not check the claims.
//
// The error wraps one of ErrTooLong to ErrPayload.
func (s *Set) Verify(typ, token string) (payload []byte, keyIndex int, err error) {
	payload, keyIndex, err = s.verify(nil, typ, token)
	if err != nil {
		return nil, -1, err
	}
	if err := checkObject(string(payload)); err != nil {
		return nil, -1, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	return payload, keyIndex, nil
}

// VerifyClaims is like Verify and also returns the claims. The error may also
// wrap ErrClaim. The caller must call Claims.Check to find out whether the
// token is acceptable now.
func (s *Set) VerifyClaims(typ, token string) (claims Claims, payload []byte, keyIndex int, err error) {
	payload, keyIndex, err = s.verify(nil, typ, token)
	if err == nil {
		claims, err = ParseClaims(payload)
	}
	if err != nil {
		return Claims{}, nil, -1, err
	}
	return claims, payload, keyIndex, nil
}

// verify returns the unparsed payload of a signed token, in buf if it is large
// enough.
func (s *Set) verify(buf []byte, typ, token string) (payload []byte, keyIndex int, err error) {
	if len(token) > MaxToken {
		return nil, -1, ErrTooLong
	}
	header, body, sig, ok := segments(token)
	if !ok {
		return nil, -1, ErrFormat
	}
	payload, ok = decode(buf, body)
	if !ok {
		return nil, -1, ErrFormat
	}
	var room [maxMAC]byte
	signature, ok := decode(room[:], sig)
	if !ok {
		return nil, -1, ErrFormat
	}
	list := s.entries()
	i, err := choose(list, typ, header)
	if err != nil {
		return nil, -1, err
	}
	if !list[i].verifies(token[:len(header)+1+len(body)], signature) {
		return nil, -1, ErrSignature
	}
	return payload, i, nil
}

// segments splits a token at its first two dots. No segment may be empty. An
// empty payload is valid in a JWS (RFC 7515), but not in a JWT, whose payload is
// a JSON object (RFC 7519, 7.2), so it is refused with a valid signature too. A
// third dot would be part of the signature, where base64url does not allow it.
func segments(token string) (header, payload, signature string, ok bool) {
	header, rest, ok1 := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	ok = ok1 && ok2 && header != "" && payload != "" && signature != ""
	return header, payload, signature, ok
}

// choose returns the index of the key for a header. The header must have the
// given type.
func choose(list []entry, typ, header string) (int, error) {
	if !isType(typ) {
		return -1, ErrType
	}
	// A header that the set itself would write for a key and type needs no
	// parsing. This also holds for keys that no longer sign.
	for i := range list {
		var room [tailSize * 2]byte
		tail, ok := strings.CutPrefix(header, list[i].prefix)
		if ok && tail == string(list[i].appendTail(room[:0], typ)) {
			return i, nil
		}
	}
	h, err := parseHeader(header)
	if err != nil {
		return -1, err
	}
	for i := range list {
		if list[i].id != h.kid {
			continue
		}
		switch {
		case h.alg != list[i].name:
			return -1, ErrAlgorithm
		case h.typ != typ:
			return -1, ErrType
		}
		return i, nil
	}
	return -1, ErrUnknownKey
}
