package ginauth_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

type (
	gateBeforeHook = func(context.Context, models.Authenticatable, string, any) (ginauth.Decision, bool)
	gateAfterHook  = func(context.Context, models.Authenticatable, string, any, ginauth.Decision, bool) (ginauth.Decision, bool)
)

func gateBefore(d ginauth.Decision, decided bool) gateBeforeHook {
	return func(context.Context, models.Authenticatable, string, any) (ginauth.Decision, bool) { return d, decided }
}

func gateAfter(d ginauth.Decision, decided bool) gateAfterHook {
	return func(context.Context, models.Authenticatable, string, any, ginauth.Decision, bool) (ginauth.Decision, bool) {
		return d, decided
	}
}

// A09 and A12: what before hooks may do, and which of them wins.
func TestGateBefore(t *testing.T) {
	panics := func(context.Context, models.Authenticatable, string, any) (ginauth.Decision, bool) { panic("s3cret") }
	tests := []struct {
		name    string
		hooks   []gateBeforeHook
		user    models.Authenticatable
		ability string
		status  int
	}{
		{"allows what the rule denies", []gateBeforeHook{gateBefore(ginauth.Allow(), true)}, gateUser(7), "no", 200},
		{"allows what nobody defined", []gateBeforeHook{gateBefore(ginauth.Allow(), true)}, gateUser(7), "nope", 200},
		{"allows a guest", []gateBeforeHook{gateBefore(ginauth.Allow(), true)}, nil, "enter", 200},
		{"denies what the rule allows", []gateBeforeHook{gateBefore(ginauth.DenyAsNotFound(), true)}, gateUser(7), "enter", 404},
		{"zero decision denies", []gateBeforeHook{gateBefore(ginauth.Decision{}, true)}, gateUser(7), "enter", 403},
		{"cannot decide", []gateBeforeHook{gateBefore(ginauth.Undecided(nil), true), gateBefore(ginauth.Allow(), true)}, gateUser(7), "enter", 503},
		{"A09 panics", []gateBeforeHook{panics}, gateUser(7), "enter", 403},
		{"A09 panics ahead of an allow", []gateBeforeHook{panics, gateBefore(ginauth.Allow(), true)}, gateUser(7), "enter", 403},
		{"A09 no opinion, rule allows", []gateBeforeHook{gateBefore(ginauth.Decision{}, false)}, gateUser(7), "enter", 200},
		{"A09 no opinion, though it looks like yes", []gateBeforeHook{gateBefore(ginauth.Allow(), false)}, gateUser(7), "no", 403},
		{"A12 deny beats a later allow", []gateBeforeHook{gateBefore(ginauth.Deny(""), true), gateBefore(ginauth.Allow(), true)}, gateUser(7), "enter", 403},
		{"A12 allow beats a later deny", []gateBeforeHook{gateBefore(ginauth.Allow(), true), gateBefore(ginauth.Deny(""), true)}, gateUser(7), "enter", 200},
		{"not asked about a broken user", []gateBeforeHook{gateBefore(ginauth.Allow(), true)}, gateUser(0), "enter", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, lines := newTestGate()
			ginauth.DefineUser(g, "no", func(context.Context, *models.User) bool { return false })
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

// A11: an after hook allows only what nobody decided.
func TestGateAfter(t *testing.T) {
	down := errors.New("down")
	panics := func(context.Context, models.Authenticatable, string, any, ginauth.Decision, bool) (ginauth.Decision, bool) {
		panic("s3cret")
	}
	allow, deny := gateAfter(ginauth.Allow(), true), gateAfter(ginauth.Deny("hook"), true)
	tests := []struct {
		name    string
		hooks   []gateAfterHook
		user    models.Authenticatable
		ability string
		status  int
		message string
	}{
		{"A11 denial stays", []gateAfterHook{allow}, gateUser(7), "no", 403, "rule"},
		{"A11 denial of a guest stays", []gateAfterHook{allow}, nil, "no", 401, ""},
		{"A11 panic of the rule stays", []gateAfterHook{allow}, gateUser(7), "explode", 403, ""},
		{"A11 outage stays", []gateAfterHook{allow}, gateUser(7), "weigh", 503, ""},
		{"outage does not become a denial", []gateAfterHook{deny}, gateUser(7), "weigh", 503, ""},
		{"denial does not become an outage", []gateAfterHook{gateAfter(ginauth.Undecided(down), true)}, gateUser(7), "no", 403, "rule"},
		{"allows what nobody decided", []gateAfterHook{allow}, gateUser(7), "nope", 200, ""},
		{"allows a guest what nobody decided", []gateAfterHook{allow}, nil, "nope", 200, ""},
		{"denies what was allowed", []gateAfterHook{deny}, gateUser(7), "enter", 403, "hook"},
		{"later hook cannot undo that", []gateAfterHook{deny, allow}, gateUser(7), "enter", 403, "hook"},
		{"later hook cannot undo the denial of nothing", []gateAfterHook{deny, allow}, gateUser(7), "nope", 403, "hook"},
		{"later hook may deny what an earlier allowed", []gateAfterHook{allow, deny}, gateUser(7), "nope", 403, "hook"},
		{"denial may be worded anew", []gateAfterHook{gateAfter(ginauth.DenyAsNotFound(), true)}, gateUser(7), "no", 404, ""},
		{"no opinion", []gateAfterHook{gateAfter(ginauth.Allow(), false)}, gateUser(7), "nope", 403, ""},
		{"panics", []gateAfterHook{panics}, gateUser(7), "enter", 403, ""},
		{"panics, denial stays", []gateAfterHook{panics}, gateUser(7), "no", 403, "rule"},
		{"panics after a hook allowed", []gateAfterHook{allow, panics}, gateUser(7), "nope", 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := newTestGate()
			ginauth.DefineUser(g, "no", func(context.Context, *models.User) ginauth.Decision { return ginauth.Deny("rule") })
			ginauth.DefineUser(g, "weigh", func(context.Context, *models.User) ginauth.Decision { return ginauth.Undecided(down) })
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
func TestGateOrder(t *testing.T) {
	g := ginauth.NewGate()
	var steps []string
	step := func(name string) { steps = append(steps, name) }
	policy := &gateTracingPolicy{step: step}
	ginauth.RegisterPolicy[*models.User, *gatePost](g, policy)
	ginauth.Define(g, "view", func(context.Context, *models.User, *gatePost) bool { step("ability view"); return true })
	ginauth.Define(g, "read", func(context.Context, *models.User, *gatePost) bool { step("ability read"); return true })
	for _, name := range []string{"1", "2"} {
		g.Before(func(_ context.Context, _ models.Authenticatable, _ string, resource any) (ginauth.Decision, bool) {
			step("before " + name)
			return ginauth.Decision{}, false
		})
		g.After(func(_ context.Context, _ models.Authenticatable, _ string, _ any, d ginauth.Decision, decided bool) (ginauth.Decision, bool) {
			if !d.Allowed() || !decided {
				t.Errorf("after hook saw %v, %v", d.Allowed(), decided)
			}
			step("after " + name)
			return ginauth.Decision{}, false
		})
	}
	for ability, want := range map[string]string{
		"view": "before 1, before 2, policy before, policy view, after 1, after 2",
		"read": "before 1, before 2, ability read, after 1, after 2",
	} {
		steps = nil
		if !g.ForUser(gateUser(7)).Allows(t.Context(), ability, &gatePost{}) {
			t.Errorf("%s denied", ability)
		}
		if got := strings.Join(steps, ", "); got != want {
			t.Errorf("%s: %s\nwant %s", ability, got, want)
		}
	}
}

// Hooks see the check as it was made.
func TestGateHookArguments(t *testing.T) {
	g := ginauth.NewGate()
	var seen []any
	g.Before(func(_ context.Context, u models.Authenticatable, ability string, resource any) (ginauth.Decision, bool) {
		seen = append(seen, u, ability, resource)
		return ginauth.Decision{}, false
	})
	user, post := gateUser(7), &gatePost{}
	g.Allows(t.Context(), "a")
	g.ForUser(user).Allows(t.Context(), "b", post)
	g.ForUser(user).Allows(t.Context(), "c", ginauth.OfType[*gatePost]())
	want := []any{nil, "a", nil, user, "b", post, user, "c", ginauth.OfType[*gatePost]()}
	if !slices.Equal(seen, want) {
		t.Errorf("hook saw %v\nwant %v", seen, want)
	}
}

// A malformed check is nothing that a hook could judge.
func TestGateHooksSkipMalformedChecks(t *testing.T) {
	g, _ := newTestGate()
	g.Before(func(context.Context, models.Authenticatable, string, any) (ginauth.Decision, bool) {
		t.Error("before hook asked")
		return ginauth.Allow(), true
	})
	g.After(func(context.Context, models.Authenticatable, string, any, ginauth.Decision, bool) (ginauth.Decision, bool) {
		t.Error("after hook asked")
		return ginauth.Allow(), true
	})
	user := g.ForUser(gateUser(7))
	for name, allowed := range map[string]bool{
		"nil resource":  user.Allows(t.Context(), "touch", nil),
		"two resources": user.Allows(t.Context(), "touch", 1, 2),
		"broken user":   g.ForUser(gateUser(0)).Allows(t.Context(), "look"),
	} {
		if allowed {
			t.Errorf("%s: allowed", name)
		}
	}
}
