package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/sessioncodec"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// reservedPrefix begins the keys that belong to ginauth. Applications neither see
// nor set them.
const reservedPrefix = "_ginauth."

// flashPrefix begins the keys that mark others as flashed. Each key has a mark of
// its own, so that parallel requests do not overwrite each other's marks.
const flashPrefix = reservedPrefix + "flash."

// Session is one session, of a request or opened by Engine.Open. Init makes the zero
// Session that of a request. The methods that applications use are documented by
// ginauth.Session. A Session is safe for concurrent use.
type Session struct {
	e *Engine
	r *request.State // the request whose response stores the session, or nil

	mu sync.Mutex
	*state
}

// committed returns the flag that says that the session cannot be changed any more. A session
// without a request has a state from the beginning.
func (s *Session) committed() *bool {
	if s.r != nil {
		return &s.r.SessionCommitted
	}
	return &s.saved
}

// state is what there is of a session that is used. It is nil until then: most
// requests use no session and do not pay for one.
type state struct {
	ctx   context.Context // for loading, outside a request
	fault error           // why the session cannot be read or stored
	saved bool            // outside a request: it cannot be changed any more

	loaded    bool
	presented bool // the request carries a session cookie
	consulted bool // the response depends on the session
	exists    bool // row is stored, or came in the cookie
	due       bool // the last use is to be written, or the cookie to be sealed again
	// superseded says that a parallel request replaced the presented id moments
	// ago.
	superseded bool
	// before are the logins that a superseded id opened.
	before   principals
	clearing bool // the cookie is to be deleted
	// again is the one value, of several cookies, that opened the session. It is sent again,
	// because the other cookies are deleted.
	again string

	// fresh is the user that came with the row, for the call that loaded it alone.
	fresh models.Authenticatable
	row   stores.Session // as loaded, without the values of a user who was replaced since
	read  time.Time      // when the row was loaded, or the first of unread was put

	unread   map[string][]byte // values that were put without loading the session
	unreadID ID                // of the session then
	// ended says that the session was deleted since the first of unread was put, or shortly before.
	// It cannot be changed by this request, except by a login.
	ended bool

	set     map[string][]byte // changes since loading
	removed map[string]bool
	now     map[string][]byte // values for this request only
	flashed map[string]bool   // keys that the former request flashed, without those that are kept
	carried map[string]bool   // keys in now that came in the cookie of carriedFlash

	held    tally             // the values with the changes so far
	index   map[string]string // of the stored values, once it is worth making
	lookups uint8             // in the stored values, without an index

	// who is logged in. One login, as usual, needs no further memory.
	who        principals
	oneLogin   [1]principal
	whoChanged bool       // by this request, for the commit
	made       principals // the logins of this request
	replaced   bool       // a user was replaced by another one
	renewed    bool       // a login was only sealed again under the current key

	next   *secretID // the new id, if there is to be one
	issued *secretID // an id that is stored and not sent yet
}

// Init makes s the session of a request.
func (s *Session) Init(e *Engine, r *request.State) { s.e, s.r = e, r }

// lock locks the session for use.
func (s *Session) lock() {
	s.mu.Lock()
	if s.state == nil {
		s.state = new(state)
	}
}

// context returns the context for loading the session.
func (s *Session) context() context.Context {
	if s.r == nil {
		return s.ctx
	}
	return s.r.Context()
}

// span opens a span of store calls, in the request's budget if there is a request.
func (s *Session) span(ctx context.Context) (context.Context, *deadline.Span) {
	if s.r == nil {
		return s.e.env.Span(ctx)
	}
	return s.r.Span(ctx)
}

// Get returns the value of a key, or nil.
func (s *Session) Get(key string) any {
	s.lock()
	defer s.mu.Unlock()
	data, ok := s.lookup(key)
	if !ok || reserved(key) {
		return nil
	}
	value, err := Decode(data)
	if err != nil {
		s.fail(autherr.Unavailable("read session", err))
		return nil
	}
	return value
}

// Value returns the value of a key as a T, or false if there is none that fits.
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

// All returns all keys with their values.
func (s *Session) All() map[string]any {
	s.lock()
	defer s.mu.Unlock()
	all := make(map[string]any)
	for _, key := range s.keys() {
		data, _ := s.lookup(key)
		value, err := Decode(data)
		if err != nil {
			s.fail(autherr.Unavailable("read session", err))
			return map[string]any{}
		}
		all[key] = value
	}
	return all
}

// Put sets a key. The value is encoded at once, so that a value that cannot be
// stored is refused here.
func (s *Session) Put(key string, value any) error {
	s.lock()
	defer s.mu.Unlock()
	return s.put(key, value)
}

// Pull returns the value of a key and removes it.
func (s *Session) Pull(key string) any {
	value := s.Get(key)
	if err := s.Forget(key); err != nil {
		s.Fail(err)
		return nil
	}
	return value
}

// Forget removes keys.
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

// Flush removes all keys of the application.
func (s *Session) Flush() error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	s.clearKeys()
	return nil
}

// clearKeys removes all keys of the application, and the marks of those that are flashed.
func (s *Session) clearKeys() {
	for key := range s.row.Values.All() {
		if clearable(key) {
			s.remove(key)
		}
	}
	for key := range s.set {
		if clearable(key) {
			s.remove(key)
		}
	}
	clear(s.now) // holds only keys of the application
	s.flashed = nil
}

// clearable reports whether a Flush removes a key.
func clearable(key string) bool { return !reserved(key) || strings.HasPrefix(key, flashPrefix) }

// Regenerate gives the session a new id when the response begins.
func (s *Session) Regenerate() error {
	s.lock()
	defer s.mu.Unlock()
	if s.r == nil {
		return fmt.Errorf("ginauth: new session id outside a request: %w", errors.ErrUnsupported)
	}
	if err := s.writable(); err != nil {
		return err
	}
	s.renew()
	return nil
}

// Invalidate ends the session at once.
func (s *Session) Invalidate() error {
	s.lock()
	defer s.mu.Unlock()
	return s.end()
}

// ID returns the session's public name, or "" if there is nothing to store.
func (s *Session) ID() string {
	s.lock()
	defer s.mu.Unlock()
	if s.load() != nil || (!s.exists && !s.changed()) {
		return ""
	}
	row, digest := s.id()
	return row + "." + digest.String()[:publicDigest]
}

// publicDigest is how many hexadecimal digits of the secret's digest are part of a
// session's public name.
const publicDigest = 16

// Token returns the token for forms, which is derived from the session's id.
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
	return s.e.formToken(digest), nil
}

// ValidToken reports, in constant time, whether token is this session's.
func (s *Session) ValidToken(token string) bool {
	s.lock()
	defer s.mu.Unlock()
	if s.load() != nil || !s.exists {
		return false
	}
	return s.e.validFormToken(token, s.row.Digest)
}

// Save stores the changes of a session that Engine.Open opened. For a session of a
// request, which the response stores, it only reports what failed so far.
func (s *Session) Save(ctx context.Context) error {
	if s.r != nil {
		return s.Fault()
	}
	_, err := s.Commit(ctx)
	return err
}

// Fault returns why the session cannot be read or stored, if so.
func (s *Session) Fault() error {
	s.lock()
	defer s.mu.Unlock()
	return s.fault
}

// Fail makes the commit fail with err. A nil err is ignored.
func (s *Session) Fail(err error) {
	if err == nil {
		return
	}
	s.lock()
	defer s.mu.Unlock()
	s.fail(err)
}
