package session

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/stores"
)

// loginPrefix begins the reserved keys that say who is logged in, one for each
// guard.
const loginPrefix = reservedPrefix + "login."

// Login is what a session knows of the login by one guard.
type Login struct {
	UserID      string
	At          time.Time
	Confirmed   time.Time     // when the user last gave the password, or zero
	Fingerprint stores.Digest // of the user's security stamp
	Series      string        // the family of the device's remember-me tokens, or ""
	Remembered  bool          // a remember-me token made the login
}

// The encoding of a Login is, in this order: version, flags, the two times in
// microseconds since 1970, the fingerprint, the series as 16 bytes, the user's
// identifier.
const (
	loginVersion    = 1
	loginRemembered = 1 // flag
	loginFixed      = 2 + 8 + 8 + len(stores.Digest{}) + rowBytes
)

func (l Login) encode() []byte {
	b := make([]byte, 0, loginFixed+len(l.UserID))
	b = append(b, loginVersion, 0)
	if l.Remembered {
		b[1] = loginRemembered
	}
	b = binary.BigEndian.AppendUint64(b, uint64(l.At.UnixMicro()))
	confirmed := int64(0)
	if !l.Confirmed.IsZero() {
		confirmed = l.Confirmed.UnixMicro()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(confirmed))
	b = append(b, l.Fingerprint[:]...)
	var series [rowBytes]byte // all zeros stands for none
	_, _ = hex.Decode(series[:], []byte(l.Series))
	b = append(b, series[:]...)
	return append(b, l.UserID...)
}

func parseLogin(data string) (Login, error) {
	if len(data) <= loginFixed || data[0] != loginVersion || data[1] > loginRemembered {
		return Login{}, fmt.Errorf("%w: login record", stores.ErrCorrupt)
	}
	l := Login{
		Remembered: data[1] == loginRemembered,
		At:         time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(data[2:10])))),
		UserID:     data[loginFixed:],
	}
	if confirmed := int64(binary.BigEndian.Uint64([]byte(data[10:18]))); confirmed != 0 {
		l.Confirmed = time.UnixMicro(confirmed)
	}
	n := 18 + copy(l.Fingerprint[:], data[18:])
	if series := data[n:loginFixed]; series != string(make([]byte, rowBytes)) {
		l.Series = hex.EncodeToString([]byte(series))
	}
	return l, nil
}

// LoginsIn returns the logins that a stored row has by the guards of a realm.
func (e *Engine) LoginsIn(row *stores.Session, realm string) iter.Seq[Login] {
	return func(yield func(Login) bool) {
		for _, guard := range e.guards {
			data, ok := row.Values.Get(loginPrefix + guard)
			if !ok || e.cfg.Realms[guard] != realm {
				continue
			}
			if l, err := parseLogin(data); err == nil && !yield(l) {
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
	data, ok := s.lookup(loginPrefix + guard)
	if !ok {
		return Login{}, false, nil
	}
	l, err = parseLogin(data)
	if err != nil {
		s.fail(autherr.Unavailable("read session", err))
		return Login{}, false, s.fault
	}
	return l, true, nil
}

// LogIn records a login. The session gets a new id, so that an id planted before is
// worthless (OWASP ASVS 5.0, 7.2.4). Keys of an anonymous session stay. Keys of
// another user are removed.
func (s *Session) LogIn(guard string, l Login, owner string) error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	if data, ok := s.lookup(loginPrefix + guard); ok {
		if before, err := parseLogin(data); err != nil || before.UserID != l.UserID {
			s.clearKeys()
		}
	}
	s.assign(loginPrefix+guard, l.encode())
	s.renew()
	s.owner, s.loggedIn = &owner, true
	return nil
}

// RenewLogin stores a login again, with a fingerprint under the current key. Once
// the response has begun it does nothing: a later request does it.
func (s *Session) RenewLogin(guard string, l Login) error {
	s.lock()
	defer s.mu.Unlock()
	if s.committed {
		return nil
	}
	s.assign(loginPrefix+guard, l.encode())
	return nil
}

// Confirm records that the user gave the password again. The session gets a new id,
// as at every step up.
func (s *Session) Confirm(ctx context.Context, guard, userID string, at time.Time) error {
	login, ok, err := s.Login(ctx, guard)
	if err != nil {
		return err
	}
	s.lock()
	defer s.mu.Unlock()
	if !ok || login.UserID != userID {
		return autherr.ErrSessionEnded
	}
	if err := s.writable(); err != nil {
		return err
	}
	login.Confirmed = at
	s.assign(loginPrefix+guard, login.encode())
	s.renew()
	return nil
}

// LogOut ends a guard's login at once, also if the client has disconnected. The
// session ends with it, unless another guard has a login in the session: then the
// session goes on under a new id.
func (s *Session) LogOut(ctx context.Context, guard string) error {
	return s.drop(ctx, guard, (*Session).end)
}

// InvalidateStale is LogOut for a login that has ended already, as all logins of a
// user do when the security stamp changes.
func (s *Session) InvalidateStale(ctx context.Context, guard string) error {
	return s.drop(ctx, guard, (*Session).endStale)
}

func (s *Session) drop(ctx context.Context, guard string, end func(*Session) error) error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	owner, others := s.otherLogin(guard)
	if !others {
		return end(s)
	}
	if s.exists {
		if err := s.dropStored(ctx, guard, owner); err != nil {
			s.fail(err)
			return err
		}
	}
	s.remove(loginPrefix + guard)
	return nil
}

// dropStored removes a login from the stored session.
func (s *Session) dropStored(ctx context.Context, guard, owner string) error {
	ctx, span := s.span(context.WithoutCancel(ctx)) // a logout survives a disconnect
	defer span.End()
	s.renew()
	d := stores.Delta{
		Remove: []string{loginPrefix + guard}, Owner: &owner,
		Rename: &stores.Rename{Old: s.row.Digest, New: s.next.digest(), At: s.clock()},
	}
	outcome, _, err := s.e.backend.update(ctx, s.row, d, s.next)
	switch {
	case err != nil:
		return storeError("end login", err)
	case outcome == stores.Stale:
		return autherr.ErrConflict
	case outcome == stores.Gone:
		return autherr.ErrSessionEnded
	}
	s.row.Row, s.row.Digest, s.row.Owner, s.row.Values = s.next.row, d.Rename.New, owner, s.row.Values.With(d)
	s.issued, s.next, s.owner = s.next, nil, nil
	return nil
}

// otherLogin returns the owner that the session has without this guard's login, if
// there is one.
func (s *Session) otherLogin(guard string) (owner string, ok bool) {
	for _, name := range s.e.guards {
		if data, found := s.lookup(loginPrefix + name); found && name != guard {
			if l, err := parseLogin(data); err == nil {
				return realm.OwnerName(s.e.cfg.Realms[name], l.UserID), true
			}
		}
	}
	return "", false
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
	return s.next != nil || s.issued != nil || s.clearing || (!s.exists && len(s.set) > 0) || (s.e.inCookie && s.changed())
}

// Pending reports whether there are changes to store.
func (s *Session) Pending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.committed && s.state != nil && s.changed()
}
