package session

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// backend keeps sessions: in the rows of a store, or each in its own cookie. A
// Session decides what happens, and its backend does it. An error wraps
// stores.ErrTooLarge, or is an outage.
type backend interface {
	// load returns the session that a cookie's value opens, and its user if the store of
	// sessions knows the users.
	load(ctx context.Context, now time.Time, cookie string) (stores.Session, models.Authenticatable, idState, error)
	// find returns the session of a row.
	find(ctx context.Context, row string) (stores.Session, bool, error)
	// now returns what has become of a session that was loaded or created before.
	now(ctx context.Context, s stores.Session) (stores.Session, bool, error)
	// nextRow returns the row of a session after a change of its id. The former
	// row is "" if the session is new.
	nextRow(row string) string
	// create stores a new session and returns the cookie's value.
	create(ctx context.Context, s stores.Session, id *secretID) (cookie string, err error)
	// update changes a session, and its id if the delta has a Rename. The cookie is
	// the value to send, or "" if the client has it already.
	update(ctx context.Context, s stores.Session, d stores.Delta, id *secretID) (o stores.Outcome, cookie string, err error)
	// cookie returns the cookie's value for a stored session.
	cookie(s stores.Session, id *secretID) (string, error)
	// end ends a session at once. The outcome is Stale if the session lives under
	// an id that replaced this one and that must not end with it.
	end(ctx context.Context, now time.Time, s stores.Session) (stores.Outcome, error)
	// endUnreplaced is end for a session that the client did not ask to end. The
	// outcome is Stale for every session that has another id by now.
	endUnreplaced(ctx context.Context, now time.Time, s stores.Session) (stores.Outcome, error)
	// room returns how many bytes the application's values may take.
	room() int
}

// idState says what is known of an id that came with a request.
type idState uint8

const (
	idMalformed idState = iota // this application did not make it
	idUnknown                  // its session has ended, or never existed
	idReplaced                 // its session has had another id since Renamed
	idCurrent
	idOldKey // current, but sealed under a previous key
)

// secretID is an id that the client does not have yet.
type secretID struct {
	row    string
	secret [secretBytes]byte
	// limit is how many sessions each user of the session may have, or 0 for any
	// number. The backend sets ended to those that ended because there were more.
	limit int
	ended []stores.EndedSession
}

func (id *secretID) digest() stores.Digest { return stores.DigestOf(id.secret[:]) }

func (id *secretID) text() string { return idText(id.row, id.secret) }

// storeBackend keeps sessions in a store. The cookie holds their ids.
type storeBackend struct {
	sessions stores.Sessions
	withUser stores.LoadWithUser // or nil
	limited  stores.SessionLimit // nil if the store cannot limit the sessions of a user
}

func (e *Engine) storeBackend() storeBackend {
	limited, _ := e.sessions.(stores.SessionLimit)
	return storeBackend{e.sessions, e.cfg.WithUser, limited}
}

func (b storeBackend) load(ctx context.Context, _ time.Time, cookie string) (stores.Session, models.Authenticatable, idState, error) {
	id, ok := ParseID(cookie)
	if !ok {
		return stores.Session{}, nil, idMalformed, nil
	}
	row, user, found, err := b.loadRow(ctx, id.Row)
	if err != nil {
		return stores.Session{}, nil, idUnknown, err
	}
	return row, user, stateOf(&row, found, id), nil
}

// stateOf returns what a row says of an id.
func stateOf(row *stores.Session, found bool, id ID) idState {
	switch {
	case !found:
		return idUnknown
	case !row.Digest.Equal(id.Digest):
		return idReplaced
	}
	return idCurrent
}

func (b storeBackend) loadRow(ctx context.Context, name string) (row stores.Session, u models.Authenticatable, found bool, err error) {
	if b.withUser != nil {
		return b.withUser(ctx, name)
	}
	row, found, err = b.sessions.Load(ctx, name)
	return row, nil, found, err
}

func (b storeBackend) find(ctx context.Context, row string) (stores.Session, bool, error) {
	return b.sessions.Load(ctx, row)
}

func (b storeBackend) nextRow(row string) string {
	if row == "" {
		return newRow()
	}
	return row
}

func (b storeBackend) create(ctx context.Context, s stores.Session, id *secretID) (string, error) {
	var err error
	if b.limited == nil || id.limit == 0 {
		err = b.sessions.Create(ctx, s)
	} else {
		id.ended, err = b.limited.CreateLimited(ctx, s, id.limit)
	}
	if err != nil {
		return "", err
	}
	return id.text(), nil
}

func (b storeBackend) update(
	ctx context.Context, s stores.Session, d stores.Delta, id *secretID,
) (outcome stores.Outcome, cookie string, err error) {
	if b.limited == nil || id == nil || id.limit == 0 {
		outcome, err = b.sessions.Update(ctx, s.Row, d)
	} else {
		outcome, id.ended, err = b.limited.UpdateLimited(ctx, s.Row, d, id.limit)
	}
	if err != nil || outcome != stores.Updated || id == nil {
		return outcome, "", err
	}
	return outcome, id.text(), nil
}

func (b storeBackend) cookie(_ stores.Session, id *secretID) (string, error) { return id.text(), nil }

func (b storeBackend) end(ctx context.Context, _ time.Time, s stores.Session) (stores.Outcome, error) {
	_, err := stores.DeleteSeen(ctx, b.sessions, s)
	return stores.Gone, err
}

// endUnreplaced first gives the row an id that no client has. That succeeds only
// with the current id, and nothing can use the row afterwards.
func (b storeBackend) endUnreplaced(ctx context.Context, now time.Time, s stores.Session) (stores.Outcome, error) {
	secret := newSecret()
	unusable := stores.Delta{Generation: s.Generation, Rename: &stores.Rename{Old: s.Digest, New: stores.DigestOf(secret[:]), At: now}}
	outcome, err := b.sessions.Update(ctx, s.Row, unusable)
	if err != nil || outcome != stores.Updated {
		return outcome, err
	}
	return b.end(ctx, now, s)
}

// maxApplicationValues leaves room for the keys of parallel requests, which must not fail
// because a session is full.
const maxApplicationValues = stores.MaxValues - 16*1024 // 16 KiB

func (b storeBackend) room() int { return maxApplicationValues }
