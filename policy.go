package ginauth

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"unicode"
	"unicode/utf8"
)

// policyEntry is what a resource's type leads to: the policy, and those of its
// methods that answer for that type.
type policyEntry struct {
	policy   any
	resource reflect.Type
	rules    []policyRule
}

// policyRule is the rule that answers for an ability.
type policyRule struct {
	ability string
	*gateRule
}

// rule returns the rule for an ability, or nil. A policy has a handful of them,
// among which a map takes longer to find one.
func (e *policyEntry) rule(ability string) *gateRule {
	for i := range e.rules {
		if e.rules[i].ability == ability {
			return e.rules[i].gateRule
		}
	}
	return nil
}

// typeID is what a type is found by: two are equal if the types are identical,
// as pointers to them are, and comparing them needs no look at what they are.
type typeID uintptr

func typeIDOf(t reflect.Type) typeID { return typeID(reflect.ValueOf(t).Pointer()) }

// policyType is implemented by the values of OfType alone.
type policyType interface{ policyType() }

// policyTypeOf is the type of OfType's value. It has no size, so passing one
// costs nothing, and one type for each R, so it is a key of its own.
type policyTypeOf[R any] struct{}

func (policyTypeOf[R]) policyType() {}

// OfType returns the resource of a check on a type as such, as in "may this
// user create posts at all". It is answered by those methods of the policy for
// R that take no resource, and by nothing else. The values for one R are equal.
func OfType[R any]() any { return policyTypeOf[R]{} }

// RegisterPolicy adds a policy: the rules for resources of type R and users of
// type U, as the methods of one value. Only U and R are written out:
//
//	ginauth.RegisterPolicy[*models.User, *Post](gate, PostPolicy{})
//
// Every exported method is an ability named like it, with the first letter in
// lower case: View is "view", ForceDelete is "forceDelete". It has one of the
// shapes
//
//	func(ctx context.Context, u U, r R) bool // or Decision
//	func(ctx context.Context, u U) bool      // or Decision
//
// of which the second answers checks on the type, made with OfType. An ability
// the policy has no method for is looked up among those of Define.
//
// Two names are special. The policy's own before hook is asked ahead of each
// of its methods, and decides if it returns true:
//
//	Before(ctx context.Context, u U, ability string) (Decision, bool)
//
// The following method is called once, here, and names the abilities that are
// asked about guests too, with a nil u, for which U must be a pointer or an
// interface:
//
//	GuestAbilities() []string
//
// The methods are called from several goroutines at once.
//
// RegisterPolicy panics if R already has a policy, if R is an interface (a
// resource is found by its own type), if U cannot be a user, if policy is nil,
// if it has no method that is an ability, or if an exported method has another
// shape than these.
func RegisterPolicy[U, R, P any](g *Gate, policy P) {
	b := policyBuilder[U, R, P]{policy: policy, self: reflect.TypeFor[P](), resource: reflect.TypeFor[R]()}
	b.check()
	b.build()
	onResource := &policyEntry{policy, b.resource, b.onResource}
	onType := &policyEntry{policy, b.resource, b.onType}
	resource := typeIDOf(b.resource)
	g.registry().update(func(t *gateTable) {
		if _, taken := t.policies[resource]; taken {
			b.panicf("%v already has a policy", b.resource)
		}
		t.policies = gateCloneMap(t.policies)
		t.policies[resource] = onResource
		t.policies[typeIDOf(reflect.TypeFor[policyTypeOf[R]]())] = onType
	})
}

// policyBuilder turns the methods of a policy into rules. A method is taken
// from the type and not the value: called through the value, each call would
// go through reflection.
type policyBuilder[U, R, P any] struct {
	policy     P
	self       reflect.Type
	resource   reflect.Type
	before     func(ctx context.Context, u U, ability string) (Decision, bool)
	guests     []string
	onResource []policyRule
	onType     []policyRule
}

// check panics if the types or the value cannot be those of a policy.
func (b *policyBuilder[U, R, P]) check() {
	switch {
	case b.self.Kind() == reflect.Interface:
		b.panicf("must be registered as its own type, not as an interface")
	case gateIsNil(b.policy):
		b.panicf("is nil")
	case b.resource.Kind() == reflect.Interface:
		b.panicf("%v is an interface, and no resource has exactly that type", b.resource)
	}
	if b.self.Kind() == reflect.Pointer {
		return
	}
	// A method with a pointer receiver would be left out, silently.
	for m := range reflect.PointerTo(b.self).Methods() {
		if _, ok := b.self.MethodByName(m.Name); !ok {
			b.panicf("method %s has a pointer receiver: register a pointer", m.Name)
		}
	}
}

