package ginauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/ginauth/ginauth/models"
)

// gateCheck is one check on its way through the gate. It stays on the stack:
// no pointer to it is passed to a rule or a hook.
type gateCheck struct {
	table    *gateTable
	ability  string
	user     models.Authenticatable // nil for a guest
	resource any                    // nil if none was given
	sound    bool                   // user and resource are known
}

var (
	errGateUserPanic = errors.New("ginauth: panic while the user was loaded")
	errGateNoUser    = errors.New("ginauth: no user, or one without an identifier")
)

// inspect decides one check. Nothing that rules, hooks and users do makes it
// panic.
func (g *Gate) inspect(ctx context.Context, ability string, resource []any) Decision {
	c := gateCheck{table: g.table(), ability: ability}
	d, decided := c.decide(ctx, g, resource)
	if c.sound && len(c.table.after) > 0 {
		d, decided = c.runAfter(ctx, d, decided)
	}
	if !decided {
		c.report(ctx, c.whyNoRule(), nil)
	}
	if d.outcome == decisionUndecided {
		c.report(ctx, "could not decide", d.details().cause)
	}
	return d
}

// decide asks the before hooks and then the rule. It reports false if there is
// no rule.
func (c *gateCheck) decide(ctx context.Context, g *Gate, resource []any) (d Decision, decided bool) {
	defer func() {
		if p := recover(); p != nil {
			d, decided = c.panicked(ctx, p), true
		}
	}()
	if d, c.sound = c.prepare(ctx, g, resource); !c.sound {
		return d, true
	}
	for _, hook := range c.table.before {
		if d, ok := hook(ctx, c.user, c.ability, c.resource); ok {
			return gateSettle(ctx, d), true
		}
	}
	rule := c.rule()
	if rule == nil {
		return Decision{}, false
	}
	return c.ask(ctx, rule), true
}

// panicked returns the decision about a check that panicked with p. The value
// may hold anything, a secret too; its type may not.
func (c *gateCheck) panicked(ctx context.Context, p any) Decision {
	if !c.sound {
		// Whoever that user would have been: it is not known.
		return Undecided(fmt.Errorf("%w: %T", errGateUserPanic, p))
	}
	c.report(ctx, fmt.Sprintf("panic with %T", p), nil)
	return Decision{}
}

// prepare fills in the resource and the user. If it reports false the check is
// malformed, and d is its end.
func (c *gateCheck) prepare(ctx context.Context, g *Gate, resource []any) (d Decision, ok bool) {
	switch {
	case len(resource) > 1:
		c.report(ctx, "more than one resource", nil)
		return Decision{}, false
	case len(resource) == 1:
		if gateIsNil(resource[0]) {
			c.report(ctx, "nil resource", nil)
			return Decision{}, false
		}
		c.resource = resource[0]
	}
	var fault error
	switch {
	case g.fixed != nil:
		c.user, fault = g.fixed.user, g.fixed.fault
	case g.source != nil:
		if c.user, fault = g.source.User(ctx); fault != nil {
			return Undecided(fault), false
		}
		if _, checked := g.source.(gateChecked); !checked {
			fault = gateUserFault(c.user)
		}
	}
	switch {
	case fault == nil:
		return Decision{}, true
	case errors.Is(fault, errGateNoUser):
		c.report(ctx, "nil user, or user without an identifier", nil)
		return Decision{}, false
	}
	return Undecided(fault), false
}

// rule returns the rule for the check, or nil.
func (c *gateCheck) rule() *gateRule {
	if c.resource != nil {
		if entry := c.policy(); entry != nil {
			if rule := entry.rule(c.ability); rule != nil {
				return rule
			}
		}
	}
	return c.table.abilities[c.ability]
}

// policy returns what the type of the resource leads to, or nil.
func (c *gateCheck) policy() *policyEntry {
	return c.table.policies[typeIDOf(reflect.TypeOf(c.resource))]
}

// ask asks the rule, unless that is no answer to this check.
func (c *gateCheck) ask(ctx context.Context, rule *gateRule) Decision {
	resource := c.resource
	switch {
	case c.user == nil && !rule.guests:
		return Decision{status: http.StatusUnauthorized}
	case resource == nil && rule.resource != nil:
		c.report(ctx, "the rule needs a resource", nil)
		return Decision{}
	case resource != nil && rule.resource == nil:
		c.report(ctx, "the rule takes no resource", nil)
		return Decision{}
	case resource == nil:
		resource = ruleNothing{}
	}
	d, mismatch := rule.call(ctx, c.user, resource, c.ability)
	if mismatch != "" {
		c.report(ctx, fmt.Sprintf("%s: user %T, resource %T", mismatch, c.user, c.resource), nil)
		return Decision{}
	}
	return gateSettle(ctx, d)
}

// gateSettle withdraws a denial that was made while the context ended: it may
// be the work of a query that was cut off.
func gateSettle(ctx context.Context, d Decision) Decision {
	if d.outcome == decisionDenied {
		if err := ctx.Err(); err != nil {
			return Undecided(err)
		}
	}
	return d
}

// runAfter calls the after hooks.
func (c *gateCheck) runAfter(ctx context.Context, before Decision, decidedBefore bool) (d Decision, decided bool) {
	d, decided = before, decidedBefore
	defer func() {
		if p := recover(); p != nil {
			c.report(ctx, fmt.Sprintf("panic with %T in an after hook", p), nil)
			if d.outcome == decisionAllowed {
				d = Decision{}
			}
			decided = true
		}
	}()
	for _, hook := range c.table.after {
		next, ok := hook(ctx, c.user, c.ability, c.resource, d, decided)
		if next = gateSettle(ctx, next); ok && (!decided || d.mayBecome(next)) {
			d, decided = next, true
		}
	}
	return d, decided
}

// mayBecome reports whether an after hook may put next in the place of d,
// which was decided.
func (d Decision) mayBecome(next Decision) bool {
	return d.outcome == decisionAllowed || d.outcome == decisionDenied && next.outcome == decisionDenied
}

// whyNoRule says for the log why no rule was found.
func (c *gateCheck) whyNoRule() string {
	if c.resource == nil {
		return "no such ability"
	}
	if entry := c.policy(); entry != nil {
		return fmt.Sprintf("no such ability, and no such method of %T for %T", entry.policy, c.resource)
	}
	return fmt.Sprintf("no such ability, and no policy for %T", c.resource)
}

func (c *gateCheck) report(ctx context.Context, reason string, err error) {
	if c.table.log != nil {
		c.table.log(ctx, gateQuote(c.ability), reason, err)
	}
}

func (g *Gate) reportEmpty(ctx context.Context) {
	c := gateCheck{table: g.table()}
	c.report(ctx, "empty list of abilities", nil)
}

// gateIsNil reports whether v is nil or holds a nil.
func gateIsNil(v any) bool {
	if v == nil {
		return true
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return rv.IsNil()
	}
	return false
}

// gateUser is a user given to ForUser, or nil for a guest, and what is wrong
// with it.
type gateUser struct {
	user  models.Authenticatable
	fault error
}

// gateUserFault returns why nothing can be decided about u, if so: errGateNoUser,
// or that looking at it panics.
func gateUserFault(u models.Authenticatable) (fault error) {
	defer func() {
		if p := recover(); p != nil {
			// Whoever that user would have been: it is not known.
			fault = fmt.Errorf("%w: %T", errGateUserPanic, p)
		}
	}()
	if u != nil && (gateIsNil(u) || u.AuthID() == "") {
		return errGateNoUser
	}
	return nil
}
