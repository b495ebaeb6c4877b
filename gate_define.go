package ginauth

import (
	"context"
	"fmt"
	"reflect"

	"github.com/ginauth/ginauth/models"
)

// Define adds an ability on a resource: fn says whether the user u has it on
// r. It is asked only for users of type U and resources of type R, neither of
// them nil; any other check of the ability is denied. U and R may be
// interfaces.
//
// fn is called from several goroutines at once. If the context ends while it
// runs, its denial is not believed and the check is undecided.
//
// Define panics if the ability is already defined, has no name or one with
// spaces or unprintable characters, if fn is nil, or if U cannot be a user.
func Define[U, R any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U, r R) D) {
	ruleNotNil(ability, fn == nil)
	g.define(ability, ruleFor[U, R, D](reflect.TypeFor[R](), nil, fn))
}

// DefineUser adds an ability that is about no resource: fn says whether the
// user u has it. A check that names a resource is denied. Otherwise it is like
// Define.
func DefineUser[U any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U) D) {
	ruleNotNil(ability, fn == nil)
	g.define(ability, ruleFor(nil, nil, ruleForNothing(fn)))
}

// DefineGuest is like Define, for a rule that is asked about guests too, with
// a nil u. U must be a pointer or an interface.
func DefineGuest[U, R any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U, r R) D) {
	ruleNotNil(ability, fn == nil)
	g.define(ability, ruleFor[U, R, D](reflect.TypeFor[R](), nil, fn).forGuests())
}

// DefineUserGuest is like DefineUser, for a rule that is asked about guests
// too, with a nil u. U must be a pointer or an interface.
func DefineUserGuest[U any, D Result](g *Gate, ability string, fn func(ctx context.Context, u U) D) {
	ruleNotNil(ability, fn == nil)
	g.define(ability, ruleFor(nil, nil, ruleForNothing(fn)).forGuests())
}

// ruleNothing is passed as the resource to rules that are about none.
type ruleNothing struct{}

func ruleForNothing[U any, D Result](fn func(ctx context.Context, u U) D) func(context.Context, U, ruleNothing) D {
	return func(ctx context.Context, u U, _ ruleNothing) D { return fn(ctx, u) }
}

// Why a rule that was found could not be asked.
const (
	ruleWrongUser     = "the user is not of the type the rule is for"
	ruleWrongResource = "the resource is not of the type the rule is for"
)

// ruleFor makes a rule of fn. The optional first is asked ahead of it, and
// wins if it returns true.
func ruleFor[U, R any, D Result](
	resource reflect.Type,
	first func(ctx context.Context, u U, ability string) (Decision, bool),
	fn func(ctx context.Context, u U, r R) D,
) *gateRule {
	rule := &gateRule{user: reflect.TypeFor[U](), resource: resource}
	ruleCheckUser(rule.user)
	// A rule on any resource must not take a type as such for one.
	open := reflect.TypeFor[R]().Kind() == reflect.Interface
	rule.call = func(ctx context.Context, user models.Authenticatable, res any, ability string) (Decision, string) {
		u, ok := user.(U)
		if !ok && user != nil {
			return Decision{}, ruleWrongUser
		}
		r, ok := res.(R)
		if ok && open {
			_, isType := res.(policyType)
			ok = !isType
		}
		if !ok {
			return Decision{}, ruleWrongResource
		}
		if first != nil {
			if d, ok := first(ctx, u, ability); ok {
				return d, ""
			}
		}
		return decisionOf(fn(ctx, u, r)), ""
	}
	return rule
}

// forGuests lets guests in. Their nil user must be one that fn can compare.
func (r *gateRule) forGuests() *gateRule {
	if k := r.user.Kind(); k != reflect.Pointer && k != reflect.Interface {
		panic(fmt.Sprintf("ginauth: a rule for guests needs a user type that can be nil, %v cannot", r.user))
	}
	r.guests = true
	return r
}

// ruleCheckUser panics if no user can have type t. An interface may be
// fulfilled by types not known here.
func ruleCheckUser(t reflect.Type) {
	if t.Kind() != reflect.Interface && !t.Implements(reflect.TypeFor[models.Authenticatable]()) {
		panic(fmt.Sprintf("ginauth: %v is not a user: it does not implement models.Authenticatable", t))
	}
}

func ruleNotNil(ability string, isNil bool) {
	if isNil {
		panic(fmt.Sprintf("ginauth: ability %s has a nil function", gateQuote(ability)))
	}
}
