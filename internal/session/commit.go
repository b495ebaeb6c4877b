package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/stores"
)

// Change says what a response does to the session cookie.
type Change struct {
	Set   string // the cookie's new value, or ""
	Clear bool   // delete the cookie
	// Consulted says that the response depends on the session.
	Consulted bool
}

// Commit stores the changes, once. Afterwards the session can only be read.
func (s *Session) Commit(ctx context.Context) (Change, error) {
	change, ended, err := s.commitOnce(ctx)
	if ended {
		s.reportEnded(ctx) // without the lock, because the audit sink may use the session
	}
	return change, err
}

// commitOnce also reports whether sessions ended because a user has too many.
func (s *Session) commitOnce(ctx context.Context) (change Change, ended bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change, err = s.commit(ctx)
	return change, s.state != nil && s.next != nil && len(s.next.ended) > 0, err
}

func (s *Session) commit(ctx context.Context) (Change, error) {
	committed := s.committed()
	before := *committed
	*committed = true
	switch {
	case s.state == nil:
		return Change{}, nil
	case before:
		return Change{Consulted: s.consulted}, nil
	}
	change, err := s.store(ctx)
	if err != nil {
		s.fail(err)
		return Change{}, s.fault
	}
	if s.state.again != "" && s.exists && change.Set == "" && !change.Clear {
		change.Set = s.again
	}
	change.Consulted = s.consulted
	return change, nil
}

// Discard makes the session read-only and drops its changes. It reports whether there were any.
func (s *Session) Discard() (lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	committed := s.committed()
	lost = !*committed && s.unsaved()
	*committed = true
	return lost
}

// Unsaved reports whether the session was changed, also if a commit failed to store that.
func (s *Session) Unsaved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsaved()
}

func (s *Session) unsaved() bool {
	return s.state != nil && (len(s.set) > 0 || len(s.unread) > 0 || len(s.removed) > 0 || s.next != nil)
}

func (s *Session) store(ctx context.Context) (Change, error) {
	if s.fault != nil {
		return Change{}, s.fault
	}
	if !s.loaded {
		if len(s.unread) == 0 {
			return Change{}, nil
		}
		if done, err := s.storeUnread(ctx); done || err != nil {
			return Change{}, err
		}
	}
	if err := s.lateUnread(); err != nil {
		return Change{}, err
	}
	switch {
	case s.exists && s.r != nil:
		s.age()
	case s.exists && s.e.inCookie:
		return Change{}, s.unsent()
	}
	switch {
	case s.exists && (s.changed() || s.renewed):
		return s.update(ctx)
	case s.exists:
		return s.touch(ctx)
	case len(s.set) > 0 || s.next != nil:
		if !s.presented && len(s.made) == 0 && s.r != nil && s.r.WithheldCookies() {
			return Change{}, s.carry()
		}
		if s.carryFlash() {
			return Change{Clear: s.clearing}, nil
		}
		return s.create(ctx)
	}
	return Change{Clear: s.clearing}, nil
}

// unsent returns an error if there are changes that no response will send.
func (s *Session) unsent() error {
	if !s.changed() {
		return nil
	}
	return fmt.Errorf("ginauth: change a session that lives in its cookie outside a request: %w", errors.ErrUnsupported)
}

// send returns the change of the cookie: the value that the backend returned, or
// else that of an id that was stored before the commit.
func (s *Session) send(cookie string) (Change, error) {
	if cookie != "" || s.issued == nil {
		return Change{Set: cookie}, nil
	}
	cookie, err := s.e.backend.cookie(s.row, s.issued)
	return Change{Set: cookie}, storeError("store session", err)
}

// storeError classifies an error of a backend.
func storeError(doing string, err error) error {
	if errors.Is(err, stores.ErrTooLarge) {
		return fmt.Errorf("%w: %s: %w", autherr.ErrSessionTooLarge, doing, err)
	}
	return autherr.Unavailable(doing, err)
}

func (s *Session) update(ctx context.Context) (Change, error) {
	ctx, span := s.span(ctx)
	defer span.End()
	s.limit()
	outcome, cookie, err := s.e.backend.update(ctx, s.row, s.delta(), s.next)
	if err == nil && s.renewed && s.next == nil && (outcome == stores.Stale || outcome == stores.Replaced) {
		// A parallel request changed the id or the users. Only the renewal of the login is
		// given up: it required the digest, the values do not.
		if s.renewed = false; !s.changed() {
			return s.send("")
		}
		outcome, cookie, err = s.e.backend.update(ctx, s.row, s.delta(), nil)
	}
	if err != nil {
		return Change{}, storeError("store session", err)
	}
	switch {
	case outcome == stores.Updated:
		return s.send(cookie)
	case len(s.made) > 0:
		// A parallel request ended or renamed the session while this one checked
		// a password. The login gets a row of its own, without the old values.
		s.row, s.who, s.next, s.replaced = stores.Session{}, s.made, nil, false
		s.renew()
		return s.create(ctx)
	case outcome == stores.Stale:
		return Change{}, autherr.ErrConflict
	case outcome == stores.Replaced:
		return Change{}, s.whyReplaced(ctx)
	}
	return Change{}, autherr.ErrSessionEnded
}

