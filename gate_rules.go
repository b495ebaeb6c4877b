package ginauth

import (
	"cmp"
	"context"
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
	gateBefore = func(ctx context.Context, u models.Authenticatable, ability string, resource any) (Decision, bool)
	gateAfter  = func(ctx context.Context, u models.Authenticatable, ability string, resource any,
		d Decision, decided bool) (Decision, bool)

	// gateLog is told why a check was denied by a fault or not decided. The
	// ability is quoted and cut; err may be nil.
	gateLog = func(ctx context.Context, ability, reason string, err error)
)

// gateRules is the registry that the gates of a manager share.
type gateRules struct {
	mu    sync.Mutex // held by writers only
	table atomic.Pointer[gateTable]
}

// gateTable is one state of a registry. A published table never changes, which
// is what lets checks read it without a lock.
type gateTable struct {
	abilities map[string]*gateRule
	// policies has two entries for each policy: under the type of its resource
	// the methods that take one, under the type of the OfType value the others.
	policies map[typeID]*policyEntry
	before   []gateBefore
	after    []gateAfter
	log      gateLog
}

// gateRule is one ability or one method of a policy.
type gateRule struct {
	// call asks the rule. Instead of an answer it may return why it cannot be
	// asked this. A nil user is a guest, which only a rule for guests gets.
	call     func(ctx context.Context, u models.Authenticatable, resource any, ability string) (d Decision, mismatch string)
	guests   bool
	user     reflect.Type
	resource reflect.Type // nil for a rule about no resource
}

// gateRuleInfo describes one rule to the start-up audit.
type gateRuleInfo struct {
	Ability      string
	UserType     reflect.Type
	ResourceType reflect.Type // nil for a rule about no resource
	Policy       reflect.Type // nil for a rule made by Define
	Guests       bool
}

var gateEmptyTable gateTable

// registry returns the rules of g, making them for a zero Gate.
func (g *Gate) registry() *gateRules {
	if r := g.rules.Load(); r != nil {
		return r
	}
	g.rules.CompareAndSwap(nil, new(gateRules))
	return g.rules.Load()
}

// table returns the current rules, which the caller must not change.
func (g *Gate) table() *gateTable {
	if r := g.rules.Load(); r != nil {
		if t := r.table.Load(); t != nil {
			return t
		}
	}
	return &gateEmptyTable
}

// update publishes a changed copy of the table. A change that panics publishes
// nothing.
func (r *gateRules) update(change func(t *gateTable)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var next gateTable
	if t := r.table.Load(); t != nil {
		next = *t
	}
	change(&next)
	r.table.Store(&next)
}

// Before adds a hook that is asked ahead of every rule, for every user, and
// with a nil user for guests. The resource is nil if the check has none, and
// equal to OfType's value in a check on a type. The first hook that returns
// true decides, whether it allows or denies, and no rule is asked. A hook that
// panics denies. Hooks are not asked about a malformed check, such as one with
// a nil resource.
//
// A hook belongs to the rules that the gate shares. Before panics if hook is
// nil.
func (g *Gate) Before(hook func(ctx context.Context, u models.Authenticatable, ability string, resource any) (Decision, bool)) {
	if hook == nil {
		panic("ginauth: Before: nil hook")
	}
	g.registry().update(func(t *gateTable) { t.before = append(slices.Clip(t.before), hook) })
}

// After adds a hook that is told every decision. decided is false if there was
// neither a rule nor a before hook that had an opinion. All hooks are called,
// in the order they were added. What a hook returns with true becomes the
// decision, with these limits: a denial stays one, though it may change its
// message and status, and what could not be decided stays undecided. So a hook
// can allow only where nobody decided, and deny whatever was allowed. A hook
// that panics denies. Like Before's, hooks are not asked about a malformed
// check.
//
// A hook belongs to the rules that the gate shares. After panics if hook is
// nil.
func (g *Gate) After(hook func(ctx context.Context, u models.Authenticatable, ability string, resource any,
	d Decision, decided bool) (Decision, bool),
) {
	if hook == nil {
		panic("ginauth: After: nil hook")
	}
	g.registry().update(func(t *gateTable) { t.after = append(slices.Clip(t.after), hook) })
}

// setLog sets where the gate and all that share its rules report to.
func (g *Gate) setLog(log gateLog) {
	g.registry().update(func(t *gateTable) { t.log = log })
}

// define adds an ability.
func (g *Gate) define(ability string, rule *gateRule) {
	if err := gateNameFault(ability); err != "" {
		panic(fmt.Sprintf("ginauth: ability %s %s", gateQuote(ability), err))
	}
	g.registry().update(func(t *gateTable) {
		if _, taken := t.abilities[ability]; taken {
			panic(fmt.Sprintf("ginauth: ability %s is defined twice", gateQuote(ability)))
		}
		t.abilities = gateCloneMap(t.abilities)
		t.abilities[ability] = rule
	})
}

// gateCloneMap is maps.Clone with room for a nil map.
func gateCloneMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return make(map[K]V)
	}
	return maps.Clone(m)
}

// gateNameFault says what is wrong with the name of an ability. White space
// and invisible characters make names that look alike and are not.
func gateNameFault(name string) string {
	switch {
	case name == "":
		return "has no name"
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	}
	for _, r := range name {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return "has a space or an unprintable character in its name"
		}
	}
	return ""
}

// audit lists all rules, by ability and resource type.
func (g *Gate) audit() []gateRuleInfo {
	t := g.table()
	var infos []gateRuleInfo
	for ability, rule := range t.abilities {
		infos = append(infos, gateRuleInfo{ability, rule.user, rule.resource, nil, rule.guests})
	}
	for _, entry := range t.policies {
		for _, rule := range entry.rules {
			infos = append(infos,
				gateRuleInfo{rule.ability, rule.user, rule.resource, reflect.TypeOf(entry.policy), rule.guests})
		}
	}
	slices.SortFunc(infos, func(a, b gateRuleInfo) int {
		return cmp.Or(cmp.Compare(a.Ability, b.Ability),
			cmp.Compare(fmt.Sprint(a.ResourceType), fmt.Sprint(b.ResourceType)))
	})
	return infos
}
