package storetest

import (
	"slices"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var tokenFamilies = []rule[tokens]{
	{"family-root", "The first token of a family creates the root, whose expiry applies to all members.", tokenRoot},
	{"family-revoked", "RevokeFamily reports whether the family was alive. Afterwards no member is valid, and none can be created.", tokenRevoke},
	{"family-found", "Family returns the kind and the owner of a family, whether it is alive, and whether one of its tokens can be used.", tokenFamily},
	{"family-lives", "Lives returns for each family, in the given order, whether it is unknown, alive, or ended.", tokenLives},
	{"family-not-alive", "RevokeFamily of a family that is unknown or has expired reports false and creates nothing.", tokenRevokeNothing},
	{"owner-revoke", "RevokeOwner revokes the owner's families and no others, and returns how many were alive.", tokenRevokeOwner},
	{"owner-revoke-kinds", "RevokeOwner revokes families of the given kinds, except the named family.", tokenRevokeKinds},
	{"owner-revoke-strangers", "Owners are compared byte by byte, so nobody gets the families of another owner.", tokenRevokeStrangers},
	{"owner-list", "TokensOf returns the owner's tokens of the given kinds, the newest first.", tokenList},
	{"owner-list-limit", "TokensOf returns at most as many tokens as it is asked for, and refuses a limit below 1.", tokenListLimit},
	{"owner-list-leaves-out", "TokensOf leaves out consumed tokens and tokens of revoked families.", tokenListLeavesOut},
	{"options", "(lists the optional capabilities that are missing)", func(s tokens) {
		_, pruner := s.store.(stores.Pruner)
		listMissing(s.T, s.store, map[string]bool{"stores.Pruner": pruner})
	}},
	{"prune", "Prune deletes the tokens that expired at or before now and keeps the others.", tokenPrune},
	{"prune-keeps-revocation", "A revoked family stays revoked until it expires itself, also after its tokens were pruned.", tokenPruneRevoked},
}

func tokenRoot(s tokens) {
	first := s.created()
	second := memberOf(first)
	second.FamilyExpires = first.FamilyExpires.Add(24 * time.Hour)
	second.Expires = second.FamilyExpires
	s.create(second)
	second.FamilyExpires = first.FamilyExpires
	s.holds(first)
	s.holds(second)
	s.consumes(first.FamilyExpires, second, false)
	s.revokes(first.FamilyExpires.Add(-time.Microsecond), first.Family, true)
	first.FamilyRevoked = first.FamilyExpires.Add(-time.Microsecond)
	second.FamilyRevoked = first.FamilyRevoked
	s.holds(first)
	s.holds(second)
}

func tokenRevoke(s tokens) {
	t, other := s.created(), s.created()
	used := memberOf(t)
	s.create(used)
	now := t.Created.Add(time.Minute)
	s.consumes(now, used, true)

	s.revokes(now, t.Family, true)
	s.revokes(now.Add(time.Minute), t.Family, false)
	t.FamilyRevoked, used.FamilyRevoked, used.Consumed = now, now, now
	s.holds(t)
	s.holds(used)
	s.dead(now, t)
	s.dead(now, used)

	late := memberOf(t)
	if ok, err := s.store.Create(s.Context(), late); ok || err != nil {
		s.Errorf("Create in a revoked family = %v, error %v; want false", ok, err)
	}
	s.missing(late.Family, late.ID)
	s.holds(other)
	s.consumes(now, other, true)
}

func tokenLives(s tokens) {
	living, revoked, used, never := s.created(), s.created(), s.created(), newID()
	now := living.Created.Add(time.Minute)
	s.revokes(now, revoked.Family, true)
	s.consumes(now, used, true)
	asked := []string{never, revoked.Family, living.Family, "../x", used.Family, revoked.Family, ""}
	s.lives(now, asked, stores.Unknown, stores.Ended, stores.Alive, stores.Unknown, stores.Alive, stores.Ended, stores.Unknown)
	s.lives(living.Expires, []string{living.Family}, stores.Alive)
	s.lives(living.FamilyExpires.Add(-time.Microsecond), []string{living.Family}, stores.Alive)
	s.lives(now, nil)
	lives, err := s.store.Lives(s.Context(), living.FamilyExpires, living.Family)
	if err != nil || len(lives) != 1 || lives[0] == stores.Alive {
		s.Errorf("Lives at the family's end = %v, error %v; want ended, or unknown if it is pruned", lives, err)
	}
}

func tokenFamily(s tokens) {
	first := s.created()
	now := first.Created.Add(time.Minute)
	alive := stores.Family{Kind: first.Kind, Owner: first.Owner, Alive: true}
	usable, ended := alive, alive
	usable.Usable, ended.Alive = true, false
	s.family(now, first.Family, usable)
	child := memberOf(first)
	s.rotates(now, first.ID, child, stores.RotateDone)
	s.family(now, first.Family, usable)
	s.family(child.Expires, first.Family, alive) // its only unused token has expired
	s.consumes(now, child, true)
	s.family(now, first.Family, alive)
	s.create(memberOf(first))
	s.family(now, first.Family, usable)
	s.revokes(now, first.Family, true)
	s.family(now, first.Family, ended)
	for _, name := range []string{newID(), "", "../x"} {
		if f, found, err := s.store.Family(s.Context(), now, name); found || err != nil {
			s.Errorf("Family(%q) = %+v, %v, error %v; want none", name, f, found, err)
		}
	}
}

// family calls Family and checks the result.
func (s tokens) family(now time.Time, name string, want stores.Family) {
	s.Helper()
	if got, found, err := s.store.Family(s.Context(), now, name); got != want || !found || err != nil {
		s.Errorf("Family = %+v, %v, error %v; want %+v", got, found, err, want)
	}
}

// lives calls Lives and checks the result.
func (s tokens) lives(now time.Time, families []string, want ...stores.Life) {
	s.Helper()
	got, err := s.store.Lives(s.Context(), now, families...)
	if err != nil || !slices.Equal(got, want) {
		s.Errorf("Lives(%q) = %v, error %v; want %v", families, got, err, want)
	}
}

func tokenRevokeNothing(s tokens) {
	t := newToken(newID())
	s.revokes(t.Created, t.Family, false)
	s.missing(t.Family, t.ID)
	s.create(t)
	s.holds(t)
	s.revokes(t.FamilyExpires, t.Family, false)
	s.revokes(t.FamilyExpires.Add(time.Hour), t.Family, false)
}

// member creates a token with the given owner and kind in a new family.
func (s tokens) member(owner string, kind stores.Kind, age time.Duration) stores.Token {
	s.Helper()
	t := newToken(newID())
	t.Owner, t.Kind, t.Created = owner, kind, t.Created.Add(-age)
	s.create(t)
	return t
}

// revokesOwner calls RevokeOwner and checks the result.
func (s tokens) revokesOwner(now time.Time, owner, except string, kinds []stores.Kind, want int) {
	s.Helper()
	n, err := s.store.RevokeOwner(s.Context(), now, owner, except, kinds...)
	if err != nil || n != want {
		s.Errorf("RevokeOwner(%q, %q, %q) = %d, error %v; want %d", owner, except, kinds, n, err, want)
	}
}

func tokenRevokeOwner(s tokens) {
	stranger := s.member("u2", stores.Refresh, 0)
	first, second := s.member("u1", stores.Refresh, 0), s.member("u1", stores.Personal, 0)
	child := memberOf(first)
	now := first.Created.Add(time.Minute)
	s.rotates(now, first.ID, child, stores.RotateDone)
	revoked := s.member("u1", stores.Refresh, 0)
	s.revokes(now, revoked.Family, true)
	expired := newToken(newID())
	expired.FamilyExpires = now
	s.create(expired)

	later := now.Add(time.Minute)
	s.revokesOwner(later, "u1", "", nil, 2)
	s.revokesOwner(later, "u1", "", nil, 0)
	s.revokesOwner(later, "u3", "", nil, 0)
	for _, t := range []stores.Token{first, child, second, revoked} {
		s.dead(later, t)
	}
	revoked.FamilyRevoked = now
	s.holds(revoked)
	s.holds(stranger)
	s.lists("u1", []stores.Kind{stores.Personal})
}

func tokenRevokeKinds(s tokens) {
	refresh, remember := s.member("u1", stores.Refresh, 0), s.member("u1", stores.Remember, 0)
	kept, personal := s.member("u1", stores.Refresh, 0), s.member("u1", stores.Personal, 0)
	now := kept.Created.Add(time.Minute)

	s.revokesOwner(now, "u1", kept.Family, []stores.Kind{stores.Reset}, 0)
	s.revokesOwner(now, "u1", kept.Family, []stores.Kind{stores.Refresh, stores.Remember}, 2)
	s.dead(now, refresh)
	s.dead(now, remember)
	s.holds(kept)
	s.holds(personal)
	// The exception is the name of a family, not of a token.
	s.revokesOwner(now, "u1", kept.ID, []stores.Kind{stores.Refresh}, 1)
	s.dead(now, kept)
	s.revokesOwner(now, "u1", personal.Family, nil, 0)
	s.holds(personal)
	s.revokesOwner(now, "u1", newID(), nil, 1)
	s.dead(now, personal)
}

func tokenRevokeStrangers(s tokens) {
	t := s.member("alice", stores.Refresh, 0)
	for _, owner := range append(strangers("alice"), "") {
		if n, err := s.store.RevokeOwner(s.Context(), t.Created, owner, ""); err == nil && n != 0 {
			s.Errorf("RevokeOwner(%q) ended a family of alice", owner)
		}
		if got, err := s.store.TokensOf(s.Context(), owner, 10); err == nil && len(got) > 0 {
			s.Errorf("TokensOf(%q) lists a token of alice", owner)
		}
		s.holds(t)
	}
	s.lists("alice", nil, t)
}

func tokenList(s tokens) {
	third := s.member("u1", stores.Personal, 3*time.Minute)
	first := s.member("u1", stores.Personal, time.Minute)
	second := s.member("u1", stores.Refresh, 2*time.Minute)
	fourth := memberOf(first)
	fourth.Kind, fourth.Created = stores.Personal, first.Created.Add(-time.Hour)
	s.create(fourth)
	stranger := s.member("u2", stores.Personal, 0)

	s.lists("u1", nil, first, second, third, fourth)
	s.lists("u1", []stores.Kind{stores.Personal}, first, third, fourth)
	s.lists("u1", []stores.Kind{stores.Refresh, stores.Personal}, first, second, third, fourth)
	s.lists("u1", []stores.Kind{stores.Reset})
	s.lists("u2", nil, stranger)
	s.lists("u3", nil)
}

func tokenListLimit(s tokens) {
	for range 5 {
		s.created()
	}
	for limit, want := range map[int]int{1: 1, 3: 3, 5: 5, 6: 5} {
		if got, err := s.store.TokensOf(s.Context(), "u1", limit); err != nil || len(got) != want {
			s.Errorf("TokensOf with limit %d returns %d tokens, error %v; want %d", limit, len(got), err, want)
		}
	}
	for _, limit := range []int{0, -1} {
		if got, err := s.store.TokensOf(s.Context(), "u1", limit); err == nil || len(got) > 0 {
			s.Errorf("TokensOf with limit %d returns %d tokens, want an error", limit, len(got))
		}
	}
}

func tokenListLeavesOut(s tokens) {
	parent := s.member("u1", stores.Refresh, time.Minute)
	now := present()
	child := memberOf(parent)
	s.rotates(now, parent.ID, child, stores.RotateDone)
	consumed := s.member("u1", stores.Reset, 0)
	s.consumes(now, consumed, true)
	revoked := s.member("u1", stores.Remember, 0)
	s.revokes(now, revoked.Family, true)
	s.lists("u1", nil, child)
	s.lists("u1", []stores.Kind{stores.Reset, stores.Remember})
}

func tokenPrune(s tokens) {
	pruner := capability[stores.Pruner](s.T, s.store, "stores.Pruner")
	create := func(expires, familyExpires time.Time) stores.Token {
		t := newToken(newID())
		t.Expires, t.FamilyExpires = expires, familyExpires
		s.create(t)
		return t
	}
	now := present().Add(time.Hour)
	day := now.Add(24 * time.Hour)
	live := create(now.Add(time.Microsecond), day)
	dead := []stores.Token{
		create(now, day), create(now.Add(-30*time.Minute), day), create(now, now), create(now.Add(-time.Second), now),
	}
	sibling := memberOf(live)
	sibling.Expires, sibling.FamilyExpires = now, day
	s.create(sibling)
	dead = append(dead, sibling)
	outlives := newToken(newID())
	outlives.Owner, outlives.Expires, outlives.FamilyExpires = "u2", day, now
	s.create(outlives)

	// A store may or may not count a family that it deletes with its tokens.
	if n, err := pruner.Prune(s.Context(), now); err != nil || n < len(dead) {
		s.Errorf("Prune = %d, error %v; want at least %d", n, err, len(dead))
	}
	if n, err := pruner.Prune(s.Context(), now); err != nil || n != 0 {
		s.Errorf("the second Prune = %d, error %v; want 0", n, err)
	}
	for _, t := range dead {
		s.missing(t.Family, t.ID)
	}
	s.consumes(now, outlives, false)
	s.holds(live)
	s.lists("u1", nil, live)
	s.consumes(now, live, true)
}

func tokenPruneRevoked(s tokens) {
	pruner := capability[stores.Pruner](s.T, s.store, "stores.Pruner")
	t := s.created()
	s.revokes(t.Created.Add(time.Minute), t.Family, true)
	if _, err := pruner.Prune(s.Context(), t.Expires); err != nil {
		s.Fatalf("Prune: %v", err)
	}
	s.missing(t.Family, t.ID)
	late := memberOf(t)
	late.Expires = t.FamilyExpires
	if ok, err := s.store.Create(s.Context(), late); ok || err != nil {
		s.Errorf("Create in a revoked family = %v, error %v; want false", ok, err)
	}
	s.missing(late.Family, late.ID)
	s.rotates(t.Expires, t.ID, late, stores.RotateDead)
	s.revokes(t.Expires, t.Family, false)
}
