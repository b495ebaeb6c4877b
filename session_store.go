package ginauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/stores"
)

// supersededFor is how long an id that was replaced is known as such. A request
// that still carries it was sent before the client learned of the new one; if
// it were given a session of its own, its cookie would overwrite the new one.
const supersededFor = 10 * time.Second

// load reads the session from the store once. An id that is unknown, expired or
// replaced is never adopted: the session is then empty and, if anything is put
// into it, gets an id made here.
func (s *Session) load() error { return s.loadIn(s.context()) }

// loadIn is load as part of a phase of the request.
func (s *Session) loadIn(ctx context.Context) error {
	s.consulted = true
	if s.loaded || s.fault != nil {
		return s.fault
	}
	cookie, _ := s.x.jar().get(s.x.req.Header, s.m.cfg.Session.Cookie.Name)
	return s.loadCookie(ctx, cookie)
}

// loadCookie loads the session that a cookie's value opens.
func (s *Session) loadCookie(ctx context.Context, cookie string) error {
	s.loaded, s.presented = true, cookie != ""
	if !s.presented {
		return nil
	}
	ctx, span := s.phase(ctx)
	defer span.end()
	now := s.clock()
	row, state, err := s.m.keeper.load(ctx, now, cookie)
	if err != nil {
		s.fail(autherr.Unavailable("load session", err))
		return s.fault
	}
	switch state {
	case idMalformed:
		s.clearing = true
	case idUnknown:
	case idReplaced:
		s.superseded = !s.m.expired(&row, ownOf(&row), now) && now.Sub(row.Renamed).Abs() < supersededFor
	default:
		s.adopt(&row, now)
		s.due = s.due || state == idOldKey
	}
	return nil
}

// adopt takes over a row that was found to be this session's, unless it has
// expired.
func (s *Session) adopt(row *stores.Session, now time.Time) {
	own := ownOf(row)
	if !s.m.expired(row, own, now) {
		s.row, s.flashed, s.exists = *row, own.flashed, true
		s.due = now.Sub(row.LastSeen) >= s.m.cfg.Session.TouchInterval
	}
}

// expired decides whether a row is past one of its timeouts, here and not in
// the store, so that every store has the same idea of it and none depends on
// being pruned.
func (m *Manager) expired(row *stores.Session, own ownValues, now time.Time) bool {
	return now.Sub(row.LastSeen) >= m.cfg.Session.IdleTimeout ||
		now.Sub(own.began) >= m.cfg.Session.AbsoluteTimeout
}

// ownValues are what the reserved keys of a row say of the session as a whole.
type ownValues struct {
	began   time.Time // the absolute timeout: at the latest login in it
	flashed []string  // by the request before this one
}

func ownOf(row *stores.Session) ownValues {
	own := ownValues{began: row.Created}
	for key, value := range row.Values.All() {
		if !reserved(key) {
			continue
		}
		if name, ok := strings.CutPrefix(key, flashPrefix); ok {
			own.flashed = append(own.flashed, name)
		} else if strings.HasPrefix(key, loginPrefix) {
			if login, err := parseLogin(value); err == nil && login.at.After(own.began) {
				own.began = login.at
			}
		}
	}
	return own
}

// cookieChange says what a response does to the session cookie.
type cookieChange struct {
	set   string // the new id, or ""
	clear bool
	// consulted says that the response depends on the session.
	consulted bool
}

// commit stores the changes, once. After it the session can only be read.
func (s *Session) commit(ctx context.Context) (cookieChange, error) {
	change, done, err := s.storeOnce(ctx)
	for _, f := range done { // without the lock: it is the application's code
		f()
	}
	return change, err
}

func (s *Session) storeOnce(ctx context.Context) (change cookieChange, done []func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.committed
	s.committed = true
	switch {
	case s.sessionState == nil && !before:
		return cookieChange{}, s.onCommit, nil
	case s.sessionState == nil:
		return cookieChange{}, nil, nil
	case before:
		return cookieChange{consulted: s.consulted}, nil, nil
	}
	change, err = s.store(ctx)
	if err == nil {
		err = s.notes(ctx)
	}
	if err != nil {
		s.fail(err)
		return cookieChange{}, nil, s.fault
	}
	change.consulted = s.consulted
	return change, s.onCommit, nil
}

// notes makes the notes that come before an answer, once.
func (s *Session) notes(ctx context.Context) error {
	due := s.beforeAnswer
	s.beforeAnswer = nil
	for _, note := range due {
		if err := note(ctx); err != nil {
			return err
		}
	}
	return nil
}

// notesOfHungUp makes them also if there is no answer because the client hung up.
// That is its own doing and no outage: it may have wanted what its request did,
// and no trace of it.
func (s *Session) notesOfHungUp(ctx context.Context) {
	if ctx.Err() == nil {
		return
	}
	s.lock()
	defer s.mu.Unlock()
	if err := s.notes(context.WithoutCancel(ctx)); err != nil {
		s.m.log.ErrorContext(ctx, "ginauth: a client hung up", "error", cut(err.Error(), 256))
	}
}

// discard makes the session read-only without storing its changes.
func (s *Session) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committed, s.onCommit = true, nil
}

