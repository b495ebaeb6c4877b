package jws

import "encoding/base64"

// MaxToken is the maximum length of a token, in bytes.
const MaxToken = 8 << 10

// encoding is base64url without padding. It refuses stray bits in the last
// character.
var encoding = base64.RawURLEncoding.Strict()

// decode decodes text into buf if it is large enough, or else into a new
// buffer. It accepts only one text for each result: Strict skips line breaks,
// so decode compares the lengths.
func decode(buf []byte, text string) ([]byte, bool) {
	if size := encoding.DecodedLen(len(text)); size > len(buf) {
		buf = make([]byte, size)
	}
	n, err := encoding.Decode(buf, []byte(text))
	return buf[:n], err == nil && encoding.EncodedLen(n) == len(text)
}
