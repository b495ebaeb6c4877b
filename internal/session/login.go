package session

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// State is what a session is to its client.
type State uint8

const (
	// Absent: there is no session. It gets a row when a value is put into it.
	Absent State = iota
	// Anonymous: a session in which no user is logged in.
	Anonymous
	// Authenticated: a session in which at least one guard has a login.
	Authenticated
	// Superseded: a parallel request gave the session another id moments ago. It cannot be
	// changed by this request, except by a login.
	Superseded
	// Failed: the session cannot be read or stored.
	Failed
)

// String returns the state's name.
func (s State) String() string {
	return [...]string{"absent", "anonymous", "authenticated", "superseded", "failed"}[s]
}

// State returns the state of the session. A change of the state is stored by the commit, except
// for the end of a login, which is stored at once:
//
//   - LogIn makes an absent, anonymous or superseded session authenticated. An anonymous session
//     keeps its row and its values, also those that parallel requests write.
//   - LogIn of another user of the same guard removes all values, also those that parallel
//     requests of the former user wrote, and begins a new generation: later writes of such
//     requests are refused.
//   - LogOut of one of several logins removes the values that were written under it, also those
//     that were written while others were logged in as well, and begins a new generation. LogOut
//     of the last login, and Invalidate, delete the row.
//   - Every change of a login gives the session a new id.
func (s *Session) State() State {
	s.lock()
	defer s.mu.Unlock()
	switch err := s.load(); {
	case err != nil:
		return Failed
	case len(s.who) > 0:
		return Authenticated
	case s.superseded:
		return Superseded
	case s.exists || s.changed():
		return Anonymous
	}
	return Absent
}

// LoginsIn returns the logins that a stored row has by the guards of a realm.
func (e *Engine) LoginsIn(row *stores.Session, realm string) iter.Seq[Login] {
	return func(yield func(Login) bool) {
		who, _ := parsePrincipals(row.Principals, nil)
		for _, l := range who {
			if e.cfg.Realms[l.guard] == realm && !yield(l.Login) {
				return
			}
		}
	}
}

// Login returns the login by a guard, if there is one.
func (s *Session) Login(ctx context.Context, guard string) (l Login, ok bool, err error) {
	s.lock()
	defer s.mu.Unlock()
	if err := s.loadIn(ctx); err != nil {
		return Login{}, false, err
	}
	l, ok = s.who.of(guard)
	return l, ok, nil
}

// LoginAndUser is Login. If this call loaded the session, and its store knows the users, it also
// returns the login's user, who is as fresh as if the provider had been asked now.
func (s *Session) LoginAndUser(ctx context.Context, guard string) (l Login, u models.Authenticatable, ok bool, err error) {
	s.lock()
	defer s.mu.Unlock()
	before := s.loaded
	if err := s.loadIn(ctx); err != nil {
		return Login{}, nil, false, err
	}
	l, ok = s.who.of(guard)
	if u = s.fresh; before || u == nil || s.e.cfg.Realms[guard] != realm.Default || u.AuthID() != l.UserID {
		u = nil
	}
	s.fresh = nil
	return l, u, ok, nil
}

// LogIn records a login. The session gets a new id, so that an id planted before is worthless
// (OWASP ASVS 5.0, 7.2.4). Values of an anonymous session stay. Values of another user of the
// guard are removed, with those of features.
func (s *Session) LogIn(guard string, l Login) error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	who := s.who.with(guard, l)
	if n := len(who.owners(s.e.cfg.Realms)); n > stores.MaxOwners {
		return fmt.Errorf("%w: a session has at most %d users", autherr.ErrConfig, stores.MaxOwners)
	}
	if before, ok := s.who.of(guard); ok && before.UserID != l.UserID {
		s.replace()
	}
	if s.lateUnread() != nil {
		s.forgetValues() // they were put into a session that may have been another user's
	}
	s.setWho(who)
	s.renew()
	s.made = s.made.with(guard, l)
	return nil
}

// replace forgets all values of the former user, in this request at once and in the store with
// the commit.
func (s *Session) replace() {
	s.forgetValues()
	s.replaced = true
}

// setWho changes who is logged in, for the commit.
func (s *Session) setWho(who principals) { s.who, s.whoChanged = who, true }

// RenewLogin stores a login again, with a fingerprint under the current key. It changes nothing
// if a parallel request changed the session's id, and nothing once the response has begun: a
// later request does it.
func (s *Session) RenewLogin(guard string, l Login) {
	s.lock()
	defer s.mu.Unlock()
	before, ok := s.who.of(guard)
	if !ok || before.UserID != l.UserID || *s.committed() || s.whoChanged || s.next != nil || s.cookiesLost() {
		return
	}
	s.who, s.renewed = s.who.with(guard, l), true
}

// Borrow shows a login to this request and stores nothing.
func (s *Session) Borrow(guard string, l Login) {
	s.lock()
	defer s.mu.Unlock()
	s.who = s.who.with(guard, l)
}

// Confirm records that the user gave the password again. The session gets a new id, as at every
// step up.
func (s *Session) Confirm(ctx context.Context, guard, userID string, at time.Time) error {
	return s.confirm(ctx, guard, userID, func(l *Login) { l.Confirmed = at })
}

