package ginauth

import (
	"context"
	"fmt"
	"reflect"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/models"
)

// Resource is what Load returns: how Authorize finds the resource of a request.
type Resource interface {
	// find also puts what it found on the context, for Loaded.
	find(ctx context.Context, c *gin.Context) (value any, found bool, err error)
}

// loadedKey is where what was loaded is kept, one place for each type.
type loadedKey[R any] struct{}

// maxParam is the longest route parameter that is looked up.
const maxParam = 1024

type loader[R any] struct {
	param string
	load  func(ctx context.Context, id string) (R, bool, error)
}

// Load returns the Resource that a route parameter names. The function gets the
// parameter's text and returns the resource, or false if there is none;
// gormstore.Find makes one. It panics if the function is nil or the name empty.
func Load[R any](param string, load func(ctx context.Context, id string) (R, bool, error)) Resource {
	if param == "" || load == nil {
		panic("ginauth: Load: needs the name of a route parameter and a function")
	}
	return &loader[R]{param, load}
}

func (l *loader[R]) find(ctx context.Context, c *gin.Context) (any, bool, error) {
	id := c.Param(l.param)
	if id == "" || len(id) > maxParam {
		return nil, false, nil
	}
	r, found, err := l.load(ctx, id)
	if found && err == nil {
		c.Set(loadedKey[R]{}, r)
	}
	return r, found, err
}

// Authorize lets only those pass who have the ability: with a Resource from
// Load on what the request names, with a value from OfType on a type as such,
// with neither on nothing in particular. A resource that does not exist is 404
// before any rule is asked; a guest who is denied gets 401, a user 403 or what
// the decision says, and 503 whoever meets a rule that could not decide.
//
// It panics if more than one resource is given, or something else.
func (m *Manager) Authorize(ability string, resource ...any) gin.HandlerFunc {
	source := checkResource(ability, resource)
	m.usage.ability(ability)
	return m.mark(kindNeutral, func(c *gin.Context) {
		m.handle(c, func(x *exchange) error {
			ctx, span := x.phase(c.Request.Context())
			defer span.end()
			if source == nil {
				return x.gate.Authorize(ctx, ability, resource...)
			}
			value, found, err := source.find(ctx, c)
			if err != nil {
				return autherr.Unavailable("load resource", err)
			}
			if !found {
				return ErrNotFound
			}
			return x.gate.Authorize(ctx, ability, value)
		})
	})
}

func checkResource(ability string, resource []any) Resource {
	if fault := gateNameFault(ability); fault != "" {
		panic(fmt.Sprintf("ginauth: Authorize(%q): %s", ability, fault))
	}
	if len(resource) == 0 {
		return nil
	}
	if len(resource) > 1 {
		panic(fmt.Sprintf("ginauth: Authorize(%q): one resource, not %d", ability, len(resource)))
	}
	switch r := resource[0].(type) {
	case Resource:
		return r
	case policyType:
		return nil
	}
	panic(fmt.Sprintf("ginauth: Authorize(%q): a %T is no resource: use Load or OfType", ability, resource[0]))
}

// Loaded returns the R that Authorize loaded for the request. It panics if none
// was.
func Loaded[R any](c *gin.Context) R {
	value, ok := c.Get(loadedKey[R]{})
	if !ok {
		panic(fmt.Sprintf("ginauth: Loaded: no Authorize with a Load of %s ran before", reflect.TypeFor[R]()))
	}
	return value.(R)
}

// authenticatorSource is an Authenticator that gates get their user from. It is a
// type of its own because Authenticator does not export these methods.
type authenticatorSource Authenticator

// User returns the user of the Authenticator.
func (s *authenticatorSource) User(ctx context.Context) (models.Authenticatable, error) {
	return (*Authenticator)(s).User(ctx)
}

// UserIsChecked promises that the users are checked: a guard's answer is.
func (*authenticatorSource) UserIsChecked() {}

// Fail makes the response of the request 503.
func (s *authenticatorSource) Fail(err error) { s.x.stick(err) }

// gate returns the gate bound to the user of a.
func (a *Authenticator) gate() *Gate {
	if a == &a.x.auth {
		return &a.x.gate
	}
	var g Gate
	a.x.m.gate.bind(&g, (*authenticatorSource)(a))
	return &g
}

// logDenial writes why a check was denied by a fault rather than by a rule.
func (m *Manager) logDenial(ctx context.Context, ability, reason string, err error) {
	m.log.WarnContext(ctx, "ginauth: denied by a fault", "ability", ability, "reason", reason, "error", err)
}
