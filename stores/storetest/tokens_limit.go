package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var tokenLimits = []rule[tokens]{
	{"limit-evict", "CreateLimited deletes the owner's families of the kind that expire first, and reports those that were alive.", tokenLimitEvict},
	{"limit-ended", "CreateLimited deletes families that have ended before those that are alive, and does not report them.", tokenLimitEnded},
	{"limit-refuse", "With Refuse, CreateLimited stores nothing while as many families as the limit are alive.", tokenLimitRefuse},
	{"limit-invalid", "CreateLimited refuses a limit below 1, and a token that exists, and deletes nothing.", tokenLimitInvalid},
	{"limit-deleted", "A family that CreateLimited deleted is unknown, and none of its tokens can be used.", tokenLimitDeleted},
	{"race-token-limit", "Of any number of families that an owner gets in parallel, exactly as many stay as the limit says.", tokenLimitRace},
}

func (s tokens) limited() stores.TokenLimit {
	return capability[stores.TokenLimit](s.T, s.store, "stores.TokenLimit")
}

// ending returns the first token of a new family of user u1 that expires some hours from now.
func ending(hours int) stores.Token {
	t := newToken(newID())
	t.FamilyExpires = t.Created.Add(time.Duration(hours) * time.Hour)
	return t
}

// createsLimited creates a token with a limit and checks which families that ends.
func (s tokens) createsLimited(t stores.Token, limit stores.FamilyLimit, want ...stores.Token) {
	s.Helper()
	created, ended, err := s.limited().CreateLimited(s.Context(), present(), t, limit)
	var families []string
	for _, t := range want {
		families = append(families, t.Family)
	}
	if slices.Sort(ended); err != nil || !created || !slices.Equal(ended, families) {
		s.Errorf("CreateLimited = %v, ends %v, error %v; want true, %v", created, ended, err, families)
	}
}

// living checks which of some families are alive. The others have to be unknown.
func (s tokens) living(families map[string]bool) {
	s.Helper()
	for family, want := range families {
		lives, err := s.store.Lives(s.Context(), present(), family)
		expected := stores.Unknown
		if want {
			expected = stores.Alive
		}
		if err != nil || lives[0] != expected {
			s.Errorf("a family is %v, error %v; want %v", lives, err, expected)
		}
	}
}

func tokenLimitEvict(s tokens) {
	s.limited()
	two := stores.FamilyLimit{Families: 2}
	first, second, third, fourth := ending(5), ending(3), ending(4), ending(2)
	stranger, other := ending(1), ending(1)
	stranger.Owner, other.Kind = "u2", stores.Remember
	s.create(stranger)
	s.create(other)
	s.createsLimited(first, two)
	s.createsLimited(second, two)
	s.createsLimited(third, two, second)
	s.createsLimited(fourth, two, third) // a new family stays, although it expires first
	s.living(map[string]bool{
		first.Family: true, second.Family: false, third.Family: false, fourth.Family: true, stranger.Family: true, other.Family: true,
	})
	if n, err := s.store.RevokeOwner(s.Context(), present(), "u1", "", stores.Refresh); err != nil || n != 2 {
		s.Errorf("RevokeOwner = %d, %v, want 2", n, err)
	}
}

func tokenLimitEnded(s tokens) {
	s.limited()
	two := stores.FamilyLimit{Families: 2}
	early, late, more := ending(2), ending(9), ending(8)
	s.create(early)
	s.create(late)
	s.revokes(present(), late.Family, true)
	s.createsLimited(more, two)
	s.living(map[string]bool{early.Family: true, late.Family: false, more.Family: true})
	// Logins with logouts leave no more than the limit behind.
	for range 5 {
		t := ending(8)
		s.createsLimited(t, stores.FamilyLimit{Families: 3})
		s.revokes(present(), t.Family, true)
	}
	s.living(map[string]bool{early.Family: true, more.Family: true})
}

func tokenLimitRefuse(s tokens) {
	limited := s.limited()
	two := stores.FamilyLimit{Families: 2, Refuse: true}
	first, second, third, fourth := ending(5), ending(3), ending(4), ending(6)
	s.createsLimited(first, two)
	s.createsLimited(second, two)
	created, ended, err := limited.CreateLimited(s.Context(), present(), third, two)
	if created || len(ended) > 0 || !errors.Is(err, stores.ErrLimit) {
		s.Errorf("CreateLimited over the limit = %v, ends %v, error %v; want ErrLimit", created, ended, err)
	}
	s.missing(third.Family, third.ID)
	s.revokes(present(), second.Family, true)
	s.createsLimited(third, two)
	s.living(map[string]bool{first.Family: true, second.Family: false, third.Family: true})
	if _, _, err := limited.CreateLimited(s.Context(), present(), fourth, two); !errors.Is(err, stores.ErrLimit) {
		s.Errorf("CreateLimited over the limit again: %v", err)
	}
	s.createsLimited(fourth, stores.FamilyLimit{Families: 3, Refuse: true})
}

func tokenLimitInvalid(s tokens) {
	limited := s.limited()
	existing, other := ending(1), ending(2)
	s.create(existing)
	s.create(other)
	for name, c := range map[string]struct {
		t     stores.Token
		limit int
	}{"zero": {ending(1), 0}, "negative": {ending(1), -1}, "token that exists": {existing, 1}} {
		if created, ended, err := limited.CreateLimited(s.Context(), present(), c.t, stores.FamilyLimit{Families: c.limit}); created || len(ended) > 0 || err == nil {
			s.Errorf("%s: CreateLimited = %v, ends %v, error %v; want an error", name, created, ended, err)
		}
	}
	s.holds(existing)
	s.holds(other)
}

func tokenLimitDeleted(s tokens) {
	s.limited()
	old := ending(2)
	s.create(old)
	child := memberOf(old)
	s.rotates(present(), old.ID, child, stores.RotateDone)
	s.createsLimited(ending(3), stores.FamilyLimit{Families: 1}, old)
	s.consumes(present(), child, false)
	s.rotates(present(), child.ID, memberOf(old), stores.RotateDead)
	s.revokes(present(), old.Family, false)
	s.missing(old.Family, child.ID)
	if list, err := s.store.TokensOf(s.Context(), "u1", 10); err != nil || len(list) != 1 {
		s.Errorf("TokensOf returns %d tokens, error %v; want 1", len(list), err)
	}
}

func tokenLimitRace(s tokens) {
	limited := s.limited()
	families, limit := 300, 100
	if testing.Short() {
		families, limit = 60, 20
	}
	for _, refuse := range []bool{false, true} {
		owner := fmt.Sprintf("race %v", refuse)
		parallel(families, func(int) {
			t := ending(5) // not even the time says which of them is older
			t.Owner = owner
			_, _, err := limited.CreateLimited(s.Context(), present(), t, stores.FamilyLimit{Families: limit, Refuse: refuse})
			if err != nil && (!refuse || !errors.Is(err, stores.ErrLimit)) {
				s.Errorf("CreateLimited: %v", err)
			}
		})
		if n, err := s.store.RevokeOwner(s.Context(), present(), owner, ""); err != nil || n != limit {
			s.Errorf("after %d families in parallel, with Refuse %v, the owner has %d, error %v; want %d", families, refuse, n, err, limit)
		}
	}
}
