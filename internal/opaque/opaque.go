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
	raw        func() [size]byte // a closure, because the secret is in it
}

// New returns a random token of a new family. crypto/rand never fails: without
// randomness it ends the process.
func New() Token {
	var raw [size]byte
	_, _ = rand.Read(raw[:])
	return token(raw)
}

// token returns the token of a family's name, its own and a secret.
func token(raw [size]byte) Token {
	var names [2 * 2 * nameSize]byte
	hex.Encode(names[:], raw[:2*nameSize])
	both, held := string(names[:]), raw // a copy, of which nothing but the closure knows
	return Token{Family: both[:2*nameSize], ID: both[2*nameSize:], raw: func() [size]byte { return held }}
}

// secret returns what proves that its holder is the token's.
func (t Token) secret() [secretSize]byte {
	raw := t.raw()
	return [secretSize]byte(raw[2*nameSize:])
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
	raw := t.raw()
	text := append(make([]byte, 0, 128), prefix...) // on the stack
	return string(encoding.AppendEncode(text, raw[:]))
}

// Parse reads a text that Text returned. There is one text for each token.
func Parse(prefix, text string) (Token, bool) {
	text, ok := strings.CutPrefix(text, prefix)
	if !ok || len(text) != encoding.EncodedLen(size) {
		return Token{}, false
	}
	var raw [size]byte
	// Line breaks, which the decoder skips, would make the result too short.
	if n, err := encoding.Decode(raw[:], []byte(text)); err != nil || n != size {
		return Token{}, false
	}
	return token(raw), true
}

// Successor returns the token that replaces t, which whoever holds t and the
// subkey can always derive again: a client that lost the answer gets the same
// one, and a store that was read yields neither.
func (t Token) Successor(subkeys keys.Subkeys, key int) Token {
	secret := t.secret()
	derive := func(what string) [keys.MACSize]byte {
		return subkeys.MACUnder(key, []byte(what), []byte(t.Family), []byte(t.ID), secret[:])
	}
	id, next := derive("id"), derive("secret")
	raw := t.raw() // of the same family
	copy(raw[nameSize:2*nameSize], id[:])
	copy(raw[2*nameSize:], next[:])
	return token(raw)
}
