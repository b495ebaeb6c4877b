// Package seal encrypts and authenticates small values that clients store for
// the server, such as cookies.
package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/ginauth/ginauth/internal/keys"
)

// A sealed value is the base64url encoding, without padding, of
//
//	version (1 byte) | nonce (24 bytes) | ciphertext | tag (16 bytes)
//
// The plaintext is the time of issue and the time of expiry, each as 8 bytes
// with the milliseconds since 1970, followed by the value.
const (
	version   = 1
	nonceSize = chacha20poly1305.NonceSizeX
	timesSize = 16
	overhead  = 1 + nonceSize + timesSize + chacha20poly1305.Overhead
)

const (
	// MaxText is the length of the longest sealed value, in bytes. It is about
	// the limit of browsers for a cookie.
	MaxText = 4096
	// MaxValue is the length of the longest value that can be sealed, in bytes.
	MaxValue = MaxText/4*3 - overhead
)

// maxSkew is the tolerated difference between the clocks of two machines. A
// value issued further in the future is refused, because its expiry would be
// wrong too.
const maxSkew = time.Minute

// ErrTooLong says that a value is longer than MaxValue.
var ErrTooLong = errors.New("seal: value is too long")

// encoding refuses stray bits in the last character, so that each sealed value
// has only one text.
var encoding = base64.RawURLEncoding.Strict()

// Sealer seals values for one purpose. It is immutable and safe for concurrent
// use.
type Sealer struct {
	keys.Redacted
	purpose string
	aeads   func() []cipher.AEAD // a function, because fmt would print the keys in a slice
}

// New returns a Sealer for the purpose of the subkeys. It seals with the
// current subkey and opens with all of them.
func New(subkeys keys.Subkeys) *Sealer {
	aeads := make([]cipher.AEAD, subkeys.Len())
	for i := range aeads {
		aead, err := chacha20poly1305.NewX(subkeys.Bytes(i))
		if err != nil {
			panic("seal: " + err.Error()) // cannot happen: subkeys have keys.KeySize bytes
		}
		aeads[i] = aead
	}
	return &Sealer{purpose: subkeys.Purpose(), aeads: func() []cipher.AEAD { return aeads }}
}

// Seal returns value as text that Open accepts until lifetime has passed since
// now. Context binds the text to its use, such as the name of a cookie: Open
// must get the same context. The text has 4 characters for every 3 bytes of the
// value and at most 77 more. The error wraps ErrTooLong if the value is longer
// than MaxValue.
func (s *Sealer) Seal(now time.Time, lifetime time.Duration, value []byte, context ...[]byte) (string, error) {
	if len(value) > MaxValue {
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, len(value), MaxValue)
	}
	if lifetime <= 0 {
		return "", fmt.Errorf("seal: lifetime %v is not positive", lifetime)
	}
	plaintext := make([]byte, 0, timesSize+len(value))
	plaintext = binary.BigEndian.AppendUint64(plaintext, uint64(now.UnixMilli()))
	plaintext = binary.BigEndian.AppendUint64(plaintext, uint64(now.Add(lifetime).UnixMilli()))
	plaintext = append(plaintext, value...)

	sealed := make([]byte, 1+nonceSize, overhead+len(value))
	sealed[0] = version
	nonce := sealed[1:]
	rand.Read(nonce) // never fails: crypto/rand ends the program instead
	sealed = s.aeads()[0].Seal(sealed, nonce, plaintext, s.bind(context))
	return encoding.EncodeToString(sealed), nil
}

// Open returns the value in a sealed text and the index of the subkey that
// sealed it. An index greater than 0 is that of a previous key, and the caller
// should seal the value again. Open returns false if Seal did not make the text
// for this purpose and context, or if the text is not valid at now. It does not
// tell which.
func (s *Sealer) Open(now time.Time, text string, context ...[]byte) (value []byte, index int, ok bool) {
	sealed, ok := decode(text)
	if !ok {
		return nil, -1, false
	}
	nonce, ciphertext := sealed[1:1+nonceSize], sealed[1+nonceSize:]
	bound := s.bind(context)
	for i, aead := range s.aeads() {
		plaintext, err := aead.Open(nil, nonce, ciphertext, bound)
		if err != nil {
			continue
		}
		if !valid(now, plaintext) {
			break
		}
		return plaintext[timesSize:], i, true
	}
	return nil, -1, false
}

// decode decodes a text. It must have the known version and at least overhead
// bytes.
func decode(text string) ([]byte, bool) {
	// The strict decoder still skips line breaks.
	if len(text) > MaxText || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	sealed, err := encoding.DecodeString(text)
	if err != nil || len(sealed) < overhead || sealed[0] != version {
		return nil, false
	}
	return sealed, true
}

func valid(now time.Time, plaintext []byte) bool {
	issued := time.UnixMilli(int64(binary.BigEndian.Uint64(plaintext)))
	expires := time.UnixMilli(int64(binary.BigEndian.Uint64(plaintext[8:])))
	return now.Before(expires) && !now.Add(maxSkew).Before(issued)
}

// bind returns the additional authenticated data: the version, then the purpose
// and each part of the context, each preceded by its length. Different lists
// have different data.
func (s *Sealer) bind(context [][]byte) []byte {
	data := append(make([]byte, 0, 64), version)
	data = appendPart(data, []byte(s.purpose))
	for _, part := range context {
		data = appendPart(data, part)
	}
	return data
}

func appendPart(to, part []byte) []byte {
	to = binary.BigEndian.AppendUint64(to, uint64(len(part)))
	return append(to, part...)
}
