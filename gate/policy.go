package gate

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"unicode"
	"unicode/utf8"
)

// policyEntry is a policy with the rules for one type of resource.
type policyEntry struct {
	policy   any
	resource reflect.Type
	rules    []policyRule
}

// policyRule is a rule and the ability that it answers for.
type policyRule struct {
	ability string
	*rule
}

// rule returns the rule for an ability, or nil. A policy has only a few rules, and a
// search is faster than a map then.
func (e *policyEntry) rule(ability string) *rule {
	for i := range e.rules {
		if e.rules[i].ability == ability {
			return e.rules[i].rule
		}
	}
	return nil
}

// typeID identifies a type in a map. Two types are identical if their descriptors have
// the same address. Hashing the address is faster than hashing a reflect.Type.
type typeID uintptr

func typeIDOf(t reflect.Type) typeID { return typeID(reflect.ValueOf(t).Pointer()) }

// typeValue is implemented only by the values of OfType. It returns the type that the value stands
// for.
type typeValue interface{ resourceType() reflect.Type }

// ofType is the type of the value of OfType. It is another type for each R, so that
// policies are found by it. It has no size, so that passing it allocates nothing.
type ofType[R any] struct{}

func (ofType[R]) resourceType() reflect.Type { return reflect.TypeFor[R]() }

// OfType returns the resource for a check on the type R instead of one resource: may
// the user create posts? The methods of the policy for R that take no resource answer
// such a check, and no other rules. All values for the same R are equal.
func OfType[R any]() any { return ofType[R]{} }

// IsType reports whether the resource of a check is a value returned by OfType.
func IsType(resource any) bool {
	_, ok := resource.(typeValue)
	return ok
}

// ResourceType returns the type that a check with this resource is about: R for a value of
// OfType[R], and otherwise the type of the resource.
func ResourceType(resource any) reflect.Type {
	if v, ok := resource.(typeValue); ok {
		return v.resourceType()
	}
	return reflect.TypeOf(resource)
}

// Counterpart returns the pointer type of a type, or the type that a pointer type points to. A
// policy for one of them is not asked about the other.
func Counterpart(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return reflect.PointerTo(t)
}

// RegisterPolicy adds a policy: a value whose methods are the rules for users of type
// U and resources of type R. The compiler infers P:
//
//	gate.RegisterPolicy[*models.User, *Post](rules, PostPolicy{})
//
// Every exported method is a rule. It answers for the ability that has its name with
// the first letter in lower case: View for "view", ForceDelete for "forceDelete". It
// has one of these types:
//
//	func(ctx context.Context, u U, r R) bool     // a check on a resource
//	func(ctx context.Context, u U, r R) Decision
//	func(ctx context.Context, u U) bool          // a check on the type, see OfType
//	func(ctx context.Context, u U) Decision
//
// For other abilities the gate asks the rules added by Define.
//
// Two methods are special. Before is called before each method of this policy, and
// decides if it returns true:
//
//	Before(ctx context.Context, u U, ability string) (Decision, bool)
//
// GuestAbilities is called once, by RegisterPolicy. The methods for the abilities that
// it returns are called for guests too, with a nil u, and so is Before ahead of them.
// U must then be a pointer or an interface:
//
//	GuestAbilities() []string
//
// All methods may be called from several goroutines at once.
//
// RegisterPolicy panics if
//
//   - R has a policy already
//   - R is an interface, because a policy is found by the exact type of the resource
//   - U is not an interface and does not implement models.Authenticatable
//   - policy is nil, or P is an interface
//   - the policy has no rule, or an exported method of another type
//   - P is not a pointer, and a method has a pointer receiver
//   - GuestAbilities returns an ability that the policy has no method for
func RegisterPolicy[U, R, P any](g *Gate, policy P) {
	b := policyBuilder[U, R, P]{policy: policy, self: reflect.TypeFor[P](), resource: reflect.TypeFor[R]()}
	b.check()
	b.build()
	onResource := &policyEntry{policy, b.resource, b.onResource}
	onType := &policyEntry{policy, b.resource, b.onType}
	resource := typeIDOf(b.resource)
	g.registry().update(func(t *table) {
		if _, taken := t.policies[resource]; taken {
			b.panicf("%v already has a policy", b.resource)
		}
		t.policies = cloneMap(t.policies)
		t.policies[resource] = onResource
		t.policies[typeIDOf(reflect.TypeFor[ofType[R]]())] = onType
	})
}

