package session

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"

	"github.com/ginauth/ginauth/stores"
)

// A session id is 16 random bytes that name the row, followed by 32 random bytes
// that open it. The row stays for the life of the session. The secret changes at
// every login; the store only has its digest. The row is found by its name, and the
// digest is compared here, in constant time. A store that is a stores.SessionWriter
// compares digests too: who guesses secrets cannot choose how their digests begin, so
// how long that takes tells nothing of use.
const (
	rowBytes    = 16
	secretBytes = 32
	// idLength is the length of an id as text: unpadded base64url.
	idLength = (rowBytes + secretBytes) * 4 / 3
)

// ID is a session id as a client presents it.
type ID struct {
	Row    string // hexadecimal
	Digest stores.Digest
}

// newSecret returns the secret half of an id. crypto/rand.Read never returns an
// error: without randomness it ends the process.
func newSecret() (secret [secretBytes]byte) {
	_, _ = rand.Read(secret[:])
	return secret
}

func newRow() string {
	var row [rowBytes]byte
	_, _ = rand.Read(row[:])
	return hex.EncodeToString(row[:])
}

// ParseID reads a cookie's value. Each id has exactly one text.
func ParseID(text string) (ID, bool) {
	var id [rowBytes + secretBytes]byte
	// 64 characters carry exactly 48 bytes, so no bits are left over that could
	// differ between two texts. The decoder skips line breaks, but then the result
	// is too short.
	if len(text) != idLength {
		return ID{}, false
	}
	if n, err := base64.RawURLEncoding.Decode(id[:], []byte(text)); err != nil || n != len(id) {
		return ID{}, false
	}
	return ID{
		Row:    hex.EncodeToString(id[:rowBytes]),
		Digest: stores.DigestOf(id[rowBytes:]),
	}, true
}

// idText returns the cookie's value for a row and a secret.
func idText(row string, secret [secretBytes]byte) string {
	id := make([]byte, 0, rowBytes+secretBytes)
	id, _ = hex.AppendDecode(id, []byte(row))
	id = append(id, secret[:]...)
	return base64.RawURLEncoding.EncodeToString(id)
}
