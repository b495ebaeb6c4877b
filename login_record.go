package ginauth

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/stores"
)

// loginPrefix begins the reserved keys that say who is logged in, one for each
// guard.
const loginPrefix = reservedPrefix + "login."

// loginRecord is what a session knows of a login.
type loginRecord struct {
	id          string
	at          time.Time
	confirmed   time.Time     // when the password was last given, or zero
	fingerprint stores.Digest // of the user's security stamp
	series      string        // the family of the device's remember-me tokens, or ""
	remembered  bool          // the login was made by one of them
}

// A record is, in this order: its version, flags, the two times in microseconds
// since 1970, the fingerprint, the series as 16 bytes, the user's identifier.
const (
	loginVersion    = 1
	loginRemembered = 1 // flag
	loginFixed      = 2 + 8 + 8 + len(stores.Digest{}) + rowBytes
)

func (l loginRecord) encode() []byte {
	b := make([]byte, 0, loginFixed+len(l.id))
	b = append(b, loginVersion, 0)
	if l.remembered {
		b[1] = loginRemembered
	}
	b = binary.BigEndian.AppendUint64(b, uint64(l.at.UnixMicro()))
	confirmed := int64(0)
	if !l.confirmed.IsZero() {
		confirmed = l.confirmed.UnixMicro()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(confirmed))
	b = append(b, l.fingerprint[:]...)
	var series [rowBytes]byte // none is all zeros
	_, _ = hex.Decode(series[:], []byte(l.series))
	b = append(b, series[:]...)
	return append(b, l.id...)
}

func parseLogin(data string) (loginRecord, error) {
	if len(data) <= loginFixed || data[0] != loginVersion || data[1] > loginRemembered {
		return loginRecord{}, fmt.Errorf("%w: login record", stores.ErrCorrupt)
	}
	l := loginRecord{
		remembered: data[1] == loginRemembered,
		at:         time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(data[2:10])))),
		id:         data[loginFixed:],
	}
	if confirmed := int64(binary.BigEndian.Uint64([]byte(data[10:18]))); confirmed != 0 {
		l.confirmed = time.UnixMicro(confirmed)
	}
	n := 18 + copy(l.fingerprint[:], data[18:])
	if series := data[n:loginFixed]; series != string(make([]byte, rowBytes)) {
		l.series = hex.EncodeToString([]byte(series))
	}
	return l, nil
}

// login returns who is logged in by a guard, if somebody is.
func (s *Session) login(ctx context.Context, guard string) (l loginRecord, ok bool, err error) {
	s.lock()
	defer s.mu.Unlock()
	if err := s.loadIn(ctx); err != nil {
		return loginRecord{}, false, err
	}
	data, ok := s.lookup(loginPrefix + guard)
	if !ok {
		return loginRecord{}, false, nil
	}
	l, err = parseLogin(data)
	if err != nil {
		s.fail(autherr.Unavailable("read session", err))
		return loginRecord{}, false, s.fault
	}
	return l, true, nil
}

// logIn notes a login. The id changes, so that one planted before is worth
// nothing (OWASP ASVS 5.0, 7.2.4). What a guest put into the session stays;
// what another user did is not shown to this one.
func (s *Session) logIn(guard string, l loginRecord) error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	if data, ok := s.lookup(loginPrefix + guard); ok {
		if before, err := parseLogin(data); err != nil || before.id != l.id {
			for _, key := range s.keys() {
				s.remove(key)
			}
		}
	}
	s.assign(loginPrefix+guard, l.encode())
	s.renew()
	s.loggedIn = true
	return nil
}

// renewLogin stores a login again, under the current key.
func (s *Session) renewLogin(guard string, l loginRecord) error {
	s.lock()
	defer s.mu.Unlock()
	if s.committed {
		return nil // the next request does it
	}
	s.assign(loginPrefix+guard, l.encode())
	return nil
}

