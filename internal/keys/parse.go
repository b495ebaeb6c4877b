package keys

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// The sizes of an application key, in bytes.
const (
	MinSize = 32
	MaxSize = 1024
)

// prefix is the prefix of a key in base64.
const prefix = "base64:"

// minDistinct is the minimum number of different byte values in a key. Of 10^36
// random keys of 32 bytes, one has fewer than 8. Typed placeholders usually
// have fewer.
const minDistinct = 8

// The errors of Parse. They never quote the key.
var (
	// ErrFormat says that a text is neither base64 with the prefix "base64:"
	// nor hexadecimal.
	ErrFormat = errors.New("application key is malformed")
	// ErrSize says that a key has fewer than MinSize or more than MaxSize
	// bytes.
	ErrSize = errors.New("application key has the wrong size")
	// ErrWeak says that a key is obviously not random.
	ErrWeak = errors.New("application key is not random")
)

// Generate returns a new random key of MinSize bytes, in the form that Parse
// accepts.
func Generate() string {
	var key [MinSize]byte
	rand.Read(key[:]) // never fails: crypto/rand ends the program instead
	return prefix + base64.StdEncoding.EncodeToString(key[:])
}

// Parse parses an application key. The text is "base64:" followed by base64 in
// the standard or URL alphabet, with or without padding, or it is hexadecimal.
func Parse(text string) ([]byte, error) {
	key, err := decode(text)
	if err != nil {
		return nil, err
	}
	if err := check(key); err != nil {
		return nil, err
	}
	return key, nil
}

// decode does not wrap the errors of the decoders, because they quote the
// invalid byte.
func decode(text string) ([]byte, error) {
	// The base64 decoder skips line breaks, and spaces at the end of a line in
	// an environment file are hard to see.
	if strings.ContainsAny(text, " \t\r\n") {
		return nil, fmt.Errorf("%w: contains white space", ErrFormat)
	}
	encoded, isBase64 := strings.CutPrefix(text, prefix)
	switch {
	case text == "":
		return nil, fmt.Errorf("%w: empty", ErrFormat)
	case !isBase64:
		key, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("%w: a key without the prefix %q must be hexadecimal", ErrFormat, prefix)
		}
		return key, nil
	}
	for _, encoding := range []*base64.Encoding{
		base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding,
	} {
		if key, err := encoding.Strict().DecodeString(encoded); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w: the text after %q is not base64", ErrFormat, prefix)
}

func check(key []byte) error {
	if len(key) < MinSize || len(key) > MaxSize {
		return fmt.Errorf("%w: %d bytes, want %d to %d", ErrSize, len(key), MinSize, MaxSize)
	}
	var seen [256]bool
	distinct := 0
	for _, b := range key {
		if !seen[b] {
			seen[b] = true
			distinct++
		}
	}
	switch {
	case distinct == 1:
		return fmt.Errorf("%w: all bytes are equal", ErrWeak)
	case distinct < minDistinct:
		return fmt.Errorf("%w: only %d different bytes", ErrWeak, distinct)
	}
	return nil
}
