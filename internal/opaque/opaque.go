// Package opaque makes and reads the texts of tokens that say nothing to their
// holder: random bytes that name a stored token, and random bytes that prove
// that it is the holder's.
package opaque

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/stores"
)

// The sizes of the parts of a token, in bytes.
const (
	nameSize   = 16
	secretSize = 32
	size       = nameSize + nameSize + secretSize
)

// Token is the text of a token, taken apart.
type Token struct {
	keys.Redacted
	// Family and ID name the token in a store. They are public.
	Family, ID string
	secret     func() [secretSize]byte // a closure, because it is a secret
}

// New returns a random token of a new family. crypto/rand never fails: without
// randomness it ends the process.
func New() Token {
	var secret [secretSize]byte
	_, _ = rand.Read(secret[:])
	return token(NewName(), NewName(), secret)
}

func token(family, id string, secret [secretSize]byte) Token {
	return Token{Family: family, ID: id, secret: func() [secretSize]byte { return secret }}
}

// NewName returns a random name for a row, a token or a family: 128 bits as 32
// hexadecimal digits.
func NewName() string {
	var name [nameSize]byte
	_, _ = rand.Read(name[:])
	return hex.EncodeToString(name[:])
}

// Digest returns the digest of the secret, for a store.
func (t Token) Digest() stores.Digest {
	secret := t.secret()
	return stores.DigestOf(secret[:])
}

// encoding refuses a last character with stray bits, so that no two texts are
// one token.
var encoding = base64.RawURLEncoding.Strict()

// Text returns the token's text: the prefix and 86 characters of base64url.
func (t Token) Text(prefix string) string {
	secret := t.secret()
	b := make([]byte, 0, size)
	b, _ = hex.AppendDecode(b, []byte(t.Family))
	b, _ = hex.AppendDecode(b, []byte(t.ID))
	b = append(b, secret[:]...)
	return prefix + encoding.EncodeToString(b)
}

// Parse reads a text that Text returned. There is one text for each token.
func Parse(prefix, text string) (Token, bool) {
	text, ok := strings.CutPrefix(text, prefix)
	if !ok || len(text) != encoding.EncodedLen(size) {
		return Token{}, false
	}
	var b [size]byte
	// Line breaks, which the decoder skips, would make the result too short.
	if n, err := encoding.Decode(b[:], []byte(text)); err != nil || n != size {
		return Token{}, false
	}
	return token(
		hex.EncodeToString(b[:nameSize]),
		hex.EncodeToString(b[nameSize:2*nameSize]),
		[secretSize]byte(b[2*nameSize:]),
	), true
}

// Successor returns the token that replaces t, which whoever holds t and the
// subkey can always derive again: a client that lost the answer gets the same
// one, and a store that was read yields neither.
func (t Token) Successor(subkeys keys.Subkeys, key int) Token {
	secret := t.secret()
	derive := func(what string) [keys.MACSize]byte {
		return subkeys.MACUnder(key, []byte(what), []byte(t.Family), []byte(t.ID), secret[:])
	}
	id := derive("id")
	return token(t.Family, hex.EncodeToString(id[:nameSize]), derive("secret"))
}
