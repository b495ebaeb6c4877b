package opaque

import (
	"crypto/rand"
	"encoding/hex"
	"hash/crc32"
	"strings"

	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/stores"
)

// A personal token is written
//
//	prefix _ 32 hexadecimal digits _ 43 digits of base 62 and 6 of a checksum
//
// in letters, digits and underscores alone, so that a double click selects it
// whole and scanners for leaked secrets can be told its shape. The first part
// names the token, the 43 digits are its secret of 256 bits. The checksum is
// no protection: it keeps typing errors and wild guesses from the store.
const (
	secretDigits   = 43
	checksumDigits = 6
	digits         = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// Personal is the text of a personal token, taken apart.
type Personal struct {
	keys.Redacted
	// ID names the token in a store, and its family. It is public.
	ID   string
	text func() string // a closure, because it holds the secret
}

// NewPersonal returns a random personal token.
func NewPersonal(prefix string) Personal {
	name := NewName()
	head := prefix + "_" + name + "_" + randomDigits()
	text := head + checksum(head)
	return Personal{ID: name, text: func() string { return text }}
}

// Text returns the token's text.
func (p Personal) Text() string { return p.text() }

// Digest returns the digest of the secret, for a store.
func (p Personal) Digest() stores.Digest {
	text := p.text()
	return stores.DigestOf([]byte(text[len(text)-secretDigits-checksumDigits : len(text)-checksumDigits]))
}

// LooksPersonal reports whether a text claims to be a personal token.
func LooksPersonal(prefix, text string) bool {
	rest, ok := strings.CutPrefix(text, prefix)
	return ok && strings.HasPrefix(rest, "_")
}

// ParsePersonal reads a text that NewPersonal made.
func ParsePersonal(prefix, text string) (Personal, bool) {
	const name = 2 * nameSize
	if !LooksPersonal(prefix, text) || len(text) != len(prefix)+1+name+1+secretDigits+checksumDigits {
		return Personal{}, false
	}
	id, secret := text[len(prefix)+1:][:name], text[len(prefix)+1+name:]
	if _, err := hex.DecodeString(id); err != nil || strings.ToLower(id) != id || secret[0] != '_' {
		return Personal{}, false
	}
	for _, c := range []byte(secret[1:]) {
		if strings.IndexByte(digits, c) < 0 {
			return Personal{}, false
		}
	}
	head := text[:len(text)-checksumDigits]
	if checksum(head) != text[len(head):] {
		return Personal{}, false
	}
	return Personal{ID: id, text: func() string { return text }}, true
}

// randomDigits returns a secret. Bytes over the largest multiple of 62 are
// drawn again, so that no digit is likelier than another.
func randomDigits() string {
	const fair = 256 - 256%len(digits)
	var secret [secretDigits]byte
	for i := range secret {
		var b [1]byte
		for {
			_, _ = rand.Read(b[:])
			if int(b[0]) < fair {
				break
			}
		}
		secret[i] = digits[int(b[0])%len(digits)]
	}
	return string(secret[:])
}

// checksum returns the CRC-32 of a text in base 62.
func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	var b [checksumDigits]byte
	for i := range b {
		b[len(b)-1-i] = digits[sum%uint32(len(digits))]
		sum /= uint32(len(digits))
	}
	return string(b[:])
}
