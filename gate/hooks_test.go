package gate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

type (
	beforeHook = func(context.Context, models.Authenticatable, string, any) (gate.Decision, bool)
	afterHook  = func(context.Context, models.Authenticatable, string, any, gate.Decision, bool) (gate.Decision, bool)
)

func before(d gate.Decision, decided bool) beforeHook {
	return func(context.Context, models.Authenticatable, string, any) (gate.Decision, bool) { return d, decided }
}

func after(d gate.Decision, decided bool) afterHook {
	return func(context.Context, models.Authenticatable, string, any, gate.Decision, bool) (gate.Decision, bool) {
		return d, decided
	}
}

// A09 and A12: what before hooks can decide, and which hook wins.
func TestBefore(t *testing.T) {
	panics := func(context.Context, models.Authenticatable, string, any) (gate.Decision, bool) { panic("s3cret") }
	tests := []struct {
		name    string
		hooks   []beforeHook
		user    models.Authenticatable
		ability string
		status  int
	}{
		{"allows what the rule denies", []beforeHook{before(gate.Allow(), true)}, userWithID(7), "no", 200},
		{"allows what nobody defined", []beforeHook{before(gate.Allow(), true)}, userWithID(7), "nope", 200},
		{"allows a guest", []beforeHook{before(gate.Allow(), true)}, nil, "enter", 200},
		{"denies what the rule allows", []beforeHook{before(gate.DenyAsNotFound(), true)}, userWithID(7), "enter", 404},
		{"zero decision denies", []beforeHook{before(gate.Decision{}, true)}, userWithID(7), "enter", 403},
		{"cannot decide", []beforeHook{before(gate.Undecided(nil), true), before(gate.Allow(), true)}, userWithID(7), "enter", 503},
		{"A09 panics", []beforeHook{panics}, userWithID(7), "enter", 403},
		{"A09 panics ahead of an allow", []beforeHook{panics, before(gate.Allow(), true)}, userWithID(7), "enter", 403},
		{"A09 no opinion, rule allows", []beforeHook{before(gate.Decision{}, false)}, userWithID(7), "enter", 200},
		{"A09 no opinion, though it looks like yes", []beforeHook{before(gate.Allow(), false)}, userWithID(7), "no", 403},
		{"A12 deny beats a later allow", []beforeHook{before(gate.Deny(""), true), before(gate.Allow(), true)}, userWithID(7), "enter", 403},
		{"A12 allow beats a later deny", []beforeHook{before(gate.Allow(), true), before(gate.Deny(""), true)}, userWithID(7), "enter", 200},
		{"not asked about a broken user", []beforeHook{before(gate.Allow(), true)}, userWithID(0), "enter", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, lines := newTestGate()
			gate.DefineUser(g, "no", func(context.Context, *models.User) bool { return false })
			for _, hook := range tt.hooks {
				g.Before(hook)
			}
			if d := g.ForUser(tt.user).Inspect(t.Context(), tt.ability); d.Status() != tt.status {
				t.Errorf("status %d, want %d", d.Status(), tt.status)
			}
			if text := lines.text(); strings.Contains(tt.name, "panics") != strings.Contains(text, "panic with string") {
				t.Errorf("log = %q", text)
			}
		})
	}
}

// A11: an after hook allows only what is not decided yet.
func TestAfter(t *testing.T) {
	down := errors.New("down")
	panics := func(context.Context, models.Authenticatable, string, any, gate.Decision, bool) (gate.Decision, bool) {
		panic("s3cret")
	}
	allow, deny := after(gate.Allow(), true), after(gate.Deny("hook"), true)
	tests := []struct {
		name    string
		hooks   []afterHook
		user    models.Authenticatable
		ability string
		status  int
		message string
	}{
		{"A11 denial stays", []afterHook{allow}, userWithID(7), "no", 403, "rule"},
		{"A11 denial of a guest stays", []afterHook{allow}, nil, "no", 401, ""},
		{"A11 panic of the rule stays", []afterHook{allow}, userWithID(7), "explode", 403, ""},
		{"A11 outage stays", []afterHook{allow}, userWithID(7), "weigh", 503, ""},
		{"outage does not become a denial", []afterHook{deny}, userWithID(7), "weigh", 503, ""},
		{"denial does not become an outage", []afterHook{after(gate.Undecided(down), true)}, userWithID(7), "no", 403, "rule"},
		{"allows what nobody decided", []afterHook{allow}, userWithID(7), "nope", 200, ""},
		{"allows a guest what nobody decided", []afterHook{allow}, nil, "nope", 200, ""},
		{"denies what was allowed", []afterHook{deny}, userWithID(7), "enter", 403, "hook"},
		{"later hook cannot undo that", []afterHook{deny, allow}, userWithID(7), "enter", 403, "hook"},
		{"later hook cannot undo the denial of nothing", []afterHook{deny, allow}, userWithID(7), "nope", 403, "hook"},
		{"later hook may deny what an earlier allowed", []afterHook{allow, deny}, userWithID(7), "nope", 403, "hook"},
		{"denial may be worded anew", []afterHook{after(gate.DenyAsNotFound(), true)}, userWithID(7), "no", 404, ""},
		{"no opinion", []afterHook{after(gate.Allow(), false)}, userWithID(7), "nope", 403, ""},
		{"panics", []afterHook{panics}, userWithID(7), "enter", 403, ""},
		{"panics, denial stays", []afterHook{panics}, userWithID(7), "no", 403, "rule"},
		{"panics after a hook allowed", []afterHook{allow, panics}, userWithID(7), "nope", 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := newTestGate()
			gate.DefineUser(g, "no", func(context.Context, *models.User) gate.Decision { return gate.Deny("rule") })
			gate.DefineUser(g, "weigh", func(context.Context, *models.User) gate.Decision { return gate.Undecided(down) })
			for _, hook := range tt.hooks {
				g.After(hook)
			}
			d := g.ForUser(tt.user).Inspect(t.Context(), tt.ability)
			if d.Status() != tt.status || d.Message() != tt.message {
				t.Errorf("Inspect = %d %q, want %d %q", d.Status(), d.Message(), tt.status, tt.message)
			}
		})
	}
}

