package jws

import (
	"encoding/base64"
	"strings"
)

// MaxToken is how long a token may be, in bytes.
const MaxToken = 8 << 10

// encoding is base64url without padding, which refuses a last character with
// stray bits.
var encoding = base64.RawURLEncoding.Strict()

// decode decodes text into a buffer of encoding.DecodedLen bytes. There is one
// text for each result: the decoder skips line breaks even when strict, so they
// are looked for.
func decode(into []byte, text string) ([]byte, bool) {
	if strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0 {
		return nil, false
	}
	n, err := encoding.Decode(into, []byte(text))
	return into[:n], err == nil
}
