package ginauth

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

// Gate answers whether a user has an ability. Add rules to Manager.Gate with Define and RegisterPolicy. The gate of a
// request, on its context under "gate", shares these rules and has the request's user. What no rule allows is denied.
// Package gate describes the order of a check.
type Gate = gate.Gate

// Decision is the result of a check, and can be the answer of a rule or a hook. Its zero value denies. Allow, Deny,
// DenyWithStatus, DenyAsNotFound and Undecided return one.
type Decision = gate.Decision

// Result is what a rule may return: a bool, or a Decision.
type Result = gate.Result

// AuthorizationError is the error of a check that does not allow. It wraps ErrForbidden, ErrNotFound,
// ErrUnauthenticated or ErrUnavailable. Abort responds with its status.
type AuthorizationError = gate.AuthorizationError

// NewGate returns a gate without rules, whose user is a guest. An application that has a Manager uses Manager.Gate instead.
func NewGate() *Gate { return gate.New() }

// Define adds an ability on a resource: fn answers whether the user u has it on r. It is called only for users of
// type U and resources of type R that are not nil; every other check of the ability is denied. It may be called from
// several goroutines at once. Define panics if the rule is not valid; see gate.Define.
func Define[U, R any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U, r R) D) {
	gate.Define(g, ability, fn)
}

// DefineUser adds an ability that takes no resource: fn answers whether the user u has it. See gate.DefineUser.
func DefineUser[U any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U) D) {
	gate.DefineUser(g, ability, fn)
}

// DefineGuest is Define for a rule that is also asked about guests, with a nil u. See gate.DefineGuest.
func DefineGuest[U, R any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U, r R) D) {
	gate.DefineGuest(g, ability, fn)
}

// DefineUserGuest is DefineUser for a rule that is also asked about guests, with a nil u. See gate.DefineUserGuest.
func DefineUserGuest[U any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U) D) {
	gate.DefineUserGuest(g, ability, fn)
}

// Allow returns a decision that allows.
func Allow() Decision { return gate.Allow() }

// Deny returns a denial with status 403. The message is for the client and may be empty.
func Deny(message string) Decision { return gate.Deny(message) }

// DenyWithStatus returns a denial with an HTTP status. The message is for the client and may be empty. A status
// outside 400 to 499 is replaced by 403.
func DenyWithStatus(status int, message string) Decision { return gate.DenyWithStatus(status, message) }

// DenyAsNotFound returns a denial with status 404 and no message. The client cannot distinguish it from a resource
// that does not exist.
func DenyAsNotFound() Decision { return gate.DenyAsNotFound() }

// StepUp returns a decision that allows once the user has proved a level within a time; see gate.StepUp.
func StepUp(level factor.Level, within time.Duration) Decision {
	return gate.StepUp(int(level), within)
}

// Undecided returns the decision of a rule that could not decide, for example because a database failed. It does not
// allow, and its status is 503. The cause is logged and not sent to the client.
func Undecided(cause error) Decision { return gate.Undecided(cause) }

// Resource tells Authorize how to load the resource of a request. Load returns one.
type Resource interface {
	// find loads the resource and puts it on the context, for Loaded.
	find(ctx context.Context, c *gin.Context) (value any, found bool, err error)
}

// loadedKey is the context key of the loaded resource of type R.
type loadedKey[R any] struct{}

// maxParam is the length of the longest route parameter that is looked up, in bytes.
const maxParam = 1024

// loader is the Resource of Load.
type loader[R any] struct {
	param string
	load  func(ctx context.Context, id string) (R, bool, error)
}

// Load returns the Resource whose identifier is a route parameter. The function load gets the text of the parameter
// and returns the resource, or false if there is none. gormstore.Find returns such a function. Load panics if param
// is empty or load is nil.
func Load[R any](param string, load func(ctx context.Context, id string) (R, bool, error)) Resource {
	if param == "" || load == nil {
		panic("ginauth: Load: needs the name of a route parameter and a function")
	}
	return &loader[R]{param, load}
}

// ResourceType is what Preflight asks.
func (*loader[R]) ResourceType() reflect.Type { return reflect.TypeFor[R]() }

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

// Authorize requires that the request's user has the ability. The resource of the check is the one that a Resource
// from Load loads, the type of a value from OfType, or none.
//
// The response is 404 if the resource does not exist; the gate is not asked then. If the gate denies, it is 401 for a
// guest whom the rule is not for, and otherwise 403 or the status of the decision. It is 503 if the resource cannot
// be loaded or the gate cannot decide.
//
// Authorize panics if the ability cannot have this name, if there is more than one resource, or if the resource is
// neither from Load nor from OfType.
func (m *Manager) Authorize(ability string, resource ...any) gin.HandlerFunc {
	source := checkResource(ability, resource)
	m.usage.Ability(ability)
	m.usage.Resource(resource)
	return func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			ctx, span := x.Span(c.Request.Context())
			defer span.End()
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
	}
}

// checkResource returns the Resource among the arguments of Authorize, or nil. It panics if they are not acceptable.
func checkResource(ability string, resource []any) Resource {
	if err := gate.ValidateName(ability); err != nil {
		panic(fmt.Sprintf("ginauth: Authorize: %v", err))
	}
	if len(resource) == 0 {
		return nil
	}
	if len(resource) > 1 {
		panic(fmt.Sprintf("ginauth: Authorize(%q): one resource, not %d", ability, len(resource)))
	}
	if r, ok := resource[0].(Resource); ok {
		return r
	}
	if gate.IsType(resource[0]) {
		return nil
	}
	panic(fmt.Sprintf("ginauth: Authorize(%q): a %T is no resource: use Load or OfType", ability, resource[0]))
}

// Loaded returns the resource of type R that Authorize loaded for the request. It panics if Authorize loaded none.
func Loaded[R any](c *gin.Context) R {
	value, ok := c.Get(loadedKey[R]{})
	if !ok {
		panic(fmt.Sprintf("ginauth: Loaded: no Authorize with a Load of %s ran before", reflect.TypeFor[R]()))
	}
	return value.(R)
}

// authenticatorSource makes an Authenticator the source of a gate. It is a type of its own, so that Authenticator
// does not have to export these methods.
type authenticatorSource Authenticator

var (
	_ gate.CheckedSource   = (*authenticatorSource)(nil)
	_ gate.ProofSource     = (*authenticatorSource)(nil)
	_ gate.FailureRecorder = (*authenticatorSource)(nil)
)

// User returns the user of the Authenticator.
func (s *authenticatorSource) User(ctx context.Context) (models.Authenticatable, error) {
	return (*Authenticator)(s).User(ctx)
}

// UserIsChecked promises that users are checked: guards and logins accept no other.
func (*authenticatorSource) UserIsChecked() {}

// Proved tells whether the user has proved a level.
func (s *authenticatorSource) Proved(ctx context.Context, level int, within time.Duration) error {
	return (*Authenticator)(s).proved(ctx, factor.Level(level), within)
}

// Fail makes the response of the request 503.
func (s *authenticatorSource) Fail(err error) { s.x.Fail(err) }

// gate returns the gate for the user of a.
func (a *Authenticator) gate() *Gate {
	if a == &a.x.auth {
		return &a.x.gate
	}
	var g Gate
	a.x.m.gate.Bind(&g, (*authenticatorSource)(a))
	return &g
}

// logDenial is the gate.Reporter of the manager.
func (m *Manager) logDenial(ctx context.Context, ability, reason string, err error) {
	m.env.Log.WarnContext(ctx, "ginauth: denied by a fault", "ability", ability, "reason", reason, "error", err)
}