// confirm notes that the user has given the password again. The id changes, as
// at every step up.
func (s *Session) confirm(ctx context.Context, guard, userID string, at time.Time) error {
	login, ok, err := s.login(ctx, guard)
	if err != nil {
		return err
	}
	s.lock()
	defer s.mu.Unlock()
	if !ok || login.id != userID {
		return ErrSessionEnded
	}
	if err := s.writable(); err != nil {
		return err
	}
	login.confirmed = at
	s.assign(loginPrefix+guard, login.encode())
	s.renew()
	return nil
}

// currentRow returns the name of the session's row, or "" if it is not stored.
func (s *Session) currentRow() string {
	s.lock()
	defer s.mu.Unlock()
	if s.load() != nil || !s.exists {
		return ""
	}
	return s.row.Row
}

// dropLogin ends a guard's login, at once. The session ends with it, unless
// another guard has a user in it: then that one stays, under a new id.
func (s *Session) dropLogin(ctx context.Context, guard string) error {
	return s.drop(ctx, guard, (*Session).end)
}

// dropDead is dropLogin for a login that has ended already, as one does when the
// user's stamp changes.
func (s *Session) dropDead(ctx context.Context, guard string) error {
	return s.drop(ctx, guard, (*Session).endDead)
}

func (s *Session) drop(ctx context.Context, guard string, end func(*Session) error) error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	others := s.principals(guard)
	if len(others.Owners) == 0 {
		return end(s)
	}
	if s.exists {
		if err := s.dropStored(ctx, guard, others); err != nil {
			s.fail(err)
			return err
		}
	}
	s.remove(loginPrefix + guard)
	return nil
}

// dropStored takes a login out of the stored session.
func (s *Session) dropStored(ctx context.Context, guard string, others *stores.Principals) error {
	ctx, span := s.phase(context.WithoutCancel(ctx)) // also if the client hung up
	defer span.end()
	s.renew()
	d := stores.Delta{
		Generation: s.row.Generation, Remove: []string{loginPrefix + guard}, Principals: others,
		Rename: &stores.Rename{Old: s.row.Digest, New: s.next.digest(), At: s.clock()},
	}
	outcome, _, err := s.m.keeper.update(ctx, s.row, d, s.next)
	switch {
	case err != nil:
		return storeError("end login", err)
	case outcome == stores.Stale:
		return ErrConflict
	case outcome != stores.Updated:
		return ErrSessionEnded
	}
	s.row.Row, s.row.Digest, s.row.Values = s.next.row, d.Rename.New, s.row.Values.With(d)
	s.row.Owners, s.row.Generation = others.Owners, others.Generation
	s.issued, s.next = s.next, nil
	return nil
}

// principals returns what the session's row holds of who is logged in by the other
// guards than the one named.
func (s *Session) principals(except string) *stores.Principals {
	return &stores.Principals{Data: s.row.Principals, Owners: s.owners(except), Generation: s.row.Generation}
}

// owners returns the users who are logged in by the other guards than the one named.
func (s *Session) owners(except string) (owners []string) {
	for _, name := range s.m.guardNames() {
		data, found := s.lookup(loginPrefix + name)
		if !found || name == except {
			continue
		}
		l, err := parseLogin(data)
		if err != nil {
			continue
		}
		if owner := ownerName(s.m.guards[name].realm, l.id); !slices.Contains(owners, owner) {
			owners = append(owners, owner)
		}
	}
	return owners
}

// needsCookie reports whether storing the session will set its cookie.
func (s *Session) needsCookie() bool {
	s.lock()
	defer s.mu.Unlock()
	inCookie := s.m.stores.ClientSessions != nil
	return s.next != nil || s.issued != nil || s.clearing || (!s.exists && len(s.set) > 0) || (inCookie && s.changed())
}

// pending reports whether there are changes still to be stored.
func (s *Session) pending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.committed && s.sessionState != nil && s.changed()
}

// notesBeforeAnswer calls note once the session is stored, and fails the request if
// that fails.
func (s *Session) notesBeforeAnswer(note func(context.Context) error) {
	s.lock()
	defer s.mu.Unlock()
	s.beforeAnswer = append(s.beforeAnswer, note)
}

// afterCommit calls f once the session is stored, and never if it is not.
func (s *Session) afterCommit(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.committed {
		return
	}
	s.onCommit = append(s.onCommit, f)
}
