package opaque

import (
	"crypto/rand"
	"encoding/hex"
	"hash/crc32"
	"strings"

	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/stores"
)

// A personal token has the form
//
//	prefix _ 32 hexadecimal digits _ 43 digits of base 62 and 6 of a checksum
//
// It consists of letters, digits and underscores, so that a double click
// selects it as a whole and scanners for leaked secrets can recognize it. The
// hexadecimal digits identify the token. The 43 digits are its secret of 256
// bits. The checksum adds no security: it avoids store look-ups for mistyped
// and invented tokens.
const (
	secretDigits   = 43
	checksumDigits = 6
	digits         = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// Personal is a parsed personal token.
type Personal struct {
	keys.Redacted
	// ID identifies the token and its family in a store. It is not secret.
	ID   string
	text func() string // a function, because fmt would print the secret in a field
}

// NewPersonal returns a random personal token.
func NewPersonal(prefix string) Personal {
	name := NewName()
	head := prefix + "_" + name + "_" + randomDigits()
	text := head + checksum(head)
	return Personal{ID: name, text: func() string { return text }}
}

// Text returns the text of the token.
func (p Personal) Text() string { return p.text() }

// Digest returns the digest of the secret, which is what stores keep.
func (p Personal) Digest() stores.Digest {
	text := p.text()
	return stores.DigestOf([]byte(text[len(text)-secretDigits-checksumDigits : len(text)-checksumDigits]))
}

// LooksPersonal reports whether a text has the prefix of a personal token.
func LooksPersonal(prefix, text string) bool {
	rest, ok := strings.CutPrefix(text, prefix)
	return ok && strings.HasPrefix(rest, "_")
}

// ParsePersonal parses a text that NewPersonal made.
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

// randomDigits returns a secret. It draws again for bytes from the largest
// multiple of 62 on, so that all digits are equally likely.
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