func (s *Session) store(ctx context.Context) (cookieChange, error) {
	if s.fault != nil {
		return cookieChange{}, s.fault
	}
	if !s.loaded {
		return cookieChange{}, nil
	}
	switch {
	case s.exists && s.x != nil:
		s.age()
	case s.exists && s.m.stores.ClientSessions != nil:
		return cookieChange{}, s.unsent()
	}
	switch {
	case s.exists && s.changed():
		return s.update(ctx)
	case s.exists:
		return s.touch(ctx)
	case len(s.set) > 0 || s.next != nil:
		return s.create(ctx)
	}
	return cookieChange{clear: s.clearing}, nil
}

// unsent returns an error if there are changes that no response will send.
func (s *Session) unsent() error {
	if !s.changed() {
		return nil
	}
	return fmt.Errorf("ginauth: change a session that lives in its cookie outside a request: %w", errors.ErrUnsupported)
}

// send returns what to do with the cookie: to set the value that the keeper says,
// or else that of an id that was stored before the commit.
func (s *Session) send(cookie string) (cookieChange, error) {
	if cookie != "" || s.issued == nil {
		return cookieChange{set: cookie}, nil
	}
	cookie, err := s.m.keeper.cookie(s.row, s.issued)
	return cookieChange{set: cookie}, storeError("store session", err)
}

// storeError marks an error of a keeper.
func storeError(doing string, err error) error {
	if errors.Is(err, stores.ErrTooLarge) {
		return fmt.Errorf("%w: %s: %w", ErrSessionTooLarge, doing, err)
	}
	return autherr.Unavailable(doing, err)
}

func (s *Session) update(ctx context.Context) (cookieChange, error) {
	delta := s.delta()
	ctx, span := s.phase(ctx)
	defer span.end()
	outcome, cookie, err := s.m.keeper.update(ctx, s.row, delta, s.next)
	if err != nil {
		return cookieChange{}, storeError("store session", err)
	}
	switch {
	case outcome == stores.Updated:
		return s.send(cookie)
	case s.loggedIn:
		// Another request ended or renamed the session while this one checked
		// a password. The login stands on its own: it gets a row of its own,
		// with nothing of the old one.
		s.row, s.next = stores.Session{}, nil
		s.renew()
		return s.create(ctx)
	case outcome == stores.Stale:
		return cookieChange{}, ErrConflict
	}
	return cookieChange{}, ErrSessionEnded
}

func (s *Session) create(ctx context.Context) (cookieChange, error) {
	switch {
	case s.x == nil:
		return cookieChange{}, ErrSessionEnded // nobody would have the new id
	case s.superseded && !s.loggedIn:
		return cookieChange{}, ErrConflict
	}
	ctx, span := s.phase(ctx)
	defer span.end()
	if s.next == nil {
		s.renew()
	}
	now := s.clock()
	row := stores.Session{
		Row: s.next.row, Digest: s.next.digest(),
		Values:  stores.NewValues(s.set),
		Address: cut(s.x.ip(), 64), UserAgent: s.x.userAgent(),
		Created: now, LastSeen: now, Expires: s.expiry(now),
	}
	if s.loggedIn {
		row.Owners = s.owners("")
	}
	cookie, err := s.m.keeper.create(ctx, row, s.next)
	if err != nil {
		return cookieChange{}, storeError("create session", err)
	}
	return cookieChange{set: cookie}, nil
}

// touch records that the session is in use, at most once in each interval, and
// has a cookie sealed anew that was sealed under a previous key.
func (s *Session) touch(ctx context.Context) (cookieChange, error) {
	if !s.due {
		return s.send("")
	}
	now := s.clock()
	ctx, span := s.phase(ctx)
	defer span.end()
	delta := stores.Delta{Generation: s.row.Generation, LastSeen: now, Expires: s.expiry(now)}
	outcome, cookie, err := s.m.keeper.update(ctx, s.row, delta, nil)
	switch {
	case err != nil:
		return cookieChange{}, storeError("touch session", err)
	case outcome == stores.Gone || outcome == stores.Replaced:
		return cookieChange{}, ErrSessionEnded
	}
	// If it is Stale the client has got another id meanwhile. What it asked for
	// was read before that, and there is no cookie to send over the new one.
	return s.send(cookie)
}

func (s *Session) delta() stores.Delta {
	now := s.clock()
	d := stores.Delta{
		Generation: s.row.Generation,
		Set:        s.set, Remove: slices.Collect(maps.Keys(s.removed)),
		LastSeen: now, Expires: s.expiry(now),
	}
	if s.next != nil {
		// The id may change only for whoever holds the current one. A request
		// that came with an id replaced since must not rename the session of
		// who logged in meanwhile.
		d.Rename = &stores.Rename{Old: s.row.Digest, New: s.next.digest(), At: now}
		if s.loggedIn {
			d.Principals = s.principals("")
		}
	}
	return d
}

// expiry is when a row may be pruned. It does not look at the absolute timeout:
// a parallel login may have begun that anew.
func (s *Session) expiry(now time.Time) time.Time { return now.Add(s.m.cfg.Session.IdleTimeout) }
