package ginauth

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// sessionKeeper is where the sessions of a manager are: in the rows of a store,
// or each in its own cookie. A Session decides what is to become of it, and its
// keeper does that. An error wraps stores.ErrTooLarge, or is an outage.
type sessionKeeper interface {
	// load returns the session that a cookie's value opens.
	load(ctx context.Context, now time.Time, cookie string) (stores.Session, idState, error)
	// find returns the session of a row.
	find(ctx context.Context, row string) (stores.Session, bool, error)
	// nextRow returns the row of a session after its id has changed. The row
	// before is "" if the session is new.
	nextRow(row string) string
	// create stores a new session.
	create(ctx context.Context, s stores.Session, id *sessionSecret) (cookie string, err error)
	// update changes a session, and its id if the delta says so. The cookie is
	// the value to send, or "" if the client has it already.
	update(ctx context.Context, s stores.Session, d stores.Delta, id *sessionSecret) (o stores.Outcome, cookie string, err error)
	// cookie returns the cookie's value for a session that is stored.
	cookie(s stores.Session, id *sessionSecret) (string, error)
	// end ends a session, at once and for good. It is Stale if the session lives
	// on under an id that this one was replaced by, and is not to be ended by it.
	end(ctx context.Context, now time.Time, s stores.Session) (stores.Outcome, error)
	// endUnreplaced is end for what nobody asked for: it is Stale for every
	// session that has another id by now.
	endUnreplaced(ctx context.Context, now time.Time, s stores.Session) (stores.Outcome, error)
	// room is how many bytes the values of the application may take.
	room() int
}

// idState says what an id that came with a request is worth.
type idState uint8

const (
	idMalformed idState = iota // it was not made here
	idUnknown                  // its session has ended, or never was
	idReplaced                 // its session has another id since Renamed
	idCurrent
	idOldKey // it is current, and was sealed under a previous key
)

// sessionSecret is an id that the client does not have yet.
type sessionSecret struct {
	row    string
	secret [secretBytes]byte
}

func (id *sessionSecret) digest() stores.Digest { return stores.DigestOf(id.secret[:]) }

func (id *sessionSecret) text() string { return sessionIDText(id.row, id.secret) }

// newKeeper returns the keeper of the configured stores.
func (m *Manager) newKeeper() sessionKeeper {
	if m.stores.ClientSessions == nil {
		return rowKeeper{m.stores.Sessions}
	}
	return &cookieKeeper{
		carrier: m.stores.ClientSessions, tokens: m.stores.Tokens, sealer: m.subkeys.session,
		name: m.cfg.Session.Cookie.Name, idle: m.cfg.Session.IdleTimeout, absolute: m.cfg.Session.AbsoluteTimeout,
	}
}

// rowKeeper keeps sessions in a store. The cookie holds their ids.
type rowKeeper struct{ sessions stores.Sessions }

func (k rowKeeper) load(ctx context.Context, _ time.Time, cookie string) (stores.Session, idState, error) {
	id, ok := parseSessionID(cookie)
	if !ok {
		return stores.Session{}, idMalformed, nil
	}
	row, found, err := k.sessions.Load(ctx, id.row)
	switch {
	case err != nil || !found:
		return stores.Session{}, idUnknown, err
	case !sameDigest(row.Digest, id.digest):
		return row, idReplaced, nil
	}
	return row, idCurrent, nil
}

func (k rowKeeper) find(ctx context.Context, row string) (stores.Session, bool, error) {
	return k.sessions.Load(ctx, row)
}

func (k rowKeeper) nextRow(row string) string {
	if row == "" {
		return newRow()
	}
	return row
}

func (k rowKeeper) create(ctx context.Context, s stores.Session, id *sessionSecret) (string, error) {
	if err := k.sessions.Create(ctx, s); err != nil {
		return "", err
	}
	return id.text(), nil
}

func (k rowKeeper) update(
	ctx context.Context, s stores.Session, d stores.Delta, id *sessionSecret,
) (stores.Outcome, string, error) {
	outcome, err := k.sessions.Update(ctx, s.Row, d)
	if err != nil || outcome != stores.Updated || id == nil {
		return outcome, "", err
	}
	return outcome, id.text(), nil
}

func (k rowKeeper) cookie(_ stores.Session, id *sessionSecret) (string, error) { return id.text(), nil }

func (k rowKeeper) end(ctx context.Context, _ time.Time, s stores.Session) (stores.Outcome, error) {
	_, err := k.sessions.Delete(ctx, s.Row)
	return stores.Gone, err
}

// endUnreplaced first takes the id from the row, which succeeds for who holds the
// current one, and from then on is of use to nobody.
func (k rowKeeper) endUnreplaced(ctx context.Context, now time.Time, s stores.Session) (stores.Outcome, error) {
	secret := newSessionSecret()
	nobodys := stores.Delta{Generation: s.Generation, Rename: &stores.Rename{Old: s.Digest, New: stores.DigestOf(secret[:]), At: now}}
	outcome, err := k.sessions.Update(ctx, s.Row, nobodys)
	if err != nil || outcome != stores.Updated {
		return outcome, err
	}
	return k.end(ctx, now, s)
}

// maxApplicationValues leaves room in a session for logins and flash marks,
// which must not fail because a session is full.
const maxApplicationValues = stores.MaxValues - 16*1024 // 16 KiB

func (k rowKeeper) room() int { return maxApplicationValues }