// The order of a check: before hooks, the policy's Before, the rule, after
// hooks.
func TestOrder(t *testing.T) {
	g := gate.New()
	var steps []string
	step := func(name string) { steps = append(steps, name) }
	policy := &tracingPolicy{step: step}
	gate.RegisterPolicy[*models.User, *post](g, policy)
	gate.Define(g, "view", func(context.Context, *models.User, *post) bool { step("ability view"); return true })
	gate.Define(g, "read", func(context.Context, *models.User, *post) bool { step("ability read"); return true })
	for _, name := range []string{"1", "2"} {
		g.Before(func(_ context.Context, _ models.Authenticatable, _ string, resource any) (gate.Decision, bool) {
			step("before " + name)
			return gate.Decision{}, false
		})
		g.After(func(_ context.Context, _ models.Authenticatable, _ string, _ any, d gate.Decision, decided bool) (gate.Decision, bool) {
			if !d.Allowed() || !decided {
				t.Errorf("after hook saw %v, %v", d.Allowed(), decided)
			}
			step("after " + name)
			return gate.Decision{}, false
		})
	}
	for ability, want := range map[string]string{
		"view": "before 1, before 2, policy before, policy view, after 1, after 2",
		"read": "before 1, before 2, ability read, after 1, after 2",
	} {
		steps = nil
		if !g.ForUser(userWithID(7)).Allows(t.Context(), ability, &post{}) {
			t.Errorf("%s denied", ability)
		}
		if got := strings.Join(steps, ", "); got != want {
			t.Errorf("%s: %s\nwant %s", ability, got, want)
		}
	}
}

// Hooks get the arguments of the check.
func TestHookArguments(t *testing.T) {
	g := gate.New()
	var seen []any
	g.Before(func(_ context.Context, u models.Authenticatable, ability string, resource any) (gate.Decision, bool) {
		seen = append(seen, u, ability, resource)
		return gate.Decision{}, false
	})
	user, own := userWithID(7), &post{}
	g.Allows(t.Context(), "a")
	g.ForUser(user).Allows(t.Context(), "b", own)
	g.ForUser(user).Allows(t.Context(), "c", gate.OfType[*post]())
	want := []any{nil, "a", nil, user, "b", own, user, "c", gate.OfType[*post]()}
	if !slices.Equal(seen, want) {
		t.Errorf("hook saw %v\nwant %v", seen, want)
	}
}

// Hooks are not called for malformed checks.
func TestHooksSkipMalformedChecks(t *testing.T) {
	g, _ := newTestGate()
	g.Before(func(context.Context, models.Authenticatable, string, any) (gate.Decision, bool) {
		t.Error("before hook asked")
		return gate.Allow(), true
	})
	g.After(func(context.Context, models.Authenticatable, string, any, gate.Decision, bool) (gate.Decision, bool) {
		t.Error("after hook asked")
		return gate.Allow(), true
	})
	user := g.ForUser(userWithID(7))
	for name, allowed := range map[string]bool{
		"nil resource":  user.Allows(t.Context(), "touch", nil),
		"two resources": user.Allows(t.Context(), "touch", 1, 2),
		"broken user":   g.ForUser(userWithID(0)).Allows(t.Context(), "look"),
	} {
		if allowed {
			t.Errorf("%s: allowed", name)
		}
	}
}
