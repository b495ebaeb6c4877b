package ginauth

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/sessioncodec"
	"github.com/ginauth/ginauth/stores"
)

// reservedPrefix begins the keys that ginauth keeps in a session. Applications
// neither see nor set them.
const reservedPrefix = "_ginauth."

// flashPrefix begins the keys that mark others as flashed. One mark for each
// key, so that parallel requests do not overwrite each other's.
const flashPrefix = reservedPrefix + "flash."

// Session is the session of a request, or one opened by Manager.Session.
//
// Loading is lazy: the store is asked when the session is first used, and not
// at all if it is not. Changes are kept here and stored when the response
// begins, as the keys that were set and removed, so that parallel requests keep
// each other's changes; of two that set the same key the later wins. Sessions
// that live in their cookies (stores.ClientSessions) are stored as a whole, and of two
// parallel changes one is lost.
//
// Values of type bool, string, []byte, time.Time, and of the integer and float
// types, come back as the type they were. All others are kept as JSON: Get
// returns them as json.RawMessage, and Value as the type asked for.
//
// A method that returns no error and cannot read the store behaves as if the
// session were empty, and the request is answered with 503 whatever its
// handler writes. A Session is safe for concurrent use.
type Session struct {
	m *Manager
	x *exchange // whose response stores it and carries its id, or nil

	mu        sync.Mutex
	committed bool
	onCommit  []func() // what waits for the session to be stored
	*sessionState
}

// sessionState is what there is of a session once it is used. Until then it is
// nil: most requests touch no session, and pay for none.
type sessionState struct {
	ctx   context.Context // for loading, where there is no request
	fault error           // why the session cannot be read or stored

	loaded    bool
	presented bool // a cookie came
	consulted bool // the response depends on the session
	exists    bool // row is in the store, or in the cookie
	due       bool // its use is to be noted, or the cookie to be sealed anew
	// superseded says that the id presented was replaced moments ago by a
	// request that ran in parallel.
	superseded bool
	loggedIn   bool // a login happened in this request
	clearing   bool // the cookie is to be deleted

	row stores.Session // as loaded

	set     map[string][]byte // changes since loading
	removed map[string]bool
	now     map[string][]byte // values of this request alone
	flashed []string          // keys flashed by the request before
	kept    map[string]bool   // those of them that stay

	next   *sessionSecret // the new id, if there is to be one
	issued *sessionSecret // one that is stored and not sent yet
	// beforeAnswer is what is to be noted once the session is stored, and before
	// the client hears of it, or when it hangs up.
	beforeAnswer []func(context.Context) error
}

// lock locks the session for use.
func (s *Session) lock() {
	s.mu.Lock()
	if s.sessionState == nil {
		s.sessionState = new(sessionState)
	}
}

// context returns what the session is loaded under.
func (s *Session) context() context.Context {
	if s.x == nil {
		return s.ctx
	}
	return s.x.req.Context()
}

// Format writes the type's name: a session holds secrets.
func (*Session) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("ginauth.Session")) }

// Get returns the value of a key, or nil if there is none.
func (s *Session) Get(key string) any {
	s.lock()
	defer s.mu.Unlock()
	data, ok := s.lookup(key)
	if !ok || reserved(key) {
		return nil
	}
	value, err := decodeValue(data)
	if err != nil {
		s.fail(autherr.Unavailable("read session", err))
		return nil
	}
	return value
}

// Value returns the value of a key as a T. It returns false if the session has
// no such key, or if its value is not a T: an integer of another width counts
// as one if it fits.
func Value[T any](s *Session, key string) (T, bool) {
	s.lock()
	defer s.mu.Unlock()
	var none T
	data, ok := s.lookup(key)
	if !ok || reserved(key) {
		return none, false
	}
	value, err := sessioncodec.DecodeInto[T](data)
	if err != nil {
		return none, false
	}
	return value, true
}

// Has reports whether the session has the key.
func (s *Session) Has(key string) bool {
	s.lock()
	defer s.mu.Unlock()
	_, ok := s.lookup(key)
	return ok && !reserved(key)
}

// All returns all keys with their values, as Get returns them.
func (s *Session) All() map[string]any {
	s.lock()
	defer s.mu.Unlock()
	all := make(map[string]any)
	for _, key := range s.keys() {
		data, _ := s.lookup(key)
		value, err := decodeValue(data)
		if err != nil {
			s.fail(autherr.Unavailable("read session", err))
			return map[string]any{}
		}
		all[key] = value
	}
	return all
}

// Put sets a key. The value is encoded here, so that what cannot be stored is
// refused where it is put: the error names the key, never the value. It returns
// ErrCommitted once the response has begun, and an error wrapping
// ErrUnavailable if the session cannot be loaded.
func (s *Session) Put(key string, value any) error {
	s.lock()
	defer s.mu.Unlock()
	return s.put(key, value)
}

// Pull returns the value of a key as Get does, and removes it.
func (s *Session) Pull(key string) any {
	value := s.Get(key)
	if err := s.Forget(key); err != nil {
		s.lock()
		defer s.mu.Unlock()
		s.fail(err)
		return nil
	}
	return value
}

// Forget removes keys. The errors are those of Put.
func (s *Session) Forget(keys ...string) error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	for _, key := range keys {
		if reserved(key) {
			return reservedKeyError(key)
		}
		s.remove(key)
	}
	return nil
}

// Flush removes all keys of the application. Whoever is logged in stays so.
func (s *Session) Flush() error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	for _, key := range s.keys() {
		s.remove(key)
	}
	return nil
}

// Regenerate gives the session a new id when the response begins. The old id
// is dead from then on; the values stay. A session opened by Manager.Session
// has nobody to send a new id to: its error wraps errors.ErrUnsupported.
func (s *Session) Regenerate() error {
	s.lock()
	defer s.mu.Unlock()
	if s.x == nil {
		return fmt.Errorf("ginauth: new session id outside a request: %w", errors.ErrUnsupported)
	}
	if err := s.writable(); err != nil {
		return err
	}
	s.renew()
	return nil
}

// Invalidate ends the session at once, with everything in it: when it returns
// nil the id is dead, also if the client has hung up. The request goes on with
// an empty session.
func (s *Session) Invalidate() error {
	s.lock()
	defer s.mu.Unlock()
	return s.end()
}

// ID returns the session's public name, which changes with its id. It opens
// nothing: unlike the cookie it may be logged. Manager.Session takes it. It is
// "" as long as there is nothing to store.
func (s *Session) ID() string {
	s.lock()
	defer s.mu.Unlock()
	if s.load() != nil || (!s.exists && !s.changed()) {
		return ""
	}
	row, digest := s.id()
	return row + "." + digest.String()[:publicDigest]
}

// publicDigest is how many hexadecimal digits of the secret's digest are part
// of a session's public name.
const publicDigest = 16

// Token returns the token that forms of this session may carry. It is derived
// from the session's id, never stored, and changes with it. Asking for it
// starts a session if there is none.
func (s *Session) Token() (string, error) {
	s.lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return "", err
	}
	if !s.exists && s.next == nil {
		if err := s.writable(); err != nil {
			return "", err
		}
		s.renew()
	}
	_, digest := s.id()
	return s.m.formToken(digest), nil
}

// ValidToken reports whether token is this session's, in constant time.
func (s *Session) ValidToken(token string) bool {
	s.lock()
	defer s.mu.Unlock()
	if s.load() != nil || !s.exists {
		return false
	}
	return s.m.validFormToken(token, s.row.Digest)
}
