package gate

import (
	"context"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/ginauth/ginauth/models"
)

// Gate answers whether a user has an ability. Its rules are abilities, added by
// Define, and policies, added by RegisterPolicy. Its user is the one given to
// ForUser or the one that a Source returns. Without either, the user is a guest.
//
// A check asks the before hooks, then the method of the resource's policy or else
// the ability, then the after hooks. What none of them allows is denied. The
// package documentation has the details.
//
// A check takes at most one resource. A check without a resource is answered by an
// ability added by DefineUser or DefineUserGuest. A check on the value of OfType is
// answered by a method of the type's policy that takes no resource.
//
// The zero Gate has no rules, and its user is a guest. A Gate must not be copied.
// All its methods, and the functions that add rules to it, can be called from
// several goroutines at once. A check sees the rules as they were at one moment
// during the call, and takes no lock.
type Gate struct {
	rules  atomic.Pointer[registry] // shared with the gates made by ForUser and Bind
	source Source                   // nil if the user is fixed or a guest
	fixed  *fixedUser               // set by ForUser; overrules source
}

// Source looks up the user of a gate, usually the user of an HTTP request. A Source
// can also be a CheckedSource and a FailureRecorder.
type Source interface {
	// User returns the user, or nil for a guest. It is called once for each check,
	// with the context of the check, and may be called from several goroutines at
	// once. An error means that the user could not be loaded: the check is then
	// undecided. A nil pointer in the interface, and a user with an empty AuthID,
	// are denied everything.
	User(ctx context.Context) (models.Authenticatable, error)
}

// CheckedSource is an optional interface of a Source that has checked its users.
// The gate then does not check them again, which saves a call of AuthID in every
// check.
type CheckedSource interface {
	Source
	// UserIsChecked is never called. A Source that has this method promises that a
	// user returned by User is not a nil pointer, and that its AuthID does not
	// panic and is not empty.
	UserIsChecked()
}

// ProofSource is an optional interface of a Source that knows what its user has proved. StepUp needs
// it.
type ProofSource interface {
	Source
	// Proved returns nil if the user has proved a level, not longer ago than within unless that is 0,
	// and otherwise an *autherr.StepUpError. Other errors mean that it could not be found out.
	Proved(ctx context.Context, level int, within time.Duration) error
}

// FailureRecorder is an optional interface of a Source that wants to know about
// failed checks. Allows, Denies, Any, None and Check return no error: if such a
// check is undecided, it answers no and passes the error to Fail. A request can
// then respond with 503, whatever its handler made of that answer.
type FailureRecorder interface {
	// Fail records an error, which wraps autherr.ErrUnavailable. It may be called
	// several times, and from several goroutines at once.
	Fail(err error)
}

// New returns a gate without rules, whose user is a guest.
func New() *Gate { return new(Gate) }

// ForUser returns a gate for the user u, or for a guest if u is nil. It shares the
// rules of g, also those that are added later. The user of g does not change.
//
// A nil pointer in the interface is not a guest: it is denied everything.
func (g *Gate) ForUser(u models.Authenticatable) *Gate {
	to := new(Gate)
	g.Bind(to, g.source)
	to.fixed = &fixedUser{u, userFault(u)}
	return to
}

// Bind makes to a gate that gets its user from s, or from nowhere, as a guest, if s
// is nil. The gate shares the rules of g, also those that are added later. The user
// of g does not change.
//
// Bind allocates no memory, so the state of a request can hold its gate by value:
//
//	var r struct {
//		gate gate.Gate
//		// …
//	}
//	rules.Bind(&r.gate, source)
//
// Bind overwrites to. Nobody may use to at the same time.
func (g *Gate) Bind(to *Gate, s Source) {
	to.source, to.fixed = s, nil
	to.rules.Store(g.registry())
}

// Allows reports whether the user has the ability, on the resource if one is given.
// If the check is undecided, Allows returns false and tells the FailureRecorder.
func (g *Gate) Allows(ctx context.Context, ability string, resource ...any) bool {
	d := g.inspect(ctx, ability, resource)
	if d.outcome == undecided {
		g.fail(d.about(ability))
	}
	return d.Allowed()
}

// Denies is the opposite of Allows.
func (g *Gate) Denies(ctx context.Context, ability string, resource ...any) bool {
	return !g.Allows(ctx, ability, resource...)
}

// Any reports whether the user has at least one of the abilities. It checks them in
// order and stops at the first that the user has. An undecided check counts as a
// failure only if the user has none of the abilities. For an empty list, Any returns
// false.
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
		if d.outcome == undecided && failed.outcome != undecided {
			failed = d.about(ability)
		}
	}
	if failed.outcome == undecided {
		g.fail(failed)
	}
	return false
}

// None is the opposite of Any. For an empty list it therefore returns true: code
// that refuses a user who has none of the abilities then refuses everybody.
func (g *Gate) None(ctx context.Context, abilities []string, resource ...any) bool {
	return !g.Any(ctx, abilities, resource...)
}

// Check reports whether the user has all of the abilities. It checks them in order
// and stops at the first that the user does not have. For an empty list, Check
// returns false.
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

// Authorize returns nil if the user has the ability, and an *AuthorizationError
// otherwise.
func (g *Gate) Authorize(ctx context.Context, ability string, resource ...any) error {
	return g.inspect(ctx, ability, resource).about(ability).Err()
}

// Has reports whether Define, DefineUser, DefineGuest or DefineUserGuest added an
// ability of this name. Methods of policies do not count, because they answer only
// for resources of one type.
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

// fail passes the error of d to the source, if that is a FailureRecorder.
func (g *Gate) fail(d Decision) {
	if f, ok := g.source.(FailureRecorder); ok {
		f.Fail(d.Err())
	}
}
