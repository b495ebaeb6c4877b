package storetest

import (
	"time"

	"github.com/ginauth/ginauth/stores"
)

func tokenRotate(s tokens) {
	parent := s.created()
	now := parent.Created.Add(time.Minute)
	child := memberOf(parent)
	child.Expires = now.Add(2 * time.Hour)
	// The root decides when the family expires.
	child.FamilyExpires = parent.FamilyExpires.Add(time.Hour)
	s.rotates(now, parent.ID, child, stores.RotateDone)
	parent.Consumed = now
	child.FamilyExpires = parent.FamilyExpires
	s.holds(parent)
	s.holds(child)

	grandchild := memberOf(parent)
	s.rotates(now.Add(time.Minute), child.ID, grandchild, stores.RotateDone)
	child.Consumed = now.Add(time.Minute)
	s.holds(child)
	s.holds(grandchild)
}

func tokenRotateSpent(s tokens) {
	first := s.created()
	unused, other := memberOf(first), s.created()
	s.create(unused)
	s.consumes(other.Created, other, true)
	other.Consumed = other.Created

	members, now := []stores.Token{first}, first.Created
	for range 3 * stores.MaxRotated {
		parent, child := members[len(members)-1], memberOf(first)
		now = now.Add(time.Second)
		s.rotates(now, parent.ID, child, stores.RotateDone)
		parent.Consumed = now
		s.holds(parent)
		s.holds(child)
		members = append(members, child)
	}
	stored := 0
	for _, member := range members {
		if _, found, err := s.store.Find(s.Context(), member.Family, member.ID); err != nil {
			s.Errorf("Find: %v", err)
		} else if found {
			stored++
		}
	}
	if stored > stores.MaxRotated {
		s.Errorf("a family has %d tokens after %d rotations, want %d or fewer", stored, len(members)-1, stores.MaxRotated)
	}
	s.rotates(now, first.ID, memberOf(first), stores.RotateDead)
	s.holds(unused)
	s.holds(other)
}

func tokenRotateUsed(s tokens) {
	parent, consumed := s.created(), s.created()
	now := parent.Created.Add(time.Minute)
	child := memberOf(parent)
	s.rotates(now, parent.ID, child, stores.RotateDone)
	s.consumes(now, consumed, true)
	parent.Consumed, consumed.Consumed = now, now

	for _, used := range []stores.Token{parent, consumed} {
		late := memberOf(used)
		s.rotates(now.Add(time.Minute), used.ID, late, stores.RotateUsed)
		s.missing(late.Family, late.ID)
		s.holds(used)
	}
	// A child that is derived from its parent has the same id again.
	s.rotates(now.Add(time.Minute), parent.ID, child, stores.RotateUsed)
	s.holds(child)
}

func tokenRotateDead(s tokens) {
	revoked, expired, other := s.created(), newToken(newID()), s.created()
	now := revoked.Created.Add(time.Minute)
	s.revokes(now, revoked.Family, true)
	revoked.FamilyRevoked = now
	expired.Expires = expired.FamilyExpires.Add(time.Hour)
	s.create(expired)

	unknown := stores.Token{ID: newID(), Family: newID()}
	for _, c := range []struct {
		name   string
		now    time.Time
		parent string
		family string
	}{
		{"a revoked family", now, revoked.ID, revoked.Family},
		{"an expired family", expired.FamilyExpires, expired.ID, expired.Family},
		{"an unknown parent", now, unknown.ID, other.Family},
		{"an unknown family", now, unknown.ID, unknown.Family},
		{"a parent of another family", now, other.ID, expired.Family},
		{"a known parent in an unknown family", now, other.ID, unknown.Family},
	} {
		child := newToken(c.family)
		if got := s.rotate(c.now, c.parent, child); got != stores.RotateDead {
			s.Errorf("Rotate in %s reports %s, want dead", c.name, rotatedName(got))
		}
		s.missing(child.Family, child.ID)
	}
	for _, t := range []stores.Token{revoked, expired, other} {
		s.holds(t)
	}
	s.missing(unknown.Family, unknown.ID)
}

func tokenRotateExpired(s tokens) {
	t := s.created()
	for _, now := range []time.Time{t.Expires, t.Expires.Add(time.Hour)} {
		child := memberOf(t)
		s.rotates(now, t.ID, child, stores.RotateDead)
		s.missing(child.Family, child.ID)
	}
	s.holds(t)
	s.rotates(t.Expires.Add(-time.Microsecond), t.ID, memberOf(t), stores.RotateDone)
}

func tokenRotateTaken(s tokens) {
	parent := s.created()
	sibling := memberOf(parent)
	s.create(sibling)
	child := memberOf(parent)
	child.ID = sibling.ID
	if got, err := s.store.Rotate(s.Context(), parent.Created, parent.ID, child); err == nil || got == stores.RotateDone {
		s.Errorf("Rotate to an existing id reports %s, error %v; want an error", rotatedName(got), err)
	}
	s.holds(parent)
	s.holds(sibling)
}
