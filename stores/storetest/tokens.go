package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Tokens tests an implementation of stores.Tokens, and of stores.Pruner and stores.TokenLimit
// if it implements them.
func Tokens(t *testing.T, factory func(t *testing.T) stores.Tokens) {
	run(t, func(t *testing.T) tokens { return tokens{t, factory(t)} },
		slices.Concat(tokenRules, tokenFamilies, tokenRaces, tokenLimits))
}

// tokens is a store under test. Its methods report errors to the test, so they
// may be called from any goroutine.
type tokens struct {
	*testing.T
	store stores.Tokens
}

// newToken returns a refresh token of user u1 that is valid for an hour, in a family that is
// alive for a day.
func newToken(family string) stores.Token {
	now := present()
	return stores.Token{
		ID:            newID(),
		Family:        family,
		Kind:          stores.Refresh,
		Owner:         "u1",
		Digest:        newDigest(),
		Name:          "laptop",
		Abilities:     []string{"read", "write"},
		Data:          []byte{0, 1, 0xff},
		Created:       now,
		Expires:       now.Add(time.Hour),
		FamilyExpires: now.Add(24 * time.Hour),
	}
}

// memberOf returns another token of t's family.
func memberOf(t stores.Token) stores.Token {
	member := newToken(t.Family)
	member.Owner, member.Kind, member.FamilyExpires = t.Owner, t.Kind, t.FamilyExpires
	return member
}

func (s tokens) create(t stores.Token) {
	s.Helper()
	if ok, err := s.store.Create(s.Context(), t); err != nil || !ok {
		s.Errorf("Create = %v, error %v; want true", ok, err)
	}
}

// created creates a token in a new family.
func (s tokens) created() stores.Token {
	s.Helper()
	t := newToken(newID())
	s.create(t)
	return t
}

// find returns a token, which has to exist.
func (s tokens) find(t stores.Token) stores.Token {
	s.Helper()
	got, found, err := s.store.Find(s.Context(), t.Family, t.ID)
	if err != nil || !found {
		s.Errorf("Find: found %v, error %v, want a token", found, err)
	}
	return got
}

// missing checks that a token does not exist.
func (s tokens) missing(family, id string) {
	s.Helper()
	if _, found, err := s.store.Find(s.Context(), family, id); err != nil || found {
		s.Errorf("Find: found %v, error %v, want no token", found, err)
	}
}

// holds checks that the stored token is equal to want.
func (s tokens) holds(want stores.Token) {
	s.Helper()
	if diff := diffTokens(s.find(want), want); diff != "" {
		s.Errorf("the token differs from what it has to be: %s", diff)
	}
}

func (s tokens) consume(now time.Time, family, id string) bool {
	s.Helper()
	ok, err := s.store.Consume(s.Context(), now, family, id)
	if err != nil {
		s.Errorf("Consume: %v", err)
	}
	return ok
}

// consumes calls Consume and checks the result.
func (s tokens) consumes(now time.Time, t stores.Token, want bool) {
	s.Helper()
	if got := s.consume(now, t.Family, t.ID); got != want {
		s.Errorf("Consume reports %v, want %v", got, want)
	}
}

func (s tokens) rotate(now time.Time, parent string, child stores.Token) stores.Rotated {
	s.Helper()
	r, err := s.store.Rotate(s.Context(), now, parent, child)
	if err != nil {
		s.Errorf("Rotate: %v", err)
	}
	return r
}

// rotates calls Rotate and checks the result.
func (s tokens) rotates(now time.Time, parent string, child stores.Token, want stores.Rotated) {
	s.Helper()
	if got := s.rotate(now, parent, child); got != want {
		s.Errorf("Rotate reports %s, want %s", rotatedName(got), rotatedName(want))
	}
}

func (s tokens) revoke(now time.Time, family string) bool {
	s.Helper()
	alive, err := s.store.RevokeFamily(s.Context(), now, family)
	if err != nil {
		s.Errorf("RevokeFamily: %v", err)
	}
	return alive
}

