package storetest

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// tries is the number of parallel calls for one token.
const tries = 200

var tokenRaces = []rule[tokens]{
	{"race-create", "Of parallel Creates of one id exactly one succeeds. Parallel first tokens of a family all succeed.", tokenRaceCreate},
	{"race-consume", "Of parallel Consumes of one token exactly one returns true.", tokenRaceConsume},
	{"race-rotate", "Of parallel rotations of one parent exactly one is done, and there is exactly one child.", tokenRaceRotate},
	{"race-rotate-derived", "The same holds if all rotations have the same child.", tokenRaceDerived},
	{"race-consume-rotate", "Of parallel Consumes and Rotates of one token exactly one succeeds.", tokenRaceConsumeRotate},
	{"race-touch", "A Touch does not undo a parallel Consume or revocation.", tokenRaceTouch},
	{"race-delivered", "Of parallel calls of MarkDelivered one sets Delivered. None of them undoes a parallel Touch, Consume or revocation.", tokenRaceDelivered},
	{"race-revoke-once", "Of parallel revocations of a family exactly one reports that it was alive.", tokenRaceRevokeOnce},
	{"race-revoke-rotate", "A family that is revoked during rotations has no valid token afterwards.", tokenRaceRevoke},
	{"race-revoke-owner", "A family that RevokeOwner revokes during rotations has no valid token afterwards.", tokenRaceRevokeOwner},
	{"race-revoke-create", "A family that is revoked while tokens are created in it has no valid token afterwards.", tokenRaceRevokeCreate},
}

func tokenRaceCreate(s tokens) {
	t := newToken(newID())
	var won atomic.Int64
	parallel(20, func(int) {
		switch ok, err := s.store.Create(s.Context(), t); {
		case ok && err == nil:
			won.Add(1)
		case !errors.Is(err, stores.ErrExists):
			s.Errorf("Create = %v, error %v; want ErrExists", ok, err)
		}
	})
	if won.Load() != 1 {
		s.Errorf("%d of 20 Creates of one id succeeded, want 1", won.Load())
	}
	s.holds(t)

	family := newID()
	members := make([]stores.Token, 20)
	parallel(len(members), func(i int) {
		members[i] = newToken(family)
		members[i].FamilyExpires = t.FamilyExpires
		s.create(members[i])
	})
	for _, member := range members {
		s.holds(member)
	}
}

func tokenRaceConsume(s tokens) {
	t := s.created()
	var won atomic.Int64
	parallel(tries, func(int) {
		if s.consume(t.Created, t.Family, t.ID) {
			won.Add(1)
		}
	})
	if won.Load() != 1 {
		s.Errorf("%d of %d Consumes report true, want 1", won.Load(), tries)
	}
}

// rotateAll rotates the parent to every child in parallel. It checks that one rotation
// succeeds and that the others report RotateUsed.
func rotateAll(s tokens, parent stores.Token, children []stores.Token) {
	var done, used atomic.Int64
	parallel(len(children), func(i int) {
		switch s.rotate(parent.Created, parent.ID, children[i]) {
		case stores.RotateDone:
			done.Add(1)
		case stores.RotateUsed:
			used.Add(1)
		}
	})
	if done.Load() != 1 || used.Load() != int64(len(children)-1) {
		s.Errorf("%d rotations are done and %d report used, want 1 and %d", done.Load(), used.Load(), len(children)-1)
	}
}

func tokenRaceRotate(s tokens) {
	parent := s.created()
	children := make([]stores.Token, tries)
	for i := range children {
		children[i] = memberOf(parent)
	}
	rotateAll(s, parent, children)
	stored := 0
	for _, child := range children {
		if _, found, err := s.store.Find(s.Context(), child.Family, child.ID); err != nil {
			s.Errorf("Find: %v", err)
		} else if found {
			stored++
		}
	}
	if stored != 1 {
		s.Errorf("%d children of one parent are stored, want 1", stored)
	}
}

func tokenRaceDerived(s tokens) {
	parent := s.created()
	child := memberOf(parent)
	children := make([]stores.Token, tries)
	for i := range children {
		children[i] = child
	}
	rotateAll(s, parent, children)
	child.FamilyExpires = parent.FamilyExpires
	s.holds(child)
	s.consumes(child.Created, child, true)
}

