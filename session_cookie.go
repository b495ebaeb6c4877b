package ginauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// cookieKeeper keeps sessions in their cookies. What has ended before its time is
// remembered among the tokens: a session is found there under its row from then
// on until no copy of its cookie can be opened any more.
type cookieKeeper struct {
	carrier  stores.ClientSessions
	tokens   stores.Tokens
	sealer   stores.Sealer
	name     string // of the cookie
	idle     time.Duration
	absolute time.Duration
}

// cookieReserve is the part of a cookie's room that is kept for logins and flash
// marks, in bytes.
const cookieReserve = 512

// endedReserve is how much longer an ended session is remembered than its cookie
// could be opened, for clocks that differ or are set back.
const endedReserve = time.Hour

// replaced is the data of the note on a session that got a new id.
const replaced = "replaced"

func (k *cookieKeeper) load(ctx context.Context, now time.Time, cookie string) (stores.Session, idState, error) {
	s, key, ok := k.carrier.Open(k.sealer, now, k.name, cookie)
	if !ok {
		// Perhaps it has only expired. It is not deleted: the answer may come
		// after that of a login, whose cookie it would be.
		return stores.Session{}, idUnknown, nil
	}
	state, at, err := k.state(ctx, s.Row)
	s.Renamed = at
	if state == idCurrent && key > 0 {
		state = idOldKey
	}
	return s, state, err
}

// state asks what became of a session, and when.
func (k *cookieKeeper) state(ctx context.Context, row string) (idState, time.Time, error) {
	note, found, err := k.tokens.Find(ctx, row, row)
	switch {
	case err != nil:
		return idUnknown, time.Time{}, err
	case !found:
		return idCurrent, time.Time{}, nil
	case note.Kind == stores.Revoked && string(note.Data) == replaced:
		return idReplaced, note.Created, nil
	}
	return idUnknown, time.Time{}, nil
}

func (k *cookieKeeper) find(context.Context, string) (stores.Session, bool, error) {
	return stores.Session{}, false, fmt.Errorf("ginauth: find a session that lives in its cookie: %w", errors.ErrUnsupported)
}

// nextRow returns a row for each id, so that the one before can be ended alone.
func (k *cookieKeeper) nextRow(string) string { return newRow() }

func (k *cookieKeeper) create(ctx context.Context, s stores.Session, id *sessionSecret) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err // whoever hung up would never have the session
	}
	return k.cookie(s, id)
}

// update seals before it asks or notes anything: a session that does not fit
// stays what it was.
func (k *cookieKeeper) update(
	ctx context.Context, s stores.Session, d stores.Delta, id *sessionSecret,
) (stores.Outcome, string, error) {
	changed := withDelta(s, d)
	if id != nil {
		changed.Row = id.row
	}
	cookie, err := k.cookie(changed, id)
	if err != nil {
		return stores.Gone, "", err
	}
	var outcome stores.Outcome
	if d.Rename != nil && d.Rename.New != d.Rename.Old {
		outcome, err = k.note(ctx, d.Rename.At, s, replaced)
	} else {
		outcome, err = k.outcome(ctx, s.Row)
	}
	if err != nil || outcome != stores.Updated {
		return outcome, "", err
	}
	return outcome, cookie, nil
}

// withDelta returns a session as a delta makes it.
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

// outcome asks again whether a session may still be changed: it may have ended
// since it was loaded.
func (k *cookieKeeper) outcome(ctx context.Context, row string) (stores.Outcome, error) {
	state, _, err := k.state(ctx, row)
	switch {
	case err != nil || state == idUnknown:
		return stores.Gone, err
	case state == idReplaced:
		return stores.Stale, nil
	}
	return stores.Updated, nil
}

func (k *cookieKeeper) cookie(s stores.Session, _ *sessionSecret) (string, error) {
	return k.carrier.Seal(k.sealer, k.name, s)
}

func (k *cookieKeeper) end(ctx context.Context, now time.Time, s stores.Session) (stores.Outcome, error) {
	outcome, err := k.note(ctx, now, s, "")
	if outcome == stores.Updated {
		outcome = stores.Gone
	}
	return outcome, err
}

func (k *cookieKeeper) endUnreplaced(ctx context.Context, now time.Time, s stores.Session) (stores.Outcome, error) {
	return k.end(ctx, now, s)
}

// note remembers that a session has ended. One call for each session ever gets
// Updated, however many run in parallel; the others get what that one did.
func (k *cookieKeeper) note(ctx context.Context, now time.Time, s stores.Session, how string) (stores.Outcome, error) {
	until := k.until(now, s)
	created, err := k.tokens.Create(ctx, stores.Token{
		// No owner: what has ended is not among what a user can be shown, or
		// can revoke.
		ID: s.Row, Family: s.Row, Kind: stores.Revoked, Data: []byte(how),
		Created: now, Expires: until, FamilyExpires: until,
	})
	switch {
	case err == nil && created:
		return stores.Updated, nil
	case err != nil && !errors.Is(err, stores.ErrExists):
		return stores.Gone, err
	}
	outcome, err := k.outcome(ctx, s.Row)
	if err == nil && outcome == stores.Updated {
		err = fmt.Errorf("%w: session %s was noted as ended, and is not", stores.ErrCorrupt, s.Row)
	}
	return outcome, err
}

// until returns how long a session has to be remembered as ended. No copy of its
// cookie opens for longer than the idle timeout. One that somebody is logged into
// is remembered to the end of its absolute timeout too, in case that a copy was
// sealed while the idle timeout was configured longer. Others, of which a
// stranger can make any number, are not.
func (k *cookieKeeper) until(now time.Time, s stores.Session) time.Time {
	until := now.Add(k.idle)
	if end := ownOf(&s).began.Add(k.absolute); len(s.Owners) > 0 && end.After(until) {
		until = end
	}
	return until.Add(endedReserve)
}

func (k *cookieKeeper) room() int { return k.carrier.Room(k.name) - cookieReserve }
