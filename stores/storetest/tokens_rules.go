package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var tokenRules = []rule[tokens]{
	{"create-round-trip", "Find returns every field as it was created, except FamilyRevoked.", tokenRoundTrip},
	{"create-exists", "Create of an id that exists returns ErrExists and changes nothing.", tokenExists},
	{"create-retains-nothing", "The caller may change the slices of a token after Create.", tokenRetains},
	{"find-unknown", "Find needs both the family and the id of a token.", tokenUnknown},
	{"consume", "Consume returns true once, and stores the time.", tokenConsume},
	{"consume-expired", "A token is not consumed at or after its expiry or that of its family.", tokenConsumeExpired},
	{"consume-revoked", "A token of a revoked family is not consumed.", tokenConsumeRevoked},
	{"rotate", "Rotate consumes the parent and stores the child.", tokenRotate},
	{"rotate-spent", "A family that is rotated often keeps at most MaxRotated tokens. Rotate deletes only tokens that were consumed before.", tokenRotateSpent},
	{"rotate-used", "Rotate of a consumed parent reports RotateUsed and stores no child.", tokenRotateUsed},
	{"rotate-dead", "Rotate reports RotateDead and changes nothing if the family is revoked or expired, or the parent is of another family.", tokenRotateDead},
	{"rotate-expired", "Rotate of an expired parent reports RotateDead.", tokenRotateExpired},
	{"rotate-taken", "A Rotate whose child cannot be stored returns an error and does not change the parent.", tokenRotateTaken},
	{"touch", "Touch changes LastUsed and nothing else.", tokenTouch},
	{"delivered", "MarkDelivered sets Delivered once, and changes nothing else.", tokenDelivered},
	{"names", "A name that was not created, whatever it contains, finds no token and changes none.", tokenNames},
	{"context", "If the context has ended, every method returns an error that wraps the context's error, and changes nothing.", tokenContext},
}

