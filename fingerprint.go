package ginauth

import (
	"crypto/subtle"
	"strings"

	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/seal"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// subkeys are the keys of the purposes that this package uses. A value made for
// one purpose is refused for every other, because the keys differ.
type subkeys struct {
	stamp    keys.Subkeys // fingerprints of security stamps
	form     keys.Subkeys // tokens in forms
	throttle keys.Subkeys // names of what is counted
	account  keys.Subkeys // names of accounts in events
	session  *seal.Sealer // sessions that live in cookies
	verify   keys.Subkeys // links that prove an address
	email    *seal.Sealer // links that change an address
	// successor derives what replaces a token from the token.
	successor keys.Subkeys
	device    *seal.Sealer // cookies of known devices
	intended  *seal.Sealer // where a guest wanted to go
}

func deriveSubkeys(r *keys.Ring) subkeys {
	return subkeys{
		stamp: r.Derive("security stamp"), form: r.Derive("form token"),
		throttle: r.Derive("throttle"), account: r.Derive("event account"),
		session: seal.New(r.Derive("session cookie")),
		verify:  r.Derive("verify email"), email: seal.New(r.Derive("email change")),
		successor: r.Derive("token successor"),
		device:    seal.New(r.Derive("known device")),
		intended:  seal.New(r.Derive("intended url")),
	}
}

// The credentials that are bound to a user's stamp. Each has fingerprints of its
// own, so that one cannot stand in for another.
const (
	sessionCredential  = "session"
	deviceCredential   = "device"
	accessCredential   = "access"
	refreshCredential  = "refresh"
	rememberCredential = "remember"
	resetCredential    = "reset"
	emailCredential    = "email"
	personalCredential = "personal"
)

const stampKind = "stamp"

// stampOf returns what everything issued to a user is bound to: the security
// stamp, or the password hash of a user type that has none.
func stampOf(u models.Authenticatable) (kind, stamp string) {
	if s, ok := u.(models.Stamped); ok {
		return stampKind, s.AuthStamp()
	}
	return "password", u.AuthPassword()
}

// bond is what a fingerprint binds a credential of a kind to.
type bond struct{ credential, realm, id, kind, stamp string }

func bondOf(credential, realm, id string, u models.Authenticatable) bond {
	kind, stamp := stampOf(u)
	return bond{credential, realm, id, kind, stamp}
}

// fingerprint binds a credential of a kind to the realm, the user and the
// user's stamp.
func (m *Manager) fingerprint(credential, realm string, u models.Authenticatable) stores.Digest {
	return m.fingerprintOf(u.AuthID(), credential, realm, u)
}

// fingerprintOf is fingerprint where the user's identifier is at hand.
func (m *Manager) fingerprintOf(id, credential, realm string, u models.Authenticatable) stores.Digest {
	return m.currentFingerprint(bondOf(credential, realm, id, u))
}

// checkFingerprint compares in constant time, under the current key and the
// previous ones. It returns the number of the key that fits, 0 being the
// current one.
func (m *Manager) checkFingerprint(
	fingerprint []byte, credential, realm string, u models.Authenticatable,
) (key int, ok bool) {
	return m.checkFingerprintOf(u.AuthID(), fingerprint, credential, realm, u)
}

// checkFingerprintOf is checkFingerprint where the user's identifier is at hand:
// making it costs memory in each request.
func (m *Manager) checkFingerprintOf(
	id string, fingerprint []byte, credential, realm string, u models.Authenticatable,
) (key int, ok bool) {
	b := bondOf(credential, realm, id, u)
	if b.kind == stampKind && b.stamp == "" {
		return 0, false // an empty stamp is shared by everybody who has none
	}
	if current := m.currentFingerprint(b); subtle.ConstantTimeCompare(fingerprint, current[:]) == 1 {
		return 0, true
	}
	// Returning at the first match tells how old the key is, which is no secret.
	for key := 1; key < m.subkeys.stamp.Len(); key++ {
		if old := m.fingerprintUnder(key, b); subtle.ConstantTimeCompare(fingerprint, old[:]) == 1 {
			return key, true
		}
	}
	return -1, false
}

// fingerprintUnder makes a fingerprint under a key; 0 is the current one.
func (m *Manager) fingerprintUnder(key int, b bond) stores.Digest {
	return m.subkeys.stamp.MACUnder(key,
		[]byte(b.credential), []byte(b.realm), []byte(b.id), []byte(b.kind), []byte(b.stamp))
}

// The bounds of what is remembered of fingerprints: how many, and of how many
// bytes at most. In a usual application that is about 1 MiB.
const (
	knownFingerprints     = 4096
	maxRememberedBondSize = 512
)

// currentFingerprint returns the fingerprint under the current key. Users come
// back with each request, and making theirs takes longer than finding their
// session, so the latest are remembered. All of a bond is the application's: the
// time that comparing it takes tells a client nothing.
func (m *Manager) currentFingerprint(b bond) stores.Digest {
	// The hash of a password, which a user without a stamp is bound to, is not kept
	// in memory.
	remember := b.kind == stampKind && len(b.id)+len(b.stamp) <= maxRememberedBondSize
	if remember {
		if known, ok := m.fingerprints.Get(b); ok {
			return known
		}
	}
	digest := m.fingerprintUnder(0, b)
	if remember {
		b.id, b.stamp = strings.Clone(b.id), strings.Clone(b.stamp) // they may be parts of larger texts
		m.fingerprints.Put(b, digest)
	}
	return digest
}