// policyBuilder makes rules of the methods of a policy. It takes the methods from the
// type, where they are plain functions. A method taken from the value would be called
// by reflection, which is slow.
type policyBuilder[U, R, P any] struct {
	policy     P
	self       reflect.Type
	resource   reflect.Type
	before     func(ctx context.Context, u U, ability string) (Decision, bool)
	guests     []string
	onResource []policyRule
	onType     []policyRule
}

// check panics if the policy, its type or the resource's type is not acceptable.
func (b *policyBuilder[U, R, P]) check() {
	switch {
	case b.self.Kind() == reflect.Interface:
		b.panicf("must be registered as its own type, not as an interface")
	case isNil(b.policy):
		b.panicf("is nil")
	case b.resource.Kind() == reflect.Interface:
		b.panicf("%v is an interface, and no resource has exactly that type", b.resource)
	}
	if b.self.Kind() == reflect.Pointer {
		return
	}
	// Methods with a pointer receiver are not methods of P: they would be missing.
	for m := range reflect.PointerTo(b.self).Methods() {
		if _, ok := b.self.MethodByName(m.Name); !ok {
			b.panicf("method %s has a pointer receiver: register a pointer", m.Name)
		}
	}
}

// build makes the rules of all methods.
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
			b.panicf("GuestAbilities names %s, which it has no method for", quote(ability))
		}
	}
}

// special reads the methods Before and GuestAbilities.
func (b *policyBuilder[U, R, P]) special() {
	if m, ok := b.self.MethodByName("Before"); ok {
		f, ok := m.Func.Interface().(func(P, context.Context, U, string) (Decision, bool))
		if !ok {
			b.panicf("method Before has type %v, want func(context.Context, %v, string) (gate.Decision, bool)",
				methodType(m), reflect.TypeFor[U]())
		}
		policy := b.policy
		b.before = func(ctx context.Context, u U, ability string) (Decision, bool) {
			return f(policy, ctx, u, ability)
		}
	}
	if m, ok := b.self.MethodByName("GuestAbilities"); ok {
		f, ok := m.Func.Interface().(func(P) []string)
		if !ok {
			b.panicf("method GuestAbilities has type %v, want func() []string", methodType(m))
		}
		b.guests = f(b.policy)
	}
}

// add makes a rule of the method m.
func (b *policyBuilder[U, R, P]) add(m reflect.Method) {
	policy := b.policy
	switch f := m.Func.Interface().(type) {
	case func(P, context.Context, U, R) bool:
		b.put(&b.onResource, m.Name, newRule(b.resource, b.before,
			func(ctx context.Context, u U, r R) bool { return f(policy, ctx, u, r) }))
	case func(P, context.Context, U, R) Decision:
		b.put(&b.onResource, m.Name, newRule(b.resource, b.before,
			func(ctx context.Context, u U, r R) Decision { return f(policy, ctx, u, r) }))
	case func(P, context.Context, U) bool:
		b.put(&b.onType, m.Name, newRule(b.resource, b.before,
			func(ctx context.Context, u U, _ ofType[R]) bool { return f(policy, ctx, u) }))
	case func(P, context.Context, U) Decision:
		b.put(&b.onType, m.Name, newRule(b.resource, b.before,
			func(ctx context.Context, u U, _ ofType[R]) Decision { return f(policy, ctx, u) }))
	default:
		b.panicf("method %s has type %v, want %s", m.Name, methodType(m), b.shapes())
	}
}

// put adds the rule of a method to rules.
func (b *policyBuilder[U, R, P]) put(rules *[]policyRule, method string, r *rule) {
	ability := abilityOf(method)
	if slices.Contains(b.guests, ability) {
		r.forGuests()
	}
	*rules = append(*rules, policyRule{ability, r})
}

// shapes names the types that a method may have, for a panic.
func (b *policyBuilder[U, R, P]) shapes() string {
	u := reflect.TypeFor[U]()
	return fmt.Sprintf("func(context.Context, %v, %v) or func(context.Context, %v), returning bool or gate.Decision",
		u, b.resource, u)
}

func (b *policyBuilder[U, R, P]) panicf(format string, args ...any) {
	panic(fmt.Sprintf("gate: policy %v: %s", b.self, fmt.Sprintf(format, args...)))
}

// abilityOf returns the ability that a method answers for.
func abilityOf(method string) string {
	first, size := utf8.DecodeRuneInString(method)
	return string(unicode.ToLower(first)) + method[size:]
}

// methodType returns the type of m without the receiver.
func methodType(m reflect.Method) reflect.Type {
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
