// Package opaque generates and parses opaque tokens. A token consists of a
// random identifier, under which it is stored, and a random secret, which
// proves that the client holds the token.
package opaque

import (
	"crypto/rand"
	"crypto/subtle"
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

// Token is a parsed token.
type Token struct {
	keys.Redacted
	// Family and ID identify the token in a store. They are not secret.
	Family, ID string
	raw        func() [size]byte // a function, because fmt would print the secret in a field
}

// New returns a random token of a new family. It cannot fail: crypto/rand ends
// the process if there is no randomness.
func New() Token {
	var raw [size]byte
	_, _ = rand.Read(raw[:])
	return token(raw)
}

// token returns the token with a family name, its own name and a secret.
func token(raw [size]byte) Token {
	var names [2 * 2 * nameSize]byte
	hex.Encode(names[:], raw[:2*nameSize])
	both, held := string(names[:]), raw // a copy that only the function can access
	return Token{Family: both[:2*nameSize], ID: both[2*nameSize:], raw: func() [size]byte { return held }}
}

// secret returns the secret part of the token.
func (t Token) secret() [secretSize]byte {
	raw := t.raw()
	return [secretSize]byte(raw[2*nameSize:])
}

// NewName returns a random name for a session row, a token or a family: 128
// bits as 32 hexadecimal digits.
func NewName() string {
	var name [nameSize]byte
	_, _ = rand.Read(name[:])
	return hex.EncodeToString(name[:])
}

// Digest returns the digest of the secret, which is what stores keep.
func (t Token) Digest() stores.Digest {
	secret := t.secret()
	return stores.DigestOf(secret[:])
}

// encoding refuses stray bits in the last character, so that each token has
// only one text.
var encoding = base64.RawURLEncoding.Strict()

// Text returns the text of the token: the prefix and 86 characters of
// base64url.
func (t Token) Text(prefix string) string {
	raw := t.raw()
	text := append(make([]byte, 0, 128), prefix...) // stays on the stack
	return string(encoding.AppendEncode(text, raw[:]))
}

// Parse parses a text that Text returned. Each token has only one text.
func Parse(prefix, text string) (Token, bool) {
	text, ok := strings.CutPrefix(text, prefix)
	if !ok || len(text) != encoding.EncodedLen(size) {
		return Token{}, false
	}
	var raw [size]byte
	// The decoder skips line breaks. The result is then too short.
	if n, err := encoding.Decode(raw[:], []byte(text)); err != nil || n != size {
		return Token{}, false
	}
	return token(raw), true
}

// Successor returns the token that replaces t. It is derived from t and a
// subkey, so the server can derive it again for a client that did not receive
// it. Someone who has read the store cannot derive it.
func (t Token) Successor(subkeys keys.Subkeys, key int) Token {
	secret := t.secret()
	derive := func(what string) [keys.MACSize]byte {
		return subkeys.MACUnder(key, []byte(what), []byte(t.Family), []byte(t.ID), secret[:])
	}
	next := derive("secret")
	raw := t.raw() // keeps the family
	copy(raw[2*nameSize:], next[:])
	return token(named(raw, subkeys, key))
}

// NewNamed is like New, but the token's own name proves that the token was issued here, as
// do the names of its successors.
func NewNamed(subkeys keys.Subkeys) Token {
	var raw [size]byte
	_, _ = rand.Read(raw[:])
	return token(named(raw, subkeys, 0))
}

// named sets the token's own name to a MAC of its family and its secret.
func named(raw [size]byte, subkeys keys.Subkeys, key int) [size]byte {
	id := subkeys.MACUnder(key, []byte("name"), raw[:nameSize], raw[2*nameSize:])
	copy(raw[nameSize:2*nameSize], id[:])
	return raw
}

// Issued reports whether the token was made by NewNamed or Successor with one of the
// subkeys. It needs no store, so it also recognizes a token that is no longer stored. Who
// knows the names of a token but not its secret cannot make a text that passes.
func (t Token) Issued(subkeys keys.Subkeys) bool {
	raw := t.raw()
	for key := range subkeys.Len() {
		if want := named(raw, subkeys, key); subtle.ConstantTimeCompare(want[:], raw[:]) == 1 {
			return true
		}
	}
	return false
}
