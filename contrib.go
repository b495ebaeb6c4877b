package ginauth

import (
	"fmt"

	"github.com/gin-contrib/sessions"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/sessioncodec"
)

// contribKey is where gin-contrib/sessions looks for its session.
const contribKey = sessions.DefaultKey

// contribFlashes is the key that AddFlash uses if it is given none.
const contribFlashes = "_flash"

// contribSession lets code written for gin-contrib/sessions work on the same
// data. Its methods return no errors; what goes wrong makes the request fail.
type contribSession Session

var _ sessions.Session = (*contribSession)(nil)

func (c *contribSession) session() *Session { return (*Session)(c) }

// Format writes the type's name: a session holds secrets.
func (c *contribSession) Format(f fmt.State, verb rune) { c.session().Format(f, verb) }

// ID returns Session.ID.
func (c *contribSession) ID() string { return c.session().ID() }

// Get returns Session.Get of a string key.
func (c *contribSession) Get(key any) any {
	name, ok := c.name(key)
	if !ok {
		return nil
	}
	return c.session().Get(name)
}

// Set is Session.Put with a string key.
func (c *contribSession) Set(key, value any) {
	if name, ok := c.name(key); ok {
		c.check(c.session().Put(name, value))
	}
}

// Delete is Session.Forget of a string key.
func (c *contribSession) Delete(key any) {
	if name, ok := c.name(key); ok {
		c.check(c.session().Forget(name))
	}
}

// Clear is Session.Flush: it logs nobody out.
func (c *contribSession) Clear() { c.check(c.session().Flush()) }

// AddFlash appends a value to a list that Flashes returns once.
func (c *contribSession) AddFlash(value any, vars ...string) {
	key := flashKey(vars)
	data, err := sessioncodec.Encode(value)
	if err != nil {
		c.check(fmt.Errorf("ginauth: flash: a %T cannot be stored: %w", value, err))
		return
	}
	list, _ := Value[[][]byte](c.session(), key)
	c.check(c.session().Put(key, append(list, data)))
}

// Flashes returns the list that AddFlash made, and removes it.
func (c *contribSession) Flashes(vars ...string) []any {
	key := flashKey(vars)
	list, ok := Value[[][]byte](c.session(), key)
	if !ok {
		return nil
	}
	c.check(c.session().Forget(key))
	flashes := make([]any, 0, len(list))
	for _, data := range list {
		value, err := decodeValue(string(data))
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
func (c *contribSession) Options(o sessions.Options) {
	if o.MaxAge < 0 {
		c.check(c.session().Invalidate())
	}
}

// Save returns what went wrong so far. The response stores the session, with or
// without it.
func (c *contribSession) Save() error {
	s := c.session()
	s.lock()
	defer s.mu.Unlock()
	return s.fault
}

func (c *contribSession) name(key any) (string, bool) {
	name, ok := key.(string)
	if !ok {
		c.check(fmt.Errorf("ginauth: sessions.Default: key of type %T: only strings are kept", key))
	}
	return name, ok
}

func (c *contribSession) check(err error) {
	if err == nil {
		return
	}
	s := c.session()
	s.lock()
	defer s.mu.Unlock()
	s.fail(err)
}

func flashKey(vars []string) string {
	if len(vars) > 0 {
		return vars[0]
	}
	return contribFlashes
}
