package ginauth

import (
	"context"
	"fmt"

	"github.com/ginauth/ginauth/internal/session"
)

// Session is the session of a request, or one that Manager.Session opened.
//
// The store is asked when the session is first used, and not at all if it is not used. Changes are stored when the
// response begins, as the keys that were set and removed, so that parallel requests keep each other's changes. If two
// requests set the same key, the later one wins. Sessions that live in their cookies (stores.ClientSessions) are
// stored as a whole: of two parallel changes one is lost.
//
// Values of type bool, string, []byte, time.Time and of the integer and float types come back with the same type. All
// others are kept as JSON: Get returns them as json.RawMessage, and Value as the type asked for.
//
// If a method that returns no error cannot read the store, it behaves as if the session were empty, and the response
// becomes 503 whatever the handler writes. A Session is safe for concurrent use.
type Session struct{ s session.Session }

// Session opens a session outside a request, by its cookie's value or by the public name that Session.ID returned. A
// name proves nothing: the caller must have it from a trusted place. Save stores the changes. The error wraps
// ErrSessionEnded if there is no such session, and ErrUnavailable if the store failed.
//
// A session that lives in its cookie (stores.ClientSessions) can be opened by the cookie's value, read, and ended by
// Invalidate. Opening it by its name, or saving changes, returns an error that wraps errors.ErrUnsupported.
func (m *Manager) Session(ctx context.Context, id string) (*Session, error) {
	s := new(Session)
	if err := m.sessions.Open(ctx, &s.s, id); err != nil {
		return nil, err
	}
	return s, nil
}

// Format writes the type's name: a session holds secrets.
func (*Session) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("ginauth.Session")) }

// Get returns the value of a key, or nil if the session has no such key.
func (s *Session) Get(key string) any { return s.s.Get(key) }

// Value returns the value of a key as a T. It returns false if the session has no such key, or if its value is not a
// T. An integer of another width counts as a T if the value fits.
func Value[T any](s *Session, key string) (T, bool) { return session.Value[T](&s.s, key) }

// Has reports whether the session has the key.
func (s *Session) Has(key string) bool { return s.s.Has(key) }

// All returns all keys with their values, as Get returns them.
func (s *Session) All() map[string]any { return s.s.All() }

// Put sets a key. The value is encoded at once, so that a value that cannot be stored is refused here; the error names
// the key and never contains the value. Put returns ErrCommitted once the response has begun, an error wrapping ErrInvalidInput
// if the key, the number of keys or the size of the session is not acceptable, and one wrapping ErrUnavailable if the session
// cannot be loaded. With a stores.SessionWriter, small values do not load it: the response then reports these errors.
func (s *Session) Put(key string, value any) error { return s.s.Put(key, value) }

// Pull returns the value of a key as Get does and removes the key.
func (s *Session) Pull(key string) any { return s.s.Pull(key) }

// Forget removes keys. The errors are those of Put.
func (s *Session) Forget(keys ...string) error { return s.s.Forget(keys...) }

// Flush removes all keys of the application. Logged-in users stay logged in. The errors are those of Put.
func (s *Session) Flush() error { return s.s.Flush() }

// Flash sets a key for this request and the next one that uses the session. The errors are those of Put.
func (s *Session) Flash(key string, value any) error { return s.s.Flash(key, value) }

// Now sets a key for this request only. Nothing is stored.
func (s *Session) Now(key string, value any) error { return s.s.Now(key, value) }

// Keep keeps keys that the former request flashed for one more request. The errors are those of Put.
func (s *Session) Keep(keys ...string) error { return s.s.Keep(keys...) }

// Reflash keeps all keys that the former request flashed for one more request. The errors are those of Put.
func (s *Session) Reflash() error { return s.s.Reflash() }

// Push appends a value to the list under a key, and starts a list if there is none. Read the list with Value[[]T].
// The errors are those of Put; a value that is not a list returns one that wraps ErrInvalidInput.
func (s *Session) Push(key string, value any) error { return s.s.Push(key, value) }

// Increment adds by to the integer under a key and returns the sum. A missing key counts as 0 and becomes an int64.
// The errors are those of Put; a value that is not an integer, or a sum that does not fit, returns one that wraps
// ErrInvalidInput.
//
// Parallel requests that increment the same key may be counted once, because a session merges changes of different
// keys and not of one key. Count in a database what must be exact.
func (s *Session) Increment(key string, by int64) (int64, error) { return s.s.Increment(key, by) }

// Decrement is Increment by -by.
func (s *Session) Decrement(key string, by int64) (int64, error) { return s.s.Decrement(key, by) }

// Regenerate gives the session a new id when the response begins. The old id is then invalid; the values stay. A
// session that Manager.Session opened has no response to carry a new id: its error wraps errors.ErrUnsupported.
func (s *Session) Regenerate() error { return s.s.Regenerate() }

// Invalidate ends the session at once, with all its values and logins. When it returns nil the id is invalid, also if
// the client has disconnected. The request continues with an empty session.
func (s *Session) Invalidate() error { return s.s.Invalidate() }

// ID returns the session's public name, for Manager.Session. It changes with the session's id. Unlike the cookie it
// opens nothing and may be logged. It is "" as long as there is nothing to store.
func (s *Session) ID() string { return s.s.ID() }

// Token returns a token for the forms of this session. It is derived from the session's id, so it changes with the id
// and is not stored. Token starts a session if there is none.
func (s *Session) Token() (string, error) { return s.s.Token() }

// ValidToken reports, in constant time, whether token is this session's form token.
func (s *Session) ValidToken(token string) bool { return s.s.ValidToken(token) }

// Save stores the changes of a session that Manager.Session opened. Afterwards the session can only be read. The errors wrap
// ErrSessionEnded, ErrConflict, ErrUnavailable, or errors.ErrUnsupported for a session that lives in its cookie, which only
// a response can send. A session of a request is stored by its response: Save then only reports what has failed so far.
func (s *Session) Save(ctx context.Context) error { return s.s.Save(ctx) }
