package jws

import "encoding/base64"

// MaxToken is how long a token may be, in bytes.
const MaxToken = 8 << 10

// encoding is base64url without padding, which refuses a last character with
// stray bits.
var encoding = base64.RawURLEncoding.Strict()

// decode decodes text, in a buffer if that is large enough. There is one text for
// each result: the decoder skips line breaks even when strict, and a text with one
// is longer than that of its result.
func decode(buf []byte, text string) ([]byte, bool) {
	if size := encoding.DecodedLen(len(text)); size > len(buf) {
		buf = make([]byte, size)
	}
	n, err := encoding.Decode(buf, []byte(text))
	return buf[:n], err == nil && encoding.EncodedLen(n) == len(text)
}
