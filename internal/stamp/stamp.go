// Package stamp binds what is issued to a user to the user's security stamp. A
// session, a token or a link carries the fingerprint of the stamp: when the stamp
// changes, none of them fits any more.
package stamp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"strings"

	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/recent"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Purpose says what a fingerprint is for. A fingerprint for one purpose does not fit
// another.
type Purpose string

// The purposes. The access tokens of each guard have a purpose of their own, which
// begins with Access.
const (
	Session  Purpose = "session"
	Device   Purpose = "device"
	Access   Purpose = "access"
	Refresh  Purpose = "refresh"
	Remember Purpose = "remember"
	Reset    Purpose = "reset"
	Email    Purpose = "email"
	Personal Purpose = "personal"
	Pending  Purpose = "pending"
	OneTime  Purpose = "onetime"
	Trusted  Purpose = "trusted"
)

// kindStamp marks a fingerprint of a security stamp, as opposed to one of a password
// hash.
const kindStamp = "stamp"

// Of returns what everything that is issued to a user is bound to: the security
// stamp, or the password hash if the user's type has no stamp.
func Of(u models.Authenticatable) (kind, stamp string) {
	if s, ok := u.(models.Stamped); ok {
		return kindStamp, s.AuthStamp()
	}
	return "password", u.AuthPassword()
}

// Value returns the stamp of a user, or the password hash if there is none.
func Value(u models.Authenticatable) string {
	_, stamp := Of(u)
	return stamp
}

// Next returns a new stamp of a user, for a provider to store. Its models.Birth is that of the
// current stamp.
func Next(u models.Authenticatable) string {
	if birth := models.Birth(u); birth != "" {
		return birth + "." + rand.Text()
	}
	return rand.Text()
}

// Birth returns a digest of what a user does not share with a later one of the same realm and
// identifier, or false if the user's type has no stamp or the stamp is empty. It needs no key,
// so that it outlives the application's keys: stamps are random.
func Birth(realm, id string, u models.Authenticatable) (sum stores.Digest, ok bool) {
	birth := models.Birth(u)
	if birth == "" {
		return sum, false
	}
	var room [256]byte
	text := append(room[:0], "ginauth birth"...)
	for _, part := range [...]string{realm, id, birth} { // with lengths, so that no parts can be taken for others
		text = append(binary.AppendUvarint(text, uint64(len(part))), part...)
	}
	return sha256.Sum256(text), true
}

// Usable reports whether something can be bound to the user. An empty stamp is shared
// by all users that have none, so nothing can.
func Usable(u models.Authenticatable) bool {
	kind, stamp := Of(u)
	return kind != kindStamp || stamp != ""
}

// Same reports, in constant time, whether a user loaded twice has the same stamp.
func Same(before, now models.Authenticatable) bool {
	kind, stamp := Of(before)
	kindNow, stampNow := Of(now)
	return kind == kindNow && subtle.ConstantTimeCompare([]byte(stamp), []byte(stampNow)) == 1
}

// binding is what a fingerprint is made of.
type binding struct {
	purpose                Purpose
	realm, id, kind, value string
}

func bindingOf(p Purpose, realm, id string, u models.Authenticatable) binding {
	kind, stamp := Of(u)
	return binding{p, realm, id, kind, stamp}
}

// Bounds of the cache of fingerprints: at most so many, of at most so many bytes each.
const (
	maxKnown     = 4096
	maxKnownSize = 512
)

// Binder makes and checks fingerprints. It is safe for concurrent use.
type Binder struct {
	keys keys.Subkeys
	// known remembers the latest fingerprints under the current key. Users come
	// back with each request, and a fingerprint takes longer to make than a session
	// takes to load.
	known *recent.Results[binding, stores.Digest]
}

// New returns a Binder that uses the first key and still accepts the others.
func New(k keys.Subkeys) *Binder {
	return &Binder{keys: k, known: recent.New[binding, stores.Digest](maxKnown)}
}

// Sum returns the fingerprint of a user's stamp. The identifier is a parameter
// because making it costs memory in each request.
func (b *Binder) Sum(p Purpose, realm, id string, u models.Authenticatable) stores.Digest {
	return b.current(bindingOf(p, realm, id, u))
}

// Check compares a fingerprint with the user's stamp, in constant time. It returns the
// number of the key that fits: 0 is the current key.
func (b *Binder) Check(p Purpose, realm, id string, u models.Authenticatable, sum []byte) (key int, ok bool) {
	bound := bindingOf(p, realm, id, u)
	if bound.kind == kindStamp && bound.value == "" {
		return 0, false // all users without a stamp share the empty one
	}
	if current := b.current(bound); subtle.ConstantTimeCompare(sum, current[:]) == 1 {
		return 0, true
	}
	// To stop at the first match tells how old the key is, which is no secret.
	for key := 1; key < b.keys.Len(); key++ {
		if old := b.under(key, bound); subtle.ConstantTimeCompare(sum, old[:]) == 1 {
			return key, true
		}
	}
	return -1, false
}

func (b *Binder) under(key int, of binding) stores.Digest {
	return b.keys.MACUnder(key,
		[]byte(of.purpose), []byte(of.realm), []byte(of.id), []byte(of.kind), []byte(of.value))
}

// current returns the fingerprint under the current key. The whole binding comes from
// the application, so the time of the look-up tells a client nothing.
func (b *Binder) current(of binding) stores.Digest {
	// A password hash, which stands in for a missing stamp, is not kept in memory.
	remember := of.kind == kindStamp && len(of.id)+len(of.value) <= maxKnownSize
	if remember {
		if sum, ok := b.known.Get(of); ok {
			return sum
		}
	}
	sum := b.under(0, of)
	if remember {
		of.id, of.value = strings.Clone(of.id), strings.Clone(of.value) // they may be parts of larger texts
		b.known.Put(of, sum)
	}
	return sum
}