// revokes calls RevokeFamily and checks the result.
func (s tokens) revokes(now time.Time, family string, want bool) {
	s.Helper()
	if got := s.revoke(now, family); got != want {
		s.Errorf("RevokeFamily reports %v, want %v", got, want)
	}
}

func (s tokens) touch(now time.Time, family, id string) {
	s.Helper()
	if err := s.store.Touch(s.Context(), now, family, id); err != nil {
		s.Errorf("Touch: %v", err)
	}
}

func (s tokens) deliver(now time.Time, family, id string) {
	s.Helper()
	if err := s.store.MarkDelivered(s.Context(), now, family, id); err != nil {
		s.Errorf("MarkDelivered: %v", err)
	}
}

// lists checks the tokens that TokensOf returns, and their order.
func (s tokens) lists(owner string, kinds []stores.Kind, want ...stores.Token) {
	s.Helper()
	got, err := s.store.TokensOf(s.Context(), owner, 1000, kinds...)
	if err != nil || len(got) != len(want) {
		s.Errorf("TokensOf(%q, %q) returns %d tokens, error %v; want %d", owner, kinds, len(got), err, len(want))
		return
	}
	for i := range want {
		if diff := diffTokens(got[i], want[i]); diff != "" {
			s.Errorf("TokensOf(%q, %q): token %d: %s", owner, kinds, i, diff)
		}
	}
}

// dead checks that a token of a revoked family is not valid.
func (s tokens) dead(now time.Time, t stores.Token) {
	s.Helper()
	if s.find(t).FamilyRevoked.IsZero() {
		s.Error("Find returns a token of a revoked family without FamilyRevoked")
	}
	s.consumes(now, t, false)
	s.rotates(now, t.ID, memberOf(t), stores.RotateDead)
}

func rotatedName(r stores.Rotated) string {
	return map[stores.Rotated]string{
		stores.RotateDead: "dead", stores.RotateUsed: "used", stores.RotateDone: "done",
	}[r]
}

// diffTokens returns the fields in which two tokens differ, or "".
func diffTokens(got, want stores.Token) string {
	var diff []string
	add := func(name string, same bool, got, want any) {
		if !same {
			diff = append(diff, fmt.Sprintf("%s is %v, want %v", name, got, want))
		}
	}
	add("ID", got.ID == want.ID, got.ID, want.ID)
	add("Family", got.Family == want.Family, got.Family, want.Family)
	add("Kind", got.Kind == want.Kind, got.Kind, want.Kind)
	add("Owner", got.Owner == want.Owner, got.Owner, want.Owner)
	add("Digest", got.Digest == want.Digest, got.Digest, want.Digest)
	add("Name", got.Name == want.Name, got.Name, want.Name)
	add("Abilities", slices.Equal(got.Abilities, want.Abilities), got.Abilities, want.Abilities)
	add("Data", bytes.Equal(got.Data, want.Data), len(got.Data), len(want.Data))
	add("Created", sameTime(got.Created, want.Created), got.Created, want.Created)
	add("Expires", sameTime(got.Expires, want.Expires), got.Expires, want.Expires)
	add("FamilyExpires", sameTime(got.FamilyExpires, want.FamilyExpires), got.FamilyExpires, want.FamilyExpires)
	add("Consumed", sameTime(got.Consumed, want.Consumed), got.Consumed, want.Consumed)
	add("LastUsed", sameTime(got.LastUsed, want.LastUsed), got.LastUsed, want.LastUsed)
	add("Delivered", sameTime(got.Delivered, want.Delivered), got.Delivered, want.Delivered)
	add("FamilyRevoked", sameTime(got.FamilyRevoked, want.FamilyRevoked), got.FamilyRevoked, want.FamilyRevoked)
	return strings.Join(diff, "; ")
}