// build makes the rules.
func (b *policyBuilder[U, R, P]) build() {
	b.special()
	for m := range b.self.Methods() {
		if m.Name != "Before" && m.Name != "GuestAbilities" {
			b.add(m)
		}
	}
	if len(b.onResource)+len(b.onType) == 0 {
		b.panicf("has no ability: none of its methods has one of the shapes %s", b.shapes())
	}
	for _, ability := range b.guests {
		named := func(r policyRule) bool { return r.ability == ability }
		if !slices.ContainsFunc(b.onResource, named) && !slices.ContainsFunc(b.onType, named) {
			b.panicf("GuestAbilities names %s, which it has no method for", gateQuote(ability))
		}
	}
}

// special reads the methods that are not abilities.
func (b *policyBuilder[U, R, P]) special() {
	if m, ok := b.self.MethodByName("Before"); ok {
		f, ok := m.Func.Interface().(func(P, context.Context, U, string) (Decision, bool))
		if !ok {
			b.panicf("method Before has type %v, want func(context.Context, %v, string) (ginauth.Decision, bool)",
				policyMethodType(m), reflect.TypeFor[U]())
		}
		policy := b.policy
		b.before = func(ctx context.Context, u U, ability string) (Decision, bool) {
			return f(policy, ctx, u, ability)
		}
	}
	if m, ok := b.self.MethodByName("GuestAbilities"); ok {
		f, ok := m.Func.Interface().(func(P) []string)
		if !ok {
			b.panicf("method GuestAbilities has type %v, want func() []string", policyMethodType(m))
		}
		b.guests = f(b.policy)
	}
}

// add makes a rule of the method m.
func (b *policyBuilder[U, R, P]) add(m reflect.Method) {
	policy := b.policy
	switch f := m.Func.Interface().(type) {
	case func(P, context.Context, U, R) bool:
		b.put(&b.onResource, m.Name, ruleFor(b.resource, b.before,
			func(ctx context.Context, u U, r R) bool { return f(policy, ctx, u, r) }))
	case func(P, context.Context, U, R) Decision:
		b.put(&b.onResource, m.Name, ruleFor(b.resource, b.before,
			func(ctx context.Context, u U, r R) Decision { return f(policy, ctx, u, r) }))
	case func(P, context.Context, U) bool:
		b.put(&b.onType, m.Name, ruleFor(b.resource, b.before,
			func(ctx context.Context, u U, _ policyTypeOf[R]) bool { return f(policy, ctx, u) }))
	case func(P, context.Context, U) Decision:
		b.put(&b.onType, m.Name, ruleFor(b.resource, b.before,
			func(ctx context.Context, u U, _ policyTypeOf[R]) Decision { return f(policy, ctx, u) }))
	default:
		b.panicf("method %s has type %v, want %s", m.Name, policyMethodType(m), b.shapes())
	}
}

func (b *policyBuilder[U, R, P]) put(rules *[]policyRule, method string, rule *gateRule) {
	ability := policyAbility(method)
	if slices.Contains(b.guests, ability) {
		rule.forGuests()
	}
	*rules = append(*rules, policyRule{ability, rule})
}

func (b *policyBuilder[U, R, P]) shapes() string {
	u := reflect.TypeFor[U]()
	return fmt.Sprintf("func(context.Context, %v, %v) or func(context.Context, %v), returning bool or ginauth.Decision",
		u, b.resource, u)
}

func (b *policyBuilder[U, R, P]) panicf(format string, args ...any) {
	panic(fmt.Sprintf("ginauth: policy %v: %s", b.self, fmt.Sprintf(format, args...)))
}

// policyAbility returns the ability that a method answers for.
func policyAbility(method string) string {
	first, size := utf8.DecodeRuneInString(method)
	return string(unicode.ToLower(first)) + method[size:]
}

// policyMethodType returns the type of m as it is written, without receiver.
func policyMethodType(m reflect.Method) reflect.Type {
	t := m.Type
	in := make([]reflect.Type, 0, t.NumIn())
	for i := 1; i < t.NumIn(); i++ {
		in = append(in, t.In(i))
	}
	out := make([]reflect.Type, 0, t.NumOut())
	for i := range t.NumOut() {
		out = append(out, t.Out(i))
	}
	return reflect.FuncOf(in, out, t.IsVariadic())
}
