package ginauth

import (
	"context"
	"reflect"
	"sync/atomic"

	"github.com/ginauth/ginauth/models"
)

// Gate answers whether a user may do something. Its rules are abilities, made
// by Define, and policies, made by RegisterPolicy; its user is that of the
// request it belongs to, or the one given to ForUser.
//
// A check goes through the before hooks, then the policy of the resource's
// type if that has a method for the ability, else the ability, and then the
// after hooks. Everything that is not allowed by one of them is denied: an
// ability nobody defined, a resource of a type without a policy, a nil
// resource, a user of another type than the rule was written for, a user
// without an identifier, a rule or a hook that panics. Names of abilities are
// compared byte for byte. Guests, that is nobody logged in, are denied by
// every rule that was not registered for them.
//
// The checks take at most one resource. A check without a resource is answered
// by an ability made by DefineUser or DefineUserGuest, and one on a type as
// such (see OfType) by a method of the type's policy.
//
// The zero Gate has no rules and no user. A Gate must not be copied. All its
// methods may be called from several goroutines at once, and so may the
// functions that add rules to it: a check sees the rules as they were at some
// moment during the call, and waits for no lock.
type Gate struct {
	rules  atomic.Pointer[gateRules] // shared with every gate made from this one
	source gateSource                // nil outside requests
	fixed  *gateUser                 // of ForUser: it counts, not the source's
}

// gateSource is the request behind a gate. User returns nil for a guest; an
// error means that the user could not be loaded, and is never taken for one.
type gateSource interface {
	User(ctx context.Context) (models.Authenticatable, error)
}

// gateChecked is an optional interface of a gateSource. It promises that a user
// that User returns is not a nil pointer and has an identifier, so that the gate
// does not look again.
type gateChecked interface {
	UserIsChecked()
}

// gateFailer is an optional interface of a gateSource. Fail gets the error of a
// check that could only answer "no", so that the request can be answered with
// 503.
type gateFailer interface {
	Fail(err error)
}

// NewGate returns a gate without rules, whose every check is one by a guest.
// ForUser gives it a user.
func NewGate() *Gate { return new(Gate) }

// ForUser returns a gate with the same rules, now and later, for the user u,
// or for a guest if u is nil. The receiver keeps its own user.
func (g *Gate) ForUser(u models.Authenticatable) *Gate {
	to := new(Gate)
	g.bind(to, g.source)
	to.fixed = &gateUser{u, gateUserFault(u)}
	return to
}

// bind makes the zero gate to one with the rules of g and the user of source. It
// allocates nothing, so a request can hold its gate by value.
func (g *Gate) bind(to *Gate, source gateSource) {
	to.source = source
	to.rules.Store(g.registry())
}

// Allows reports whether the user has the ability, on the resource if one is
// given. Where the answer depends on something that failed it is no, and the
// request is answered with 503.
func (g *Gate) Allows(ctx context.Context, ability string, resource ...any) bool {
	d := g.inspect(ctx, ability, resource)
	if d.outcome == decisionUndecided {
		g.fail(d.about(ability))
	}
	return d.Allowed()
}

// Denies is the opposite of Allows.
func (g *Gate) Denies(ctx context.Context, ability string, resource ...any) bool {
	return !g.Allows(ctx, ability, resource...)
}

// Any reports whether the user has at least one of the abilities. Without
// abilities the answer is no. It asks in order, up to the first ability the
// user has; faults on the way count only if there is none.
func (g *Gate) Any(ctx context.Context, abilities []string, resource ...any) bool {
	if len(abilities) == 0 {
		g.reportEmpty(ctx)
	}
	var failed Decision
	for _, ability := range abilities {
		d := g.inspect(ctx, ability, resource)
		if d.Allowed() {
			return true
		}
		if d.outcome == decisionUndecided && failed.outcome != decisionUndecided {
			failed = d.about(ability)
		}
	}
	if failed.outcome == decisionUndecided {
		g.fail(failed)
	}
	return false
}

// None reports whether the user has none of the abilities: it is the opposite
// of Any, also without abilities, so that code which refuses whoever has none
// refuses everybody then.
func (g *Gate) None(ctx context.Context, abilities []string, resource ...any) bool {
	return !g.Any(ctx, abilities, resource...)
}

// Check reports whether the user has all of the abilities. Without abilities
// the answer is no. It asks in order, up to the first ability the user does
// not have.
func (g *Gate) Check(ctx context.Context, abilities []string, resource ...any) bool {
	if len(abilities) == 0 {
		g.reportEmpty(ctx)
		return false
	}
	for _, ability := range abilities {
		if !g.Allows(ctx, ability, resource...) {
			return false
		}
	}
	return true
}

// Inspect returns the decision about one ability, with its message and status.
func (g *Gate) Inspect(ctx context.Context, ability string, resource ...any) Decision {
	return g.inspect(ctx, ability, resource).about(ability)
}

// Authorize returns nil if the user has the ability and an *AuthorizationError
// otherwise.
func (g *Gate) Authorize(ctx context.Context, ability string, resource ...any) error {
	return g.inspect(ctx, ability, resource).about(ability).Err()
}

// Has reports whether an ability was defined under this name. Methods of
// policies do not count: what they answer depends on the resource.
func (g *Gate) Has(ability string) bool {
	_, ok := g.table().abilities[ability]
	return ok
}

// Policy returns the policy registered for resources of type t.
func (g *Gate) Policy(t reflect.Type) (any, bool) {
	if t == nil {
		return nil, false
	}
	entry, ok := g.table().policies[typeIDOf(t)]
	if !ok || entry.resource != t {
		return nil, false
	}
	return entry.policy, true
}

// fail tells the request about a fault that the caller of a check cannot see.
func (g *Gate) fail(d Decision) {
	if f, ok := g.source.(gateFailer); ok {
		f.Fail(d.Err())
	}
}
