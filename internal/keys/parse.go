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

// prefix marks a key written in base64.
const prefix = "base64:"

// minDistinct is how many different byte values a key must have. Of 32 random
// bytes fewer than 8 are different once in 10^36 keys; of a typed filler they
// usually are.
const minDistinct = 8

// What is wrong with a key. None of these errors ever quotes it.
var (
	// ErrFormat says that a text is neither base64 with its prefix nor
	// hexadecimal.
	ErrFormat = errors.New("application key is malformed")
	// ErrSize says that a key is too short or too long.
	ErrSize = errors.New("application key has the wrong size")
	// ErrWeak says that a key is obviously not random.
	ErrWeak = errors.New("application key is not random")
)

// Generate returns a new random key of MinSize bytes as the text that Parse
// reads.
func Generate() string {
	var key [MinSize]byte
	rand.Read(key[:]) // never fails: crypto/rand ends the program instead
	return prefix + base64.StdEncoding.EncodeToString(key[:])
}

// Parse reads an application key: "base64:" followed by base64 of the standard
// or the URL alphabet, padded or not, or else hexadecimal.
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

// decode never wraps the error of a decoder: that one quotes the byte at fault.
func decode(text string) ([]byte, error) {
	// The base64 decoder skips line breaks, and a space at the end of a line
	// in an environment file is hard to see.
	if strings.ContainsAny(text, " \t\r\n") {
		return nil, fmt.Errorf("%w: it contains white space", ErrFormat)
	}
	encoded, isBase64 := strings.CutPrefix(text, prefix)
	switch {
	case text == "":
		return nil, fmt.Errorf("%w: it is empty", ErrFormat)
	case !isBase64:
		key, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("%w: without the prefix %q it must be hexadecimal", ErrFormat, prefix)
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
	return nil, fmt.Errorf("%w: what follows %q is not base64", ErrFormat, prefix)
}

func check(key []byte) error {
	if len(key) < MinSize || len(key) > MaxSize {
		return fmt.Errorf("%w: %d bytes, it must have %d to %d", ErrSize, len(key), MinSize, MaxSize)
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
		return fmt.Errorf("%w: all its bytes are equal", ErrWeak)
	case distinct < minDistinct:
		return fmt.Errorf("%w: it has only %d different bytes", ErrWeak, distinct)
	}
	return nil
}
