package ginauth_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

func TestGateZeroValue(t *testing.T) {
	var g ginauth.Gate
	if g.Allows(t.Context(), "enter") || g.Has("enter") || len(ginauth.GateTestAudit(&g)) != 0 {
		t.Error("the zero gate has rules")
	}
	user := g.ForUser(gateUser(7))
	ginauth.DefineUser(&g, "enter", gateYes)
	if !user.Allows(t.Context(), "enter") || g.Allows(t.Context(), "enter") {
		t.Error("the zero gate does not share its rules")
	}
}

func TestGateAudit(t *testing.T) {
	g := ginauth.NewGate()
	ginauth.Define(g, "edit-post", gateOwns)
	ginauth.DefineUserGuest(g, "look", gateYes)
	ginauth.RegisterPolicy[*gateAdmin, gateComment](g, gateCommentPolicy{})
	user, admin := reflect.TypeFor[*models.User](), reflect.TypeFor[*gateAdmin]()
	comment, policy := reflect.TypeFor[gateComment](), reflect.TypeFor[gateCommentPolicy]()
	want := []ginauth.GateTestRule{
		{"create", admin, comment, policy, false},
		{"edit-post", user, reflect.TypeFor[*gatePost](), nil, false},
		{"look", user, nil, nil, true},
		{"view", admin, comment, policy, false},
	}
	if got := ginauth.GateTestAudit(g); !reflect.DeepEqual(got, want) {
		t.Errorf("audit = %v\nwant %v", got, want)
	}
}

func TestDefinePanics(t *testing.T) {
	define := func(name string) func(g *ginauth.Gate) {
		return func(g *ginauth.Gate) { ginauth.DefineUser(g, name, gateYes) }
	}
	tests := []struct {
		name string
		do   func(g *ginauth.Gate)
		want string
	}{
		{"empty name", define(""), "has no name"},
		{"space", define("edit post"), `"edit post" has a space`},
		{"trailing line break", define("edit\n"), "has a space"},
		{"zero-width space", define("edit\u200b"), "unprintable"},
		{"bad UTF-8", define("edit\xff"), "UTF-8"},
		{"duplicate", define("enter"), `"enter" is defined twice`},
		{"nil function", func(g *ginauth.Gate) { ginauth.Define[*models.User, *gatePost, bool](g, "x", nil) }, "nil function"},
		{"nil function of user", func(g *ginauth.Gate) { ginauth.DefineUser[*models.User, bool](g, "x", nil) }, "nil function"},
		{"nil function for guests", func(g *ginauth.Gate) { ginauth.DefineGuest[*models.User, int, bool](g, "x", nil) }, "nil function"},
		{"nil function of user for guests", func(g *ginauth.Gate) { ginauth.DefineUserGuest[*models.User, bool](g, "x", nil) }, "nil function"},
		{"no user", func(g *ginauth.Gate) {
			ginauth.DefineUser(g, "x", func(context.Context, models.User) bool { return true })
		}, "models.User is not a user"},
		{"guest that cannot be nil", func(g *ginauth.Gate) {
			ginauth.DefineUserGuest(g, "x", func(context.Context, gateLoose) bool { return true })
		}, "can be nil"},
		{"nil before hook", func(g *ginauth.Gate) { g.Before(nil) }, "nil hook"},
		{"nil after hook", func(g *ginauth.Gate) { g.After(nil) }, "nil hook"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := newTestGate()
			gateWantPanic(t, tt.want, func() { tt.do(g) })
			if !g.ForUser(gateUser(7)).Allows(t.Context(), "enter") {
				t.Error("the panic damaged the gate")
			}
			ginauth.DefineUser(g, "after", gateYes)
		})
	}
}

func gateWantPanic(t *testing.T, want string, do func()) {
	t.Helper()
	defer func() {
		t.Helper()
		p := recover()
		if text := fmt.Sprint(p); p == nil || !strings.HasPrefix(text, "ginauth: ") || !strings.Contains(text, want) {
			t.Errorf("panic = %v, want one with %q", p, want)
		}
	}()
	do()
}

// A18: rules can be added while checks run.
func TestGateDefineWhileChecking(t *testing.T) {
	g, _ := newTestGate()
	own := &gatePost{AuthorID: 7}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				name := fmt.Sprintf("late-%d-%d", i, j)
				ginauth.DefineUser(g, name, gateYes)
				if !g.ForUser(gateUser(7)).Allows(t.Context(), name) {
					t.Errorf("%s is not in force after Define", name)
				}
				g.After(func(_ context.Context, _ models.Authenticatable, _ string, _ any, d ginauth.Decision, _ bool) (ginauth.Decision, bool) {
					return d, false
				})
			}
		})
		wg.Go(func() {
			for range 100 {
				if !g.ForUser(gateUser(7)).Allows(t.Context(), "update", own) {
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
