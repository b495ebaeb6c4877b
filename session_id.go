package ginauth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"

	"github.com/ginauth/ginauth/stores"
)

// A session id is 16 random bytes that name the row, followed by 32 random
// bytes that open it. The row stays for the life of the session; the secret
// changes at every login, and the store knows only its digest. Finding the row
// by its public half and comparing the digest here, in constant time, leaves a
// store's own comparison nothing to tell.
const (
	rowBytes    = 16
	secretBytes = 32
	// idLength is the length of an id as text: unpadded base64url.
	idLength = (rowBytes + secretBytes) * 4 / 3
)

type sessionID struct {
	row    string // hexadecimal
	digest stores.Digest
}

// newSessionSecret returns the secret half of an id. crypto/rand.Read never
// returns an error: without randomness it ends the process.
func newSessionSecret() (secret [secretBytes]byte) {
	_, _ = rand.Read(secret[:])
	return secret
}

func newRow() string {
	var row [rowBytes]byte
	_, _ = rand.Read(row[:])
	return hex.EncodeToString(row[:])
}

// parseSessionID reads a cookie's value. There is one text for each id.
func parseSessionID(text string) (sessionID, bool) {
	var id [rowBytes + secretBytes]byte
	// 64 characters carry exactly 48 bytes, so no bits are left over that
	// could differ between two texts; line breaks, which the decoder skips,
	// would make the result too short.
	if len(text) != idLength {
		return sessionID{}, false
	}
	if n, err := base64.RawURLEncoding.Decode(id[:], []byte(text)); err != nil || n != len(id) {
		return sessionID{}, false
	}
	return sessionID{
		row:    hex.EncodeToString(id[:rowBytes]),
		digest: stores.DigestOf(id[rowBytes:]),
	}, true
}

// sessionIDText returns the cookie's value for a row and a secret.
func sessionIDText(row string, secret [secretBytes]byte) string {
	id := make([]byte, 0, rowBytes+secretBytes)
	id, _ = hex.AppendDecode(id, []byte(row))
	id = append(id, secret[:]...)
	return base64.RawURLEncoding.EncodeToString(id)
}

func sameDigest(a, b stores.Digest) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }
