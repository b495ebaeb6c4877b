package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// cookieBackend keeps sessions in their cookies. A session that ended before its time
// is recorded among the tokens, under its row, until no copy of its cookie can be
// opened any more.
type cookieBackend struct {
	codec    stores.ClientSessions
	tokens   stores.Tokens
	sealer   stores.Sealer
	name     string // of the cookie
	idle     time.Duration
	absolute time.Duration
}

// cookieReserve is the part of a cookie's room that is reserved for logins and flash
// marks, in bytes.
const cookieReserve = 512

// endedReserve is how much longer an ended session is remembered than its cookie
// could be opened, for clocks that differ or are set bacb.
const endedReserve = time.Hour

// replaced begins the data of the record of a session that got a new id. The new row follows, and
// the guards whose logins go on under it.
const replaced = "replaced"

// replacedBy returns the data for a session that goes on as another row.
func replacedBy(s stores.Session) string {
	data := replaced + " " + s.Row
	who, _ := parsePrincipals(s.Principals, nil)
	for _, l := range who {
		if l.Kept {
			data += " " + l.guard
		}
	}
	return data
}

// maxReplacements is how many changes of an id are followed to find out whether the session lives.
const maxReplacements = 4

// goesOn returns the session as the id before knew it, with the logins marked that go on under the
// id that replaced it. It returns false if the session has ended meanwhile.
func (b *cookieBackend) goesOn(ctx context.Context, s stores.Session, note stores.Token) (stores.Session, bool, error) {
	who, _ := parsePrincipals(s.Principals, nil)
	for hop := range maxReplacements {
		parts := strings.Fields(string(note.Data))
		if len(parts) < 2 {
			return s, false, nil
		}
		for i := range who {
			who[i].Kept = (hop == 0 || who[i].Kept) && slices.Contains(parts[2:], who[i].guard)
		}
		state, next, err := b.state(ctx, parts[1])
		switch {
		case err != nil || state == idUnknown:
			return s, false, err
		case state == idCurrent:
			s.Principals = who.encode()
			return s, true, nil
		}
		note = next
	}
	return s, false, nil
}

func (b *cookieBackend) load(ctx context.Context, now time.Time, cookie string) (stores.Session, models.Authenticatable, idState, error) {
	s, key, ok := b.codec.Open(b.sealer, now, b.name, cookie)
	if !ok {
		// It may only have expired. The cookie is not deleted: this response may
		// arrive after that of a parallel login and would delete its cookie.
		return stores.Session{}, nil, idUnknown, nil
	}
	state, note, err := b.state(ctx, s.Row)
	s.Renamed = note.Created
	if state == idReplaced {
		var alive bool
		if s, alive, err = b.goesOn(ctx, s, note); !alive {
			state = idUnknown
		}
	}
	if state == idCurrent && key > 0 {
		state = idOldKey
	}
	return s, nil, state, err
}

// state returns what became of a session, and the record of it.
func (b *cookieBackend) state(ctx context.Context, row string) (idState, stores.Token, error) {
	note, found, err := b.tokens.Find(ctx, row, row)
	switch {
	case err != nil:
		return idUnknown, note, err
	case !found:
		return idCurrent, note, nil
	case note.Kind == stores.Revoked && strings.HasPrefix(string(note.Data), replaced):
		return idReplaced, note, nil
	}
	return idUnknown, note, nil
}

func (b *cookieBackend) find(context.Context, string) (stores.Session, bool, error) {
	return stores.Session{}, false, fmt.Errorf("ginauth: find a session that lives in its cookie: %w", errors.ErrUnsupported)
}

// nextRow returns a new row for each id, so that the former one can be ended alone.
func (b *cookieBackend) nextRow(string) string { return newRow() }

func (b *cookieBackend) create(ctx context.Context, s stores.Session, id *secretID) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err // the client disconnected and would not receive the session
	}
	return b.cookie(s, id)
}

// update seals before it asks or records anything, so that a session that does not
// fit stays as it was.
func (b *cookieBackend) update(
	ctx context.Context, s stores.Session, d stores.Delta, id *secretID,
) (stores.Outcome, string, error) {
	changed := withDelta(s, d)
	if id != nil {
		changed.Row = id.row
	}
	cookie, err := b.cookie(changed, id)
	if err != nil {
		return stores.Gone, "", err
	}
	var outcome stores.Outcome
	if d.Rename != nil && d.Rename.New != d.Rename.Old {
		outcome, err = b.record(ctx, d.Rename.At, s, replacedBy(changed))
	} else {
		outcome, err = b.outcome(ctx, s.Row)
	}
	if err != nil || outcome != stores.Updated {
		return outcome, "", err
	}
	return outcome, cookie, nil
}

// withDelta returns a session changed by a delta.
func withDelta(s stores.Session, d stores.Delta) stores.Session {
	s.Values = s.Values.With(d)
	if !d.LastSeen.IsZero() {
		s.LastSeen = d.LastSeen
	}
	if !d.Expires.IsZero() {
		s.Expires = d.Expires
	}
	if p := d.Principals; p != nil {
		s.Principals, s.Owners, s.Generation = p.Data, p.Owners, p.Generation
	}
	if d.Rename != nil {
		s.Digest = d.Rename.New
	}
	return s
}

// outcome checks again whether a session may be changed: it may have ended since it
// was loaded.
func (b *cookieBackend) outcome(ctx context.Context, row string) (stores.Outcome, error) {
	state, _, err := b.state(ctx, row)
	switch {
	case err != nil || state == idUnknown:
		return stores.Gone, err
	case state == idReplaced:
		return stores.Stale, nil
	}
	return stores.Updated, nil
}

func (b *cookieBackend) cookie(s stores.Session, _ *secretID) (string, error) {
	return b.codec.Seal(b.sealer, b.name, s)
}

func (b *cookieBackend) end(ctx context.Context, now time.Time, s stores.Session) (stores.Outcome, error) {
	outcome, err := b.record(ctx, now, s, "")
	if outcome == stores.Updated {
		outcome = stores.Gone
	}
	return outcome, err
}

func (b *cookieBackend) endUnreplaced(ctx context.Context, now time.Time, s stores.Session) (stores.Outcome, error) {
	return b.end(ctx, now, s)
}

// record records that a session has ended. Of any number of parallel calls for one
// session exactly one gets Updated. The others get the outcome of that one.
func (b *cookieBackend) record(ctx context.Context, now time.Time, s stores.Session, how string) (stores.Outcome, error) {
	until := b.until(now, s)
	created, err := b.tokens.Create(ctx, stores.Token{
		// No owner: an ended session is not listed among a user's devices.
		ID: s.Row, Family: s.Row, Kind: stores.Revoked, Data: []byte(how),
		Created: now, Expires: until, FamilyExpires: until,
	})
	switch {
	case err == nil && created:
		return stores.Updated, nil
	case err != nil && !errors.Is(err, stores.ErrExists):
		return stores.Gone, err
	}
	outcome, err := b.outcome(ctx, s.Row)
	if err == nil && outcome == stores.Updated {
		err = fmt.Errorf("%w: session %s was recorded as ended, and is not", stores.ErrCorrupt, s.Row)
	}
	return outcome, err
}

// until returns how long a session has to be recorded as ended. No copy of its cookie
// opens for longer than the idle timeout. A session with a login is recorded until
// its absolute timeout as well, in case a copy was sealed while the idle timeout was
// longer. Anonymous sessions, of which a client can make any number, are not.
func (b *cookieBackend) until(now time.Time, s stores.Session) time.Time {
	until := now.Add(b.idle)
	if end := beganOf(&s).Add(b.absolute); len(s.Owners) > 0 && end.After(until) {
		until = end
	}
	return until.Add(endedReserve)
}

func (b *cookieBackend) room() int { return b.codec.Room(b.name) - cookieReserve }