func tokenRaceConsumeRotate(s tokens) {
	for range rounds(20) {
		t := s.created()
		var won atomic.Int64
		parallel(8, func(i int) {
			if i%2 == 0 && s.consume(t.Created, t.Family, t.ID) {
				won.Add(1)
			}
			if i%2 == 1 && s.rotate(t.Created, t.ID, memberOf(t)) == stores.RotateDone {
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			s.Errorf("the token was used up %d times, want 1", won.Load())
		}
	}
}

func tokenRaceTouch(s tokens) {
	for range rounds(10) {
		t := s.created()
		now := t.Created.Add(time.Minute)
		beside := func(change func()) {
			parallel(6, func(i int) {
				if i == 3 {
					change()
				} else {
					s.touch(now, t.Family, t.ID)
				}
			})
		}
		beside(func() { s.consumes(now, t, true) })
		beside(func() { s.revokes(now, t.Family, true) })
		t.Consumed, t.LastUsed, t.FamilyRevoked = now, now, now
		s.holds(t)
	}
}

func tokenRaceDelivered(s tokens) {
	for n := range rounds(10) {
		t := s.created()
		now := t.Created.Add(time.Minute)
		want := t
		want.LastUsed = now
		seen := make([]time.Time, 6)
		parallel(len(seen)+2, func(i int) {
			switch {
			case i < len(seen):
				s.deliver(now.Add(time.Duration(i)*time.Second), t.Family, t.ID)
				seen[i] = s.find(t).Delivered
			case i == len(seen):
				s.touch(now, t.Family, t.ID)
			case n%2 == 0:
				s.consumes(now, t, true)
				want.Consumed = now
			default:
				s.revokes(now, t.Family, true)
				want.FamilyRevoked = now
			}
		})
		if want.Delivered = seen[0]; want.Delivered.IsZero() {
			s.Error("MarkDelivered did not set Delivered")
		}
		for _, at := range seen {
			if !sameTime(at, want.Delivered) {
				s.Errorf("Delivered is %v after one call and %v after another", at, want.Delivered)
			}
		}
		s.holds(want)
	}
}

func tokenRaceRevokeOnce(s tokens) {
	for range rounds(10) {
		t := s.created()
		var alive atomic.Int64
		parallel(10, func(int) {
			if s.revoke(t.Created, t.Family) {
				alive.Add(1)
			}
		})
		if alive.Load() != 1 {
			s.Errorf("%d of 10 revocations report that the family was alive, want 1", alive.Load())
		}
	}
}

// raceRevoke rotates a token twice while revoke revokes its family, and checks that no token
// is valid afterwards.
func raceRevoke(s tokens, revoke func(t stores.Token)) {
	t, owner := newToken(newID()), newID()
	t.Owner = owner
	s.create(t)
	child, grandchild := memberOf(t), memberOf(t)
	child.Owner, grandchild.Owner = owner, owner
	born := []stores.Token{t}
	parallel(2, func(i int) {
		if i == 0 {
			revoke(t)
			return
		}
		if s.rotate(t.Created, t.ID, child) != stores.RotateDone {
			return
		}
		born = append(born, child)
		if s.rotate(t.Created, child.ID, grandchild) == stores.RotateDone {
			born = []stores.Token{child, grandchild} // t may be deleted
		}
	})
	for _, member := range born {
		s.dead(t.Created, member)
	}
	if born[len(born)-1].ID != grandchild.ID {
		s.missing(grandchild.Family, grandchild.ID)
	}
	s.lists(owner, nil)
}

func tokenRaceRevoke(s tokens) {
	for range rounds(200) {
		raceRevoke(s, func(t stores.Token) { s.revokes(t.Created, t.Family, true) })
	}
}

func tokenRaceRevokeOwner(s tokens) {
	for range rounds(100) {
		raceRevoke(s, func(t stores.Token) { s.revokesOwner(t.Created, t.Owner, "", nil, 1) })
	}
}

func tokenRaceRevokeCreate(s tokens) {
	for range rounds(40) {
		t := s.created()
		late := make([]stores.Token, 4)
		var stored [4]bool
		parallel(len(late)+1, func(i int) {
			if i == len(late) {
				s.revokes(t.Created, t.Family, true)
				return
			}
			var err error
			late[i] = memberOf(t)
			if stored[i], err = s.store.Create(s.Context(), late[i]); err != nil {
				s.Errorf("Create: %v", err)
			}
		})
		s.dead(t.Created, t)
		for i, member := range late {
			if stored[i] {
				s.dead(t.Created, member)
			} else {
				s.missing(member.Family, member.ID)
			}
		}
	}
}
