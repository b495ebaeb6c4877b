package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// SupersededFor is how long the engine remembers that an id was replaced. A request
// that still carries the old id was sent before the client received the new one. A
// session of its own would overwrite the client's new cookie.
const SupersededFor = 10 * time.Second

// load reads the session from the store, once. It never adopts an id that is
// unknown, expired or replaced: the session is then empty and gets an id made here
// when a key is put into it.
func (s *Session) load() error { return s.loadIn(s.context()) }

// loadIn is load under a context that may be a span.
func (s *Session) loadIn(ctx context.Context) error {
	s.consulted = true
	if s.loaded || s.fault != nil {
		return s.fault
	}
	name := s.r.Jar.Session()
	cookie, ok := s.r.Jar.Get(s.r.HTTP.Header, name)
	if !ok {
		if twins := s.r.Twins(name); len(twins) > 0 {
			return s.loadTwins(ctx, twins)
		}
	}
	if err := s.loadCookie(ctx, cookie); err != nil {
		return err
	}
	s.takeCarried()
	return nil
}

// loadCookie loads the session that a cookie's value opens.
func (s *Session) loadCookie(ctx context.Context, cookie string) error {
	s.loaded, s.presented = true, cookie != ""
	if !s.presented {
		return nil
	}
	ctx, span := s.span(ctx)
	defer span.End()
	now := s.clock()
	row, user, state, err := s.e.backend.load(ctx, now, cookie)
	if err != nil {
		s.fail(autherr.Unavailable("load session", err))
		return s.fault
	}
	switch state {
	case idMalformed:
		s.clearing = !s.cookiesLost()
	case idUnknown:
	case idReplaced:
		s.supersede(&row, now)
	default:
		s.adopt(&row, now)
		s.fresh = user
		s.due = s.due || state == idOldKey
	}
	return s.fault
}

// loadTwins loads the session that one of several cookies opens. If more than one opens a session,
// none is used: who planted the other cannot be known, and no request may have the data of both.
func (s *Session) loadTwins(ctx context.Context, cookies []string) error {
	s.loaded, s.presented = true, true
	ctx, span := s.span(ctx)
	defer span.End()
	now, opened := s.clock(), 0
	var row stores.Session
	var user models.Authenticatable
	var state idState
	for _, cookie := range cookies {
		found, owner, is, err := s.e.backend.load(ctx, now, cookie)
		if err != nil {
			s.fail(autherr.Unavailable("load session", err))
			return s.fault
		}
		switch is {
		case idMalformed, idUnknown:
		case idReplaced:
			s.supersede(&found, now)
		default:
			if !s.e.expired(&found, beganOf(&found), now) {
				row, user, state, s.again = found, owner, is, cookie
				opened++
			}
		}
	}
	if opened != 1 {
		s.again, s.superseded = "", s.superseded && opened == 0
		return nil
	}
	s.superseded, s.before = false, nil
	s.adopt(&row, now)
	s.fresh = user
	s.due = s.due || state == idOldKey
	if s.fault == nil {
		s.takeCarried()
	}
	return s.fault
}

// supersede records that the id of a row was replaced, if that was moments ago.
func (s *Session) supersede(row *stores.Session, now time.Time) {
	if s.e.expired(row, beganOf(row), now) || now.Sub(row.Renamed).Abs() >= SupersededFor {
		return
	}
	s.superseded = true
	who, err := parsePrincipals(row.Principals, nil)
	if err != nil {
		return // what it was is not known, so nobody is told to try again
	}
	for _, l := range who {
		if l.Kept {
			s.before = append(s.before, l)
		}
	}
}

// Superseded reports whether the request's id was replaced moments ago in a session in which a
// guard had a login and still has it. The client has the new id by now, or is about to.
func (s *Session) Superseded(guard string) bool {
	s.lock()
	defer s.mu.Unlock()
	if s.load() != nil || !s.superseded {
		return false
	}
	_, ok := s.before.of(guard)
	return ok
}

// cookiesLost reports whether no cookie that is set now is sure to reach the client.
func (s *Session) cookiesLost() bool { return s.r != nil && s.r.CookiesLost() }

// adopt makes a row the session's, unless the row has expired.
func (s *Session) adopt(row *stores.Session, now time.Time) {
	who, err := parsePrincipals(row.Principals, s.oneLogin[:0])
	if err != nil {
		s.fail(autherr.Unavailable("read session", err))
		return
	}
	if s.e.expired(row, who.latest(row.Created), now) {
		return
	}
	s.row, s.who, s.exists = *row, who, true
	s.held = tallyOf(row.Values)
	if s.r == nil || !s.r.Upgrades() { // the handshake of a WebSocket shows no page: flash stays for one that does
		s.flashed = flashedIn(row)
	}
	s.due = now.Sub(row.LastSeen) >= s.e.cfg.TouchInterval
}

// beganOf returns when the absolute timeout of a row began: at the latest login in it.
func beganOf(row *stores.Session) time.Time {
	who, _ := parsePrincipals(row.Principals, nil)
	return who.latest(row.Created)
}

// flashedIn returns the keys that the former request flashed.
func flashedIn(row *stores.Session) map[string]bool {
	var flashed map[string]bool
	for key := range row.Values.All() {
		if name, ok := strings.CutPrefix(key, flashPrefix); ok {
			if flashed == nil {
				flashed = make(map[string]bool)
			}
			flashed[name] = true
		}
	}
	return flashed
}

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
	return s.state != nil && (len(s.set) > 0 || len(s.removed) > 0 || s.next != nil)
}

func (s *Session) store(ctx context.Context) (Change, error) {
	if s.fault != nil {
		return Change{}, s.fault
	}
	if !s.loaded {
		return Change{}, nil
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
		Generation: s.row.Generation, LastSeen: now, Expires: s.expiry(now),
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
	if s.next != nil {
		// Only a request with the current id may change the id. A request with
		// a replaced id must not rename the session of a later login.
		d.Rename = &stores.Rename{Old: s.row.Digest, New: s.next.digest(), At: now}
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
