// Package seal encrypts and authenticates small values that a client keeps for
// us, such as cookies.
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

// A sealed value is, in base64url without padding:
//
//	version (1 byte) | nonce (24 bytes) | ciphertext | tag (16 bytes)
//
// and its plaintext is the times of issue and of expiry, in milliseconds since
// 1970 as 8 bytes each, followed by the value.
const (
	version   = 1
	nonceSize = chacha20poly1305.NonceSizeX
	timesSize = 16
	overhead  = 1 + nonceSize + timesSize + chacha20poly1305.Overhead
)

const (
	// MaxText is the longest sealed value, in bytes: about what browsers
	// accept of a cookie.
	MaxText = 4096
	// MaxValue is the longest value that can be sealed, in bytes.
	MaxValue = MaxText/4*3 - overhead
)

// maxSkew is how far the clocks of two machines may differ: a value issued
// further in the future was not issued by a machine of ours, or its clock is
// wrong and so is the expiry.
const maxSkew = time.Minute

// ErrTooLong says that a value is over MaxValue.
var ErrTooLong = errors.New("seal: value is too long")

// encoding refuses a last character with stray bits, so that no two texts are
// one value.
var encoding = base64.RawURLEncoding.Strict()

// Sealer seals values for one purpose. It is immutable and safe for concurrent
// use.
type Sealer struct {
	keys.Redacted
	purpose string
	aeads   func() []cipher.AEAD // in a closure, because it holds keys
}

// New returns a Sealer for the purpose of the subkeys. It seals under the
// current one and opens under all of them.
func New(subkeys keys.Subkeys) *Sealer {
	aeads := make([]cipher.AEAD, subkeys.Len())
	for i := range aeads {
		aead, err := chacha20poly1305.NewX(subkeys.Bytes(i))
		if err != nil {
			panic("seal: " + err.Error()) // only for another size than keys.KeySize
		}
		aeads[i] = aead
	}
	return &Sealer{purpose: subkeys.Purpose(), aeads: func() []cipher.AEAD { return aeads }}
}

// Seal returns value as text that Open opens until lifetime has passed since
// now, given the same context: what the value belongs to, such as the name of
// its cookie. The text has 4 characters for every 3 bytes of the value and at
// most 77 more.
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

// Open returns the value sealed in text, and the index of the subkey that it
// was sealed under: over 0 is an old one, and the value should be sealed again.
// It reports false, and never why, if the text was not made by Seal for this
// purpose and context or is not valid now.
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

// decode returns the bytes of a text of the right form: at least overhead, and
// the known version.
func decode(text string) ([]byte, bool) {
	// The decoder skips line breaks even when strict.
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

// bind returns the additional data: the version, and the purpose and each part
// of the context preceded by its length, so that no two lists are the same.
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
