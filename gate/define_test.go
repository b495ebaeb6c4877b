package gate_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

func TestZeroValue(t *testing.T) {
	var g gate.Gate
	if g.Allows(t.Context(), "enter") || g.Has("enter") || len(g.Rules()) != 0 {
		t.Error("the zero gate has rules")
	}
	user := g.ForUser(userWithID(7))
	gate.DefineUser(&g, "enter", yes)
	if !user.Allows(t.Context(), "enter") || g.Allows(t.Context(), "enter") {
		t.Error("the zero gate does not share its rules")
	}
}

func TestRules(t *testing.T) {
	g := gate.New()
	gate.Define(g, "edit-post", owns)
	gate.DefineUserGuest(g, "look", yes)
	gate.RegisterPolicy[*admin, comment](g, commentPolicy{})
	userType, adminType := reflect.TypeFor[*models.User](), reflect.TypeFor[*admin]()
	commentType, policyType := reflect.TypeFor[comment](), reflect.TypeFor[commentPolicy]()
	want := []gate.Rule{
		{Ability: "create", User: adminType, Resource: commentType, Policy: policyType},
		{Ability: "edit-post", User: userType, Resource: reflect.TypeFor[*post]()},
		{Ability: "look", User: userType, Guests: true},
		{Ability: "view", User: adminType, Resource: commentType, Policy: policyType},
	}
	if got := g.Rules(); !reflect.DeepEqual(got, want) {
		t.Errorf("Rules = %v\nwant %v", got, want)
	}
}

func TestDefinePanics(t *testing.T) {
	define := func(name string) func(g *gate.Gate) {
		return func(g *gate.Gate) { gate.DefineUser(g, name, yes) }
	}
	tests := []struct {
		name string
		do   func(g *gate.Gate)
		want string
	}{
		{"empty name", define(""), "has no name"},
		{"space", define("edit post"), `"edit post" has a space`},
		{"trailing line break", define("edit\n"), "has a space"},
		{"zero-width space", define("edit\u200b"), "unprintable"},
		{"bad UTF-8", define("edit\xff"), "UTF-8"},
		{"duplicate", define("enter"), `"enter" is defined twice`},
		{"nil function", func(g *gate.Gate) { gate.Define[*models.User, *post, bool](g, "x", nil) }, "nil function"},
		{"nil function of user", func(g *gate.Gate) { gate.DefineUser[*models.User, bool](g, "x", nil) }, "nil function"},
		{"nil function for guests", func(g *gate.Gate) { gate.DefineGuest[*models.User, int, bool](g, "x", nil) }, "nil function"},
		{"nil function of user for guests", func(g *gate.Gate) { gate.DefineUserGuest[*models.User, bool](g, "x", nil) }, "nil function"},
		{"no user", func(g *gate.Gate) {
			gate.DefineUser(g, "x", func(context.Context, models.User) bool { return true })
		}, "models.User is not a user"},
		{"guest that cannot be nil", func(g *gate.Gate) {
			gate.DefineUserGuest(g, "x", func(context.Context, looseUser) bool { return true })
		}, "can be nil"},
		{"nil before hook", func(g *gate.Gate) { g.Before(nil) }, "nil hook"},
		{"nil after hook", func(g *gate.Gate) { g.After(nil) }, "nil hook"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := newTestGate()
			wantPanic(t, tt.want, func() { tt.do(g) })
			if !g.ForUser(userWithID(7)).Allows(t.Context(), "enter") {
				t.Error("the panic damaged the gate")
			}
			gate.DefineUser(g, "after", yes)
		})
	}
}

func wantPanic(t *testing.T, want string, do func()) {
	t.Helper()
	defer func() {
		t.Helper()
		p := recover()
		if text := fmt.Sprint(p); p == nil || !strings.HasPrefix(text, "gate: ") || !strings.Contains(text, want) {
			t.Errorf("panic = %v, want one with %q", p, want)
		}
	}()
	do()
}

func TestValidateName(t *testing.T) {
	for name, valid := range map[string]bool{
		"view": true, "posts.view": true, "Ändern": true, "": false, "a b": false, "a\t": false, "a\u00a0b": false, "a\x00": false, "\xff": false,
	} {
		err := gate.ValidateName(name)
		if (err == nil) != valid || err != nil && !strings.HasPrefix(err.Error(), "gate: ") {
			t.Errorf("ValidateName(%q) = %v, want valid %v", name, err, valid)
		}
	}
}

// A18: rules can be added while checks run.
func TestDefineWhileChecking(t *testing.T) {
	g, _ := newTestGate()
	own := &post{AuthorID: 7}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				name := fmt.Sprintf("late-%d-%d", i, j)
				gate.DefineUser(g, name, yes)
				if !g.ForUser(userWithID(7)).Allows(t.Context(), name) {
					t.Errorf("%s is not in force after Define", name)
				}
				g.After(func(_ context.Context, _ models.Authenticatable, _ string, _ any, d gate.Decision, _ bool) (gate.Decision, bool) {
					return d, false
				})
			}
		})
		wg.Go(func() {
			for range 100 {
				if !g.ForUser(userWithID(7)).Allows(t.Context(), "update", own) {
					t.Error("update denied while rules were added")
				}
			}
		})
	}
	wg.Wait()
	for i := range 8 {
		for j := range 25 {
			if !g.Has(fmt.Sprintf("late-%d-%d", i, j)) {
				t.Fatalf("late-%d-%d was lost", i, j)
			}
		}
	}
}
