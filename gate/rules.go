package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/ginauth/ginauth/models"
)

type (
	beforeHook = func(ctx context.Context, u models.Authenticatable, ability string, resource any) (Decision, bool)
	afterHook  = func(ctx context.Context, u models.Authenticatable, ability string, resource any,
		d Decision, decided bool) (Decision, bool)
)

// Reporter is told why a check was undecided, or denied by a mistake or failure:
// nobody defined the ability, the resource is nil or of the wrong type, a rule
// panicked, a database failed. Write it to the log. A policy that is for the pointer
// or the value of the resource's type is told once for each type. A Reporter is not
// told of a rule that denies, nor of a guest that is denied because a rule is not for
// guests.
//
// The ability is quoted and cut to a length that is safe to log. The reason says what
// happened. err is the cause of an undecided check, and nil otherwise.
//
// A Reporter may be called from several goroutines at once. It must not panic.
type Reporter func(ctx context.Context, ability, reason string, err error)

// registry is the set of rules that a gate shares with the gates made from it.
type registry struct {
	mu    sync.Mutex // held while a rule is added
	table atomic.Pointer[table]
	told  sync.Map // the types of resources that a policy for their counterpart was reported of
}

// tellOnce reports whether it is called for the first time for a type. The code of an application
// has a limited number of types.
func (r *registry) tellOnce(t reflect.Type) bool {
	_, told := r.told.LoadOrStore(t, true)
	return !told
}

// table is one state of a registry. A stored table never changes, so checks read it
// without a lock.
type table struct {
	abilities map[string]*rule
	// policies has two entries for each policy: one for the type of its resource,
	// with the methods that take a resource, and one for the type of the OfType
	// value, with the other methods.
	policies map[typeID]*policyEntry
	before   []beforeHook
	after    []afterHook
	report   Reporter
}

// rule is one ability or one method of a policy.
type rule struct {
	// call calls the function of the rule. If the user or the resource has another
	// type than the rule is for, it does not, and mismatch says which. A nil user is
	// a guest.
	call     func(ctx context.Context, u models.Authenticatable, resource any, ability string) (d Decision, mismatch string)
	guests   bool         // the rule is called for guests too
	user     reflect.Type // the type of users that the rule is for
	resource reflect.Type // nil for a rule that takes no resource
}

// Rule describes one rule of a gate.
type Rule struct {
	// Ability is the name that is checked, as in Allows.
	Ability string
	// User is the type of users that the rule is for. It may be an interface.
	User reflect.Type
	// Resource is the type of the resource, or nil for an ability that takes none.
	// For a method of a policy it is the type that the policy is for, also if the
	// method answers checks on the type.
	Resource reflect.Type
	// Policy is the type of the policy, or nil for an ability.
	Policy reflect.Type
	// Guests says that the rule is called for guests too.
	Guests bool
}

var emptyTable table

// registry returns the rules of g. It makes them if g is the zero Gate.
func (g *Gate) registry() *registry {
	if r := g.rules.Load(); r != nil {
		return r
	}
	g.rules.CompareAndSwap(nil, new(registry))
	return g.rules.Load()
}

// table returns the current rules. The caller must not change them.
func (g *Gate) table() *table {
	if r := g.rules.Load(); r != nil {
		if t := r.table.Load(); t != nil {
			return t
		}
	}
	return &emptyTable
}

// update stores a copy of the table that change has changed. If change panics,
// nothing is stored.
func (r *registry) update(change func(t *table)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var next table
	if t := r.table.Load(); t != nil {
		next = *t
	}
	change(&next)
	r.table.Store(&next)
}

// Before adds a hook that is called before every rule, for all users, and with a nil
// user for guests. The resource is nil if the check has none, and the value of OfType
// in a check on a type. If the hook returns true, its decision counts, and neither
// later hooks nor rules are asked. A hook that panics denies. Hooks are not called for
// malformed checks, such as one with a nil resource.
//
// The hook applies to g and all gates that share its rules. Before panics if hook is
// nil.
func (g *Gate) Before(hook func(ctx context.Context, u models.Authenticatable, ability string, resource any) (Decision, bool)) {
	if hook == nil {
		panic("gate: Before: nil hook")
	}
	g.registry().update(func(t *table) { t.before = append(slices.Clip(t.before), hook) })
}

// After adds a hook that is called after every decision. It gets the decision so far;
// decided is false if there was no rule and no hook decided. All hooks are called, in
// the order in which they were added. If a hook returns true, its decision replaces
// the one so far, within these limits:
//
//   - A hook can allow only what is not decided yet.
//   - A denial stays a denial. A hook can change its message and status.
//   - An undecided check stays undecided.
//
// A hook that panics denies. Hooks are not called for malformed checks, such as one
// with a nil resource.
//
// The hook applies to g and all gates that share its rules. After panics if hook is
// nil.
func (g *Gate) After(hook func(ctx context.Context, u models.Authenticatable, ability string, resource any,
	d Decision, decided bool) (Decision, bool),
) {
	if hook == nil {
		panic("gate: After: nil hook")
	}
	g.registry().update(func(t *table) { t.after = append(slices.Clip(t.after), hook) })
}

// SetReporter sets the Reporter of g and of all gates that share its rules. It
// replaces the one set before. Nil, which is the default, reports nothing. The gate
// of a ginauth.Manager reports to the logger of the manager.
func (g *Gate) SetReporter(report Reporter) {
	g.registry().update(func(t *table) { t.report = report })
}

// define adds an ability.
func (g *Gate) define(ability string, r *rule) {
	if err := ValidateName(ability); err != nil {
		panic(err.Error())
	}
	g.registry().update(func(t *table) {
		if _, taken := t.abilities[ability]; taken {
			panic(fmt.Sprintf("gate: ability %s is defined twice", quote(ability)))
		}
		t.abilities = cloneMap(t.abilities)
		t.abilities[ability] = r
	})
}

// cloneMap is maps.Clone, but returns an empty map for a nil one.
func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return make(map[K]V)
	}
	return maps.Clone(m)
}

// ValidateName returns an error if an ability cannot have this name: if it is empty,
// not valid UTF-8, or contains white space or an unprintable character. Such names
// look like others but are not equal to them.
func ValidateName(ability string) error {
	switch {
	case ability == "":
		return errors.New("gate: the ability has no name")
	case !utf8.ValidString(ability):
		return fmt.Errorf("gate: the name of ability %s is not valid UTF-8", quote(ability))
	}
	for _, r := range ability {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return fmt.Errorf("gate: the name of ability %s has a space or an unprintable character", quote(ability))
		}
	}
	return nil
}

// Rules lists all rules of g, sorted by ability and type of resource. The hooks are
// not included.
func (g *Gate) Rules() []Rule {
	t := g.table()
	var list []Rule
	for ability, r := range t.abilities {
		list = append(list, Rule{ability, r.user, r.resource, nil, r.guests})
	}
	for _, entry := range t.policies {
		for _, r := range entry.rules {
			list = append(list, Rule{r.ability, r.user, r.resource, reflect.TypeOf(entry.policy), r.guests})
		}
	}
	slices.SortFunc(list, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Ability, b.Ability),
			cmp.Compare(fmt.Sprint(a.Resource), fmt.Sprint(b.Resource)))
	})
	return list
}