// whyReplaced tells a request of a user whom another user has replaced in the session, whose
// session has ended, from one that only raced with the logout of another guard.
func (s *Session) whyReplaced(ctx context.Context) error {
	row, found, err := s.e.backend.find(ctx, s.row.Row)
	if err != nil {
		return autherr.Unavailable("load session", err)
	}
	now, err := parsePrincipals(row.Principals, nil)
	if err != nil {
		return autherr.Unavailable("read session", err)
	}
	before, _ := parsePrincipals(s.row.Principals, nil)
	for _, l := range before {
		if other, ok := now.of(l.guard); ok && other.UserID != l.UserID {
			return autherr.ErrSessionEnded
		}
	}
	if !found || len(now) == 0 {
		return autherr.ErrSessionEnded
	}
	return autherr.ErrConflict
}

func (s *Session) create(ctx context.Context) (Change, error) {
	switch {
	case s.r == nil:
		return Change{}, autherr.ErrSessionEnded // no client would receive the new id
	case s.superseded && len(s.made) == 0:
		return Change{}, autherr.ErrConflict
	}
	ctx, span := s.span(ctx)
	defer span.End()
	if s.next == nil {
		s.renew()
	}
	s.limit()
	now := s.clock()
	row := stores.Session{
		Row: s.next.row, Digest: s.next.digest(),
		Values:  stores.NewValues(s.set),
		Address: request.Cut(s.r.IP(), 64), UserAgent: s.r.UserAgent(),
		Created: now, LastSeen: now, Expires: s.expiry(now),
	}
	row.Principals, row.Owners = s.who.encode(), s.who.owners(s.e.cfg.Realms)
	cookie, err := s.e.backend.create(ctx, row, s.next)
	if err != nil {
		return Change{}, storeError("create session", err)
	}
	return Change{Set: cookie}, nil
}

// touch writes when the session was last used, at most once in each interval. A
// cookie that was sealed under a previous key is sealed again.
func (s *Session) touch(ctx context.Context) (Change, error) {
	if !s.due || (s.e.inCookie && s.r != nil && s.r.Upgrades()) {
		return s.send("")
	}
	now := s.clock()
	ctx, span := s.span(ctx)
	defer span.End()
	delta := stores.Delta{Generation: s.row.Generation, LastSeen: now, Expires: s.expiry(now)}
	outcome, cookie, err := s.e.backend.update(ctx, s.row, delta, nil)
	switch {
	case err != nil:
		return Change{}, storeError("touch session", err)
	case outcome == stores.Gone:
		return Change{}, autherr.ErrSessionEnded
	}
	if outcome != stores.Updated {
		// Replaced: another user has the session now. What this request read was read before
		// that, and no cookie is sent that would overwrite the new one.
		s.again = ""
	}
	return s.send(cookie)
}

func (s *Session) delta() stores.Delta {
	now := s.clock()
	d := stores.Delta{
		Set: s.set, Remove: slices.Collect(maps.Keys(s.removed)), Clear: s.replaced,
		Generation: s.row.Generation, LastSeen: now, Expires: s.expiry(now), Seen: &s.row,
	}
	if s.next != nil && len(s.who) > 0 {
		s.keep()
	}
	if s.whoChanged || s.renewed {
		d.Principals = &stores.Principals{Data: s.who.encode(), Owners: s.who.owners(s.e.cfg.Realms), Generation: s.row.Generation}
		if s.replaced {
			d.Principals.Generation++
		}
		// Who is logged in is written only by a request with the current id.
		d.Rename = &stores.Rename{Old: s.row.Digest, New: s.row.Digest, At: now}
	}
	if d.Rename == nil && s.row.Principals == "" && now.Sub(s.read) > SupersededFor {
		// Somebody may have planted the session in the browser of another user and holds this
		// request open until that user has logged in. So only a short request of a guest may
		// change a session after a login.
		d.Rename = &stores.Rename{Old: s.row.Digest, New: s.row.Digest, At: now}
	}
	if s.next != nil {
		// Only a request with the current id may change the id. A request with
		// a replaced id must not rename the session of a later login.
		d.Rename = &stores.Rename{Old: s.row.Digest, New: s.next.digest(), At: now}
	}
	if !s.due && d.Rename == nil && now.Sub(s.row.LastSeen) < s.e.cfg.TouchInterval {
		// The use was recorded a moment ago. PostgreSQL changes the row in its place, without the
		// indexes, if no indexed column changes, and Expires is one.
		d.LastSeen, d.Expires = time.Time{}, time.Time{}
	}
	return d
}

// keep marks the logins that the current id opens as well, before the id is replaced.
func (s *Session) keep() {
	stored, err := parsePrincipals(s.row.Principals, nil)
	if err != nil {
		return // the update requires the digest of a row that was read
	}
	who := slices.Clone(s.who)
	for i, l := range who {
		was, ok := stored.of(l.guard)
		if kept := ok && was.UserID == l.UserID; kept != l.Kept {
			who[i].Kept, s.whoChanged = kept, true
		}
	}
	s.who = who
}

// expiry returns when a row may be pruned. It ignores the absolute timeout, which a
// parallel login may have restarted.
func (s *Session) expiry(now time.Time) time.Time { return now.Add(s.e.cfg.IdleTimeout) }
