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
	// root is the member that the family was created with: for most there is no
	// other, and one block of memory and one entry of a map do for both. Its
	// family is nil once it was dropped.
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
	ability   [1]string // where abilities are if there is one
	data      []byte

	created, expires, consumed, lastUsed int64
	expiringAt                           int32
}

// copyAbilities keeps no hold on the caller's slice or texts.
func (t *token) copyAbilities(sh *tokenShard, abilities []string) {
	if abilities == nil {
		return
	}
	t.abilities = append(t.ability[:0], abilities...)
	for i, ability := range t.abilities {
		t.abilities[i] = sh.ability(ability)
	}
}

// ends returns when the token may be dropped: no member outlives its family.
func (t *token) ends() int64 { return min(t.expires, t.family.expires) }

// alive reports whether the family's members may live.
func (f *family) alive(now time.Time) bool {
	return f.revoked == 0 && f.expires > micros(now)
}

// revoke ends the family and reports whether it was alive.
func (f *family) revoke(now time.Time) bool {
	alive := f.alive(now)
	if f.revoked == 0 {
		f.revoked = mark(now)
	}
	return alive
}

// mark returns the time of an event, which is never 0: that says that it has
// not happened.
func mark(now time.Time) int64 {
	if us := micros(now); us != 0 {
		return us
	}
	return 1
}

// export returns the token as callers see it.
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
		FamilyRevoked: fromMicros(t.family.revoked),
	}
}
