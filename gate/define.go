package gate

import (
	"context"
	"fmt"
	"reflect"

	"github.com/ginauth/ginauth/models"
)

// Define adds an ability on a resource: fn answers whether the user u has it on r.
// The gate calls fn only for users of type U and resources of type R that are not
// nil, and denies every other check of the ability. U and R may be interfaces.
//
// fn may be called from several goroutines at once. If fn denies and its context has
// ended, the check is undecided.
//
// Define panics if the ability is defined already, if ValidateName refuses its name,
// if fn is nil, or if U is not an interface and does not implement
// models.Authenticatable.
func Define[U, R any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U, r R) D) {
	checkFunc(ability, fn == nil)
	g.define(ability, newRule[U, R, D](reflect.TypeFor[R](), nil, fn))
}

// DefineUser adds an ability that takes no resource: fn answers whether the user u
// has it. A check of it that names a resource is denied. Otherwise it is like Define.
func DefineUser[U any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U) D) {
	checkFunc(ability, fn == nil)
	g.define(ability, newRule(nil, nil, ignoreResource(fn)))
}

// DefineGuest is like Define, but fn is called for guests too, with a nil u. It
// panics if U is neither a pointer nor an interface.
func DefineGuest[U, R any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U, r R) D) {
	checkFunc(ability, fn == nil)
	g.define(ability, newRule[U, R, D](reflect.TypeFor[R](), nil, fn).forGuests())
}

// DefineUserGuest is like DefineUser, but fn is called for guests too, with a nil u.
// It panics if U is neither a pointer nor an interface.
func DefineUserGuest[U any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U) D) {
	checkFunc(ability, fn == nil)
	g.define(ability, newRule(nil, nil, ignoreResource(fn)).forGuests())
}

// noResource is the resource that rules get if they take none.
type noResource struct{}

// ignoreResource gives fn a resource argument, which it does not use.
func ignoreResource[U any, D Result](fn func(ctx context.Context, u U) D) func(context.Context, U, noResource) D {
	return func(ctx context.Context, u U, _ noResource) D { return fn(ctx, u) }
}

// Reasons why a rule cannot be called with the arguments of a check.
const (
	wrongUser     = "the user is not of the type the rule is for"
	wrongResource = "the resource is not of the type the rule is for"
)

// newRule returns a rule that calls fn. If first is not nil it is called before fn,
// and decides if it returns true.
func newRule[U, R any, D Result](
	resource reflect.Type,
	first func(ctx context.Context, u U, ability string) (Decision, bool),
	fn func(ctx context.Context, u U, r R) D,
) *rule {
	made := &rule{user: reflect.TypeFor[U](), resource: resource}
	checkUserType(made.user)
	// The value of OfType implements interfaces such as any. It is not a resource.
	open := reflect.TypeFor[R]().Kind() == reflect.Interface
	made.call = func(ctx context.Context, user models.Authenticatable, res any, ability string) (Decision, string) {
		u, ok := user.(U)
		if !ok && user != nil {
			return Decision{}, wrongUser
		}
		r, ok := res.(R)
		if ok && open {
			ok = !IsType(res)
		}
		if !ok {
			return Decision{}, wrongResource
		}
		if first != nil {
			if d, ok := first(ctx, u, ability); ok {
				return d, ""
			}
		}
		return decisionOf(fn(ctx, u, r)), ""
	}
	return made
}

// forGuests makes r a rule for guests too. It panics if the user type cannot be nil.
func (r *rule) forGuests() *rule {
	if k := r.user.Kind(); k != reflect.Pointer && k != reflect.Interface {
		panic(fmt.Sprintf("gate: a rule for guests needs a user type that can be nil, %v cannot", r.user))
	}
	r.guests = true
	return r
}

// checkUserType panics if no user can have type t. It accepts every interface,
// because a type that implements it may be declared anywhere.
func checkUserType(t reflect.Type) {
	if t.Kind() != reflect.Interface && !t.Implements(reflect.TypeFor[models.Authenticatable]()) {
		panic(fmt.Sprintf("gate: %v is not a user: it does not implement models.Authenticatable", t))
	}
}

// checkFunc panics if the function of an ability is nil.
func checkFunc(ability string, isNil bool) {
	if isNil {
		panic(fmt.Sprintf("gate: ability %s has a nil function", quote(ability)))
	}
}
