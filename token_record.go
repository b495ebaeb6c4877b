package ginauth

import (
	"fmt"
	"strings"
	"time"

	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// tokenData is what a stored token knows beside what every token has.
type tokenData struct {
	// bound says that the token ends when the user's security stamp changes,
	// of which fingerprint is the fingerprint.
	bound       bool
	fingerprint stores.Digest
	// address is the client's that the token was made for.
	address string
}

const (
	tokenDataVersion = 1
	tokenDataFixed   = 2 + len(stores.Digest{})
)

func (d tokenData) encode() []byte {
	b := make([]byte, 2, tokenDataFixed+len(d.address))
	b[0] = tokenDataVersion
	if d.bound {
		b[1] = 1
	}
	b = append(b, d.fingerprint[:]...)
	return append(b, d.address...)
}

func parseTokenData(b []byte) (tokenData, error) {
	if len(b) < tokenDataFixed || b[0] != tokenDataVersion || b[1] > 1 {
		return tokenData{}, fmt.Errorf("%w: data of a token", stores.ErrCorrupt)
	}
	return tokenData{b[1] == 1, stores.Digest(b[2:tokenDataFixed]), string(b[tokenDataFixed:])}, nil
}

// lives reports whether a token as found may be used at all.
func lives(t stores.Token, now time.Time) bool {
	return t.FamilyRevoked.IsZero() && now.Before(t.Expires) && now.Before(t.FamilyExpires)
}

// ownerID returns the identifier of the user that owns a token, if it is a user
// of the realm.
func ownerID(realm, owner string) (id string, ok bool) {
	id, ok = strings.CutPrefix(owner, realm+":")
	return id, ok && id != ""
}

// tokenOwner names the owner of a token. An identifier that had to be cut could
// not be found again.
func tokenOwner(realm string, u models.Authenticatable) (string, error) {
	id := u.AuthID()
	owner := session.OwnerName(realm, id)
	if named, ok := ownerID(realm, owner); !ok || named != id {
		return "", fmt.Errorf("%w: a user's identifier is too long for a token", ErrConfig)
	}
	return owner, nil
}