func tokenRoundTrip(s tokens) {
	full := newToken(newID())
	full.Kind = stores.Personal
	full.Owner = "user:ä/1"
	full.Name = "Büro 🗝 '\"\\%" + strings.Repeat("é", 100)
	full.Abilities = []string{"posts:read", "*", "", "a,b", `"q"\`, "日本"}
	full.Data = randomBytes(4096)
	full.Consumed = full.Created.Add(time.Second)
	full.LastUsed = full.Created.Add(2*time.Second + time.Microsecond)
	full.Delivered = full.Created.Add(3*time.Second + time.Microsecond)
	s.create(full)
	bare := newToken(newID())
	bare.Name, bare.Abilities, bare.Data = "", nil, nil
	s.create(bare)

	given := newToken(newID())
	given.FamilyRevoked = present()
	s.create(given)
	given.FamilyRevoked = time.Time{}

	// A record that something ended, such as a session in a cookie: it has no owner
	// and no secret, and is the only token of a family with its own name.
	note := stores.Token{ID: newID(), Kind: stores.Revoked, Created: present(), Expires: present().Add(time.Hour)}
	note.Family, note.FamilyExpires = note.ID, note.Expires
	s.create(note)

	for _, want := range []stores.Token{full, bare, given, note} {
		s.holds(want)
	}
	for _, kind := range []stores.Kind{stores.Refresh, stores.Remember, stores.Reset, stores.Personal, stores.Revoked} {
		t := newToken(newID())
		t.Kind = kind
		s.create(t)
		s.holds(t)
	}
}

func tokenExists(s tokens) {
	first := s.created()
	again := memberOf(first)
	again.ID = first.ID
	for _, t := range []stores.Token{again, first} {
		if ok, err := s.store.Create(s.Context(), t); ok || !errors.Is(err, stores.ErrExists) {
			s.Errorf("Create of an existing id = %v, error %v; want ErrExists", ok, err)
		}
	}
	s.holds(first)
}

func tokenRetains(s tokens) {
	t := newToken(newID())
	child := memberOf(t)
	want, wantChild := t, child
	want.Abilities, want.Data = slices.Clone(t.Abilities), slices.Clone(t.Data)
	wantChild.Abilities, wantChild.Data = slices.Clone(child.Abilities), slices.Clone(child.Data)

	s.create(t)
	s.rotates(t.Created, t.ID, child, stores.RotateDone)
	for _, given := range []stores.Token{t, child} {
		given.Abilities[0], given.Data[0] = "admin", 0xee
	}
	want.Consumed = t.Created
	s.holds(want)
	s.holds(wantChild)
}

func tokenUnknown(s tokens) {
	t, other := s.created(), s.created()
	s.missing(newID(), newID())
	s.missing(t.Family, newID())
	s.missing(newID(), t.ID)
	s.missing(other.Family, t.ID)
	s.missing(t.ID, t.Family)
	s.holds(t)
}

func tokenConsume(s tokens) {
	t, other := s.created(), s.created()
	now := t.Created.Add(time.Minute)
	for name, got := range map[string]bool{
		"an unknown token":     s.consume(now, newID(), newID()),
		"an unknown id":        s.consume(now, t.Family, newID()),
		"another's family":     s.consume(now, other.Family, t.ID),
		"family and id turned": s.consume(now, t.ID, t.Family),
	} {
		if got {
			s.Errorf("Consume of %s reports true", name)
		}
	}
	s.holds(t)
	s.consumes(now, t, true)
	s.consumes(now, t, false)
	s.consumes(now.Add(time.Minute), t, false)
	t.Consumed = now
	s.holds(t)
	s.holds(other)
}

func tokenConsumeExpired(s tokens) {
	own := s.created()
	s.consumes(own.Expires, own, false)
	s.consumes(own.Expires.Add(time.Hour), own, false)
	s.holds(own)
	s.consumes(own.Expires.Add(-time.Microsecond), own, true)

	outlives := newToken(newID())
	outlives.Expires = outlives.FamilyExpires.Add(time.Hour)
	s.create(outlives)
	s.consumes(outlives.FamilyExpires, outlives, false)
	s.holds(outlives)
	s.consumes(outlives.FamilyExpires.Add(-time.Microsecond), outlives, true)
}

func tokenConsumeRevoked(s tokens) {
	t := s.created()
	now := t.Created.Add(time.Minute)
	s.revokes(now, t.Family, true)
	s.consumes(now, t, false)
	s.consumes(now.Add(-time.Second), t, false)
	t.FamilyRevoked = now
	s.holds(t)
}

func tokenTouch(s tokens) {
	t, other := s.created(), s.created()
	for _, after := range []time.Duration{time.Minute, time.Minute, time.Hour} {
		t.LastUsed = t.Created.Add(after)
		s.touch(t.LastUsed, t.Family, t.ID)
		s.holds(t)
	}
	unknown := newID()
	s.touch(t.LastUsed.Add(time.Hour), t.Family, unknown)
	s.touch(t.LastUsed.Add(time.Hour), other.Family, t.ID)
	s.touch(t.LastUsed.Add(time.Hour), unknown, unknown)
	s.missing(t.Family, unknown)
	s.missing(other.Family, t.ID)
	s.missing(unknown, unknown)
	s.holds(t)
	s.holds(other)
}

func tokenDelivered(s tokens) {
	first, other := s.created(), s.created()
	child := memberOf(first)
	now := first.Created.Add(time.Minute)
	s.rotates(now, first.ID, child, stores.RotateDone)
	first.Consumed = now
	for _, t := range []*stores.Token{&child, &first} { // a consumed token can be marked as well
		t.Delivered = now
		for _, after := range []time.Duration{0, -time.Second, time.Hour} {
			s.deliver(now.Add(after), t.Family, t.ID)
			s.holds(*t)
		}
	}
	unknown := newID()
	s.deliver(now, first.Family, unknown)
	s.deliver(now, other.Family, child.ID)
	s.deliver(now, unknown, unknown)
	s.missing(first.Family, unknown)
	s.missing(other.Family, child.ID)
	s.missing(unknown, unknown)
	s.holds(first)
	s.holds(other)

	given := memberOf(child)
	given.Delivered = now.Add(time.Second)
	s.rotates(now, child.ID, given, stores.RotateDone)
	s.deliver(now.Add(time.Hour), given.Family, given.ID)
	s.holds(given)
}

func tokenNames(s tokens) {
	t := s.created()
	ctx, now := s.Context(), t.Created.Add(time.Minute)
	for i, name := range slices.Concat(hostileNames(t.ID), hostileNames(t.Family)) {
		family, id := t.Family, name
		if i%2 == 1 {
			family, id = name, t.ID
		}
		if _, found, _ := s.store.Find(ctx, family, id); found {
			s.Errorf("Find(%.40q, %.40q) found a token", family, id)
		}
		if ok, _ := s.store.Consume(ctx, now, family, id); ok {
			s.Errorf("Consume(%.40q, %.40q) reports true", family, id)
		}
		if r, err := s.store.Rotate(ctx, now, id, newToken(family)); err == nil && r != stores.RotateDead {
			s.Errorf("Rotate(%.40q) in family %.40q reports %s", id, family, rotatedName(r))
		}
		if alive, _ := s.store.RevokeFamily(ctx, now, name); alive {
			s.Errorf("RevokeFamily(%.40q) reports that it was alive", name)
		}
		_ = s.store.Touch(ctx, now, family, id) // which may refuse the name
		_ = s.store.MarkDelivered(ctx, now, family, id)
		s.holds(t)
	}
}

func tokenContext(s tokens) {
	t, child, fresh := s.created(), newToken(newID()), newToken(newID())
	child.Family = t.Family
	now := t.Created.Add(time.Minute)
	calls := []call{
		{"Create", func(ctx context.Context) error { _, err := s.store.Create(ctx, fresh); return err }},
		{"Find", func(ctx context.Context) error { _, _, err := s.store.Find(ctx, t.Family, t.ID); return err }},
		{"Lives", func(ctx context.Context) error { _, err := s.store.Lives(ctx, t.Created, t.Family); return err }},
		{"Consume", func(ctx context.Context) error { _, err := s.store.Consume(ctx, now, t.Family, t.ID); return err }},
		{"Rotate", func(ctx context.Context) error { _, err := s.store.Rotate(ctx, now, t.ID, child); return err }},
		{"RevokeFamily", func(ctx context.Context) error { _, err := s.store.RevokeFamily(ctx, now, t.Family); return err }},
		{"RevokeOwner", func(ctx context.Context) error { _, err := s.store.RevokeOwner(ctx, now, "u1", ""); return err }},
		{"TokensOf", func(ctx context.Context) error { _, err := s.store.TokensOf(ctx, "u1", 10); return err }},
		{"Touch", func(ctx context.Context) error { return s.store.Touch(ctx, now, t.Family, t.ID) }},
		{"MarkDelivered", func(ctx context.Context) error { return s.store.MarkDelivered(ctx, now, t.Family, t.ID) }},
	}
	if pruner, ok := s.store.(stores.Pruner); ok {
		calls = append(calls, call{"Prune", func(ctx context.Context) error {
			_, err := pruner.Prune(ctx, t.FamilyExpires.Add(time.Hour))
			return err
		}})
	}
	refusesEnded(s.T, calls)
	s.holds(t)
	s.missing(child.Family, child.ID)
	s.missing(fresh.Family, fresh.ID)
}
