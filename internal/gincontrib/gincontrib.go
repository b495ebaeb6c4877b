// Package gincontrib lets code that was written for gin-contrib/sessions work on the
// sessions of ginauth.
package gincontrib

import (
	"errors"
	"fmt"

	"github.com/gin-contrib/sessions"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/sessioncodec"
)

// Key is the key of a gin.Context under which gin-contrib/sessions finds its session.
const Key = sessions.DefaultKey

// flashes is the key that AddFlash uses by default.
const flashes = "_flash"

// Session is a session with the methods of gin-contrib/sessions. Most of them return
// no error: a failure makes the request fail.
type Session session.Session

var _ sessions.Session = (*Session)(nil)

func (c *Session) session() *session.Session { return (*session.Session)(c) }

// Format writes the type's name: a session holds secrets.
func (*Session) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("ginauth.Session")) }

// ID returns Session.ID.
func (c *Session) ID() string { return c.session().ID() }

// Get returns Session.Get of a string key.
func (c *Session) Get(key any) any {
	name, ok := c.name(key)
	if !ok {
		return nil
	}
	return c.session().Get(name)
}

// Set sets a string key. The value keeps its type: values that Session.Put would store as JSON are
// encoded by package gob, as gin-contrib/sessions does, and must be registered with gob.Register. A
// nil value removes the key, so that Get returns nil.
func (c *Session) Set(key, value any) {
	name, ok := c.name(key)
	switch {
	case !ok:
	case value == nil:
		c.check(c.session().Forget(name))
	default:
		data, err := sessioncodec.EncodeTyped(value)
		if err != nil {
			c.check(fmt.Errorf("ginauth: session key %q: a %T cannot be stored: %w", name, value, err))
			return
		}
		c.check(c.session().PutEncoded(name, data))
	}
}

// Delete is Session.Forget of a string key.
func (c *Session) Delete(key any) {
	if name, ok := c.name(key); ok {
		c.check(c.session().Forget(name))
	}
}

// Clear is Session.Flush. It does not log the user out.
func (c *Session) Clear() { c.check(c.session().Flush()) }

// AddFlash appends a value to a list that Flashes returns once.
func (c *Session) AddFlash(value any, vars ...string) {
	key := flashKey(vars)
	data, err := []byte(nil), error(nil)
	if value != nil { // no data stands for nil
		data, err = sessioncodec.EncodeTyped(value)
	}
	if err != nil {
		c.check(fmt.Errorf("ginauth: flash: a %T cannot be stored: %w", value, err))
		return
	}
	err = c.session().Push(key, data)
	if errors.Is(err, session.ErrNotList) {
		err = c.session().Put(key, [][]byte{data})
	}
	c.check(err)
}

// Flashes returns the list that AddFlash made, and removes it.
func (c *Session) Flashes(vars ...string) []any {
	key := flashKey(vars)
	list, ok := session.Value[[][]byte](c.session(), key)
	if !ok {
		return nil
	}
	c.check(c.session().Forget(key))
	flashes := make([]any, 0, len(list))
	for _, data := range list {
		if len(data) == 0 {
			flashes = append(flashes, nil)
			continue
		}
		value, err := session.Decode(string(data))
		if err != nil {
			c.check(autherr.Unavailable("read session", err))
			return nil
		}
		flashes = append(flashes, value)
	}
	return flashes
}

// Options ends the session if MaxAge is negative. The cookie's other attributes
// are those of the manager's configuration.
func (c *Session) Options(o sessions.Options) {
	if o.MaxAge < 0 {
		c.check(c.session().Invalidate())
	}
}

// Save returns the first failure so far. The response stores the session, whether or
// not Save is called.
func (c *Session) Save() error {
	return c.session().Fault()
}

func (c *Session) name(key any) (string, bool) {
	name, ok := key.(string)
	if !ok {
		c.check(fmt.Errorf("ginauth: sessions.Default: key of type %T: only strings are kept", key))
	}
	return name, ok
}

func (c *Session) check(err error) { c.session().Fail(err) }

func flashKey(vars []string) string {
	if len(vars) > 0 {
		return vars[0]
	}
	return flashes
}