// ConfirmSecond records that the user proved a second factor again, like Confirm.
func (s *Session) ConfirmSecond(ctx context.Context, guard, userID string, proof factor.Proof) error {
	return s.confirm(ctx, guard, userID, func(l *Login) { l.Second = proof })
}

func (s *Session) confirm(ctx context.Context, guard, userID string, change func(*Login)) error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.loadIn(ctx); err != nil {
		return err
	}
	login, ok := s.who.of(guard)
	if !ok || login.UserID != userID {
		return autherr.ErrSessionEnded
	}
	if err := s.writable(); err != nil {
		return err
	}
	change(&login)
	s.setWho(s.who.with(guard, login))
	s.renew()
	return nil
}

// LogOut ends a guard's login at once, also if the client has disconnected. The session ends
// with it, unless another guard has a living login in the session: then the session goes on
// under a new id, in a new generation, and without the values that were
// written under the login.
func (s *Session) LogOut(ctx context.Context, guard string) error {
	return s.drop(ctx, guard, false)
}

// InvalidateStale is LogOut for a login that has ended already, as all logins of a user do when
// the security stamp changes.
func (s *Session) InvalidateStale(ctx context.Context, guard string) error {
	return s.drop(ctx, guard, true)
}

func (s *Session) drop(ctx context.Context, guard string, stale bool) error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.endable(); err != nil {
		return err
	}
	others := s.e.living(s.who.without(guard))
	switch {
	case len(others) == 0 && stale:
		return s.endStale()
	case len(others) == 0:
		return s.end()
	}
	// A stale login is nobody's whether or not the store has it. It stays there if no cookie
	// could carry the new id to the client.
	if s.exists && !(stale && s.cookiesLost()) {
		if err := s.dropStored(ctx, guard); err != nil {
			s.fail(err)
			return err
		}
	}
	s.who, s.made = others, s.made.without(guard)
	s.recount()
	return nil
}

// recount takes back what this request put under a login that ended, and counts what is left.
func (s *Session) recount() {
	set, removed, now := s.set, s.removed, s.now
	s.set, s.removed, s.now = nil, nil, nil
	s.held, s.index, s.lookups = tallyOf(s.row.Values), nil, 0
	for key := range removed {
		s.remove(key)
	}
	for key, value := range set {
		if _, visible := s.who.open(string(value)); visible {
			s.assign(key, value)
		}
	}
	s.now = now
}

// living returns the logins that have not reached their absolute timeout. A guard that is not
// configured any more has none.
func (e *Engine) living(who principals) principals {
	var living principals
	for _, l := range who {
		if _, configured := e.cfg.Realms[l.guard]; configured && e.env.Now().Sub(l.At) < e.cfg.AbsoluteTimeout {
			living = append(living, l)
		}
	}
	return living
}

// dropStored removes a login from the stored session. The logins of this request are stored by
// its commit.
func (s *Session) dropStored(ctx context.Context, guard string) error {
	stored, err := parsePrincipals(s.row.Principals, nil)
	if err != nil {
		return autherr.Unavailable("read session", err)
	}
	others := s.e.living(stored.without(guard))
	for i := range others {
		others[i].Kept = true
	}
	ctx, span := s.span(context.WithoutCancel(ctx)) // a logout survives a disconnect
	defer span.End()
	s.renew()
	d := stores.Delta{
		Generation: s.row.Generation, Remove: others.hidden(s.row.Values),
		Principals: &stores.Principals{
			Data: others.encode(), Owners: others.owners(s.e.cfg.Realms), Generation: s.row.Generation + 1,
		},
		Rename: &stores.Rename{Old: s.row.Digest, New: s.next.digest(), At: s.clock()},
	}
	outcome, _, err := s.e.backend.update(ctx, s.row, d, s.next)
	switch {
	case err != nil:
		return storeError("end login", err)
	case outcome == stores.Gone:
		return autherr.ErrSessionEnded
	case outcome == stores.Replaced:
		return s.whyReplaced(ctx)
	case outcome != stores.Updated:
		return autherr.ErrConflict // what to end has another id
	}
	s.row = withDelta(s.row, d)
	s.row.Row = s.next.row
	s.issued, s.next = s.next, nil
	return nil
}

// Row returns the name of the stored row, or "".
func (s *Session) Row() string {
	s.lock()
	defer s.mu.Unlock()
	if s.load() != nil || !s.exists {
		return ""
	}
	return s.row.Row
}

// NeedsCookie reports whether the commit will set or delete the session cookie.
func (s *Session) NeedsCookie() bool {
	s.lock()
	defer s.mu.Unlock()
	if len(s.unread) > 0 {
		_ = s.load() // whether there will be a new session; the commit returns the error
	}
	return s.next != nil || s.issued != nil || s.clearing || (!s.exists && len(s.set) > 0) || (s.e.inCookie && (s.changed() || s.renewed))
}

// Pending reports whether there are changes to store.
func (s *Session) Pending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !*s.committed() && s.state != nil && (len(s.unread) > 0 || s.changed())
}
