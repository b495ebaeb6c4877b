package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/models"
)

// check is the state of one check. It stays on the stack, because no rule and no
// hook gets a pointer to it.
type check struct {
	table    *table
	ability  string
	user     models.Authenticatable // nil for a guest
	resource any                    // nil if none was given
	prepared bool                   // user and resource are known and acceptable
}

var (
	errUserPanic = errors.New("gate: panic while the user was loaded")
	errNoUser    = errors.New("gate: nil user, or user without an identifier")
)

// inspect decides one check. A panic in a rule, a hook or a user's method does not
// leave it.
func (g *Gate) inspect(ctx context.Context, ability string, resource []any) Decision {
	c := check{table: g.table(), ability: ability}
	d, decided := c.decide(ctx, g, resource)
	if c.prepared && len(c.table.after) > 0 {
		d, decided = c.runAfter(ctx, d, decided)
	}
	if !decided {
		c.reportNoRule(ctx, g)
	}
	if d.outcome == conditional {
		d = c.stepUp(ctx, g, d)
	}
	if d.outcome == undecided {
		c.report(ctx, "could not decide", d.details().cause)
	}
	return d
}

// stepUp decides what is allowed once the user has proved enough.
func (c *check) stepUp(ctx context.Context, g *Gate, d Decision) (decision Decision) {
	source, ok := g.source.(ProofSource)
	switch {
	case c.user == nil:
		return Decision{status: http.StatusUnauthorized}
	case g.fixed != nil || !ok:
		return d // which denies
	}
	step := d.details().step
	defer func() {
		if p := recover(); p != nil {
			decision = Undecided(fmt.Errorf("gate: panic with %T while the proofs were looked up", p))
		}
	}()
	switch err := source.Proved(ctx, step.Level, step.Within); {
	case err == nil:
		return Allow()
	case errors.Is(err, autherr.ErrStepUp):
		return d
	default:
		return Undecided(err)
	}
}

// decide asks the before hooks and then the rule. It returns false if there is no
// rule.
func (c *check) decide(ctx context.Context, g *Gate, resource []any) (d Decision, decided bool) {
	defer func() {
		if p := recover(); p != nil {
			d, decided = c.panicked(ctx, p), true
		}
	}()
	if d, c.prepared = c.prepare(ctx, g, resource); !c.prepared {
		return d, true
	}
	for _, hook := range c.table.before {
		if d, ok := hook(ctx, c.user, c.ability, c.resource); ok {
			return settle(ctx, d), true
		}
	}
	found := c.rule()
	if found == nil {
		return Decision{}, false
	}
	return c.ask(ctx, found), true
}

// panicked returns the decision about a check that panicked with p. Only the type of
// p is reported, because its value may be a secret.
func (c *check) panicked(ctx context.Context, p any) Decision {
	if !c.prepared {
		// It is not known who the user is, so this is not a denial.
		return Undecided(fmt.Errorf("%w: %T", errUserPanic, p))
	}
	c.report(ctx, fmt.Sprintf("panic with %T", p), nil)
	return Decision{}
}

