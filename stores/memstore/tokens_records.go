package memstore

import (
	"time"
	"unique"

	"github.com/ginauth/ginauth/stores"
)

// family is the root record of its members.
type family struct {
	id               id
	member           member // lists the family under its owner
	kind             unique.Handle[stores.Kind]
	expires, revoked int64
	// first is the head of the list of members.
	first    *token
	endingAt int32
	// root is the first member of the family. Most families have no other, so
	// one block of memory and one entry in a map are enough for both. After root
	// was deleted, its field family is nil.
	root token
}

// token is a member of a family.
type token struct {
	id         id
	family     *family
	prev, next *token

	kind      unique.Handle[stores.Kind]
	owner     string
	digest    stores.Digest
	name      string
	abilities []string
	ability   [1]string // the memory of abilities if there is one
	data      []byte

	created, expires, consumed, lastUsed, delivered int64
	expiringAt                                      int32
}

// copyAbilities stores copies of the abilities, which belong to the caller.
func (t *token) copyAbilities(sh *tokenShard, abilities []string) {
	if abilities == nil {
		return
	}
	t.abilities = append(t.ability[:0], abilities...)
	for i, ability := range t.abilities {
		t.abilities[i] = sh.ability(ability)
	}
}

// ends returns when the token expires: with its family at the latest.
func (t *token) ends() int64 { return min(t.expires, t.family.expires) }

// alive reports whether the family is neither revoked nor expired.
func (f *family) alive(now time.Time) bool {
	return f.revoked == 0 && f.expires > micros(now)
}

// revoke revokes a family and reports whether it was alive.
func (sh *tokenShard) revoke(f *family, now time.Time) bool {
	alive := f.alive(now)
	if f.revoked == 0 {
		f.revoked = mark(now)
		sh.noteRevoked(f.id)
	}
	return alive
}

// mark returns the time of an event in microseconds since 1970. It is never 0, which
// means that the event has not happened.
func mark(now time.Time) int64 {
	if us := micros(now); us != 0 {
		return us
	}
	return 1
}

// export returns the token as a stores.Token.
func (t *token) export(family, id string) stores.Token {
	return stores.Token{
		ID:            id,
		Family:        family,
		Kind:          t.kind.Value(),
		Owner:         t.owner,
		Digest:        t.digest,
		Name:          t.name,
		Abilities:     t.abilities,
		Data:          t.data,
		Created:       fromMicros(t.created),
		Expires:       fromMicros(t.expires),
		FamilyExpires: fromMicros(t.family.expires),
		Consumed:      fromMicros(t.consumed),
		LastUsed:      fromMicros(t.lastUsed),
		Delivered:     fromMicros(t.delivered),
		FamilyRevoked: fromMicros(t.family.revoked),
	}
}