// prepare sets the resource and the user. If it returns false, no hook and no rule
// is asked, and d is the decision.
func (c *check) prepare(ctx context.Context, g *Gate, resource []any) (d Decision, ok bool) {
	switch {
	case len(resource) > 1:
		c.report(ctx, "more than one resource", nil)
		return Decision{}, false
	case len(resource) == 1:
		if isNil(resource[0]) {
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
		if _, checked := g.source.(CheckedSource); !checked {
			fault = userFault(c.user)
		}
	}
	switch {
	case fault == nil:
		return Decision{}, true
	case errors.Is(fault, errNoUser):
		c.report(ctx, "nil user, or user without an identifier", nil)
		return Decision{}, false
	}
	return Undecided(fault), false
}

// rule returns the rule for the check, or nil.
func (c *check) rule() *rule {
	if c.resource != nil {
		if entry := c.policy(); entry != nil {
			if found := entry.rule(c.ability); found != nil {
				return found
			}
		}
	}
	return c.table.abilities[c.ability]
}

// policy returns the policy entry for the type of the resource, or nil.
func (c *check) policy() *policyEntry {
	return c.table.policies[typeIDOf(reflect.TypeOf(c.resource))]
}

// ask calls the rule r, unless the user or the resource does not fit it.
func (c *check) ask(ctx context.Context, r *rule) Decision {
	resource := c.resource
	switch {
	case c.user == nil && !r.guests:
		return Decision{status: http.StatusUnauthorized}
	case resource == nil && r.resource != nil:
		c.report(ctx, "the rule needs a resource", nil)
		return Decision{}
	case resource != nil && r.resource == nil:
		c.report(ctx, "the rule takes no resource", nil)
		return Decision{}
	case resource == nil:
		resource = noResource{}
	}
	d, mismatch := r.call(ctx, c.user, resource, c.ability)
	if mismatch != "" {
		c.report(ctx, fmt.Sprintf("%s: user %T, resource %T", mismatch, c.user, c.resource), nil)
		return Decision{}
	}
	return settle(ctx, d)
}

// settle turns a denial into an undecided one if the context has ended: the rule may
// have denied because its query was cut off.
func settle(ctx context.Context, d Decision) Decision {
	if d.outcome == denied {
		if err := ctx.Err(); err != nil {
			return Undecided(err)
		}
	}
	return d
}

// runAfter calls the after hooks.
func (c *check) runAfter(ctx context.Context, before Decision, decidedBefore bool) (d Decision, decided bool) {
	d, decided = before, decidedBefore
	defer func() {
		if p := recover(); p != nil {
			c.report(ctx, fmt.Sprintf("panic with %T in an after hook", p), nil)
			if d.outcome == allowed || d.outcome == conditional {
				d = Decision{}
			}
			decided = true
		}
	}()
	for _, hook := range c.table.after {
		next, ok := hook(ctx, c.user, c.ability, c.resource, d, decided)
		if next = settle(ctx, next); ok && (!decided || d.mayBecome(next)) {
			d, decided = next, true
		}
	}
	return d, decided
}

// mayBecome reports whether an after hook may replace the decision d by next.
func (d Decision) mayBecome(next Decision) bool {
	switch d.outcome {
	case allowed:
		return true
	case conditional:
		return next.outcome == denied || next.outcome == undecided
	}
	return d.outcome == denied && next.outcome == denied
}

// whyNoRule says for the report why no rule was found.
func (c *check) whyNoRule() string {
	if c.resource == nil {
		return "no such ability"
	}
	if entry := c.policy(); entry != nil {
		return fmt.Sprintf("no such ability, and no such method of %T for %T", entry.policy, c.resource)
	}
	return fmt.Sprintf("no such ability, and no policy for %T", c.resource)
}

// reportNoRule reports that no rule was found. That the policy is for the pointer to the resource,
// or for what the resource points to, is a mistake in the code, and is reported once for each type.
func (c *check) reportNoRule(ctx context.Context, g *Gate) {
	reason := c.whyNoRule()
	if c.resource != nil {
		asked := ResourceType(c.resource)
		if other := c.policyFor(Counterpart(asked)); other != nil && c.policy() == nil {
			if !g.registry().tellOnce(asked) {
				return
			}
			reason = fmt.Sprintf("no policy for %v: %T is for %v, which is another type", asked, other.policy, other.resource)
		}
	}
	c.report(ctx, reason, nil)
}

// policyFor returns a policy for a type of resources, or nil.
func (c *check) policyFor(resource reflect.Type) *policyEntry {
	for _, entry := range c.table.policies {
		if entry.resource == resource {
			return entry
		}
	}
	return nil
}

// report calls the Reporter, if there is one.
func (c *check) report(ctx context.Context, reason string, err error) {
	if c.table.report != nil {
		c.table.report(ctx, quote(c.ability), reason, err)
	}
}

// reportEmpty reports a check of an empty list of abilities.
func (g *Gate) reportEmpty(ctx context.Context) {
	c := check{table: g.table()}
	c.report(ctx, "empty list of abilities", nil)
}

// isNil reports whether v is nil, or a nil pointer, map, slice, function or channel.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return rv.IsNil()
	}
	return false
}

// fixedUser is a user given to ForUser, checked once.
type fixedUser struct {
	user  models.Authenticatable // nil for a guest
	fault error                  // of userFault
}

// userFault returns nil if the gate can decide about u. It returns errNoUser if u is
// a nil pointer or has no identifier, and an error that wraps errUserPanic if a
// method of u panics.
func userFault(u models.Authenticatable) (fault error) {
	defer func() {
		if p := recover(); p != nil {
			fault = fmt.Errorf("%w: %T", errUserPanic, p)
		}
	}()
	if u != nil && (isNil(u) || u.AuthID() == "") {
		return errNoUser
	}
	return nil
}
