package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

type (
	gatePost    struct{ AuthorID uint64 }
	gateComment struct{ AuthorID uint64 }
	gateAdmin   struct{ models.User }
)

// gateLoose is a user that may lack an identifier and cannot be compared.
type gateLoose struct {
	id   string
	tags []string
}

func (u gateLoose) AuthID() string     { return u.id }
func (gateLoose) AuthPassword() string { return "" }

// gateHollow panics when asked anything, like a user with an embedded nil.
type gateHollow struct{ *models.User }

func gateUser(id uint64) *models.User { return &models.User{ID: id} }

func gateOwns(_ context.Context, u *models.User, p *gatePost) bool { return u.ID == p.AuthorID }

func gateYes(context.Context, *models.User) bool { return true }

// gateLines collects what a gate logs.
type gateLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *gateLines) log(_ context.Context, ability, reason string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%s: %s: %v", ability, reason, err))
}

func (l *gateLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// newTestGate returns a gate with a bit of everything.
func newTestGate() (*ginauth.Gate, *gateLines) {
	g, lines := ginauth.NewGate(), new(gateLines)
	ginauth.GateTestLog(g, lines.log)
	ginauth.Define(g, "edit-post", gateOwns)
	ginauth.DefineUser(g, "enter", gateYes)
	ginauth.DefineUserGuest(g, "look", gateYes)
	ginauth.Define(g, "touch", func(context.Context, *models.User, any) bool { return true })
	ginauth.DefineGuest(g, "read", func(_ context.Context, u *models.User, p *gatePost) ginauth.Decision {
		if u == nil && p.AuthorID != 0 {
			return ginauth.Deny("members only")
		}
		return ginauth.Allow()
	})
	ginauth.DefineUser(g, "explode", func(context.Context, *models.User) bool { panic("s3cret") })
	ginauth.RegisterPolicy[*models.User, *gatePost](g, gatePostPolicy{})
	return g, lines
}

func TestGateAllows(t *testing.T) {
	g, lines := newTestGate()
	own := &gatePost{AuthorID: 7}
	tests := []struct {
		name     string
		user     models.Authenticatable
		ability  string
		resource []any
	}{
		{"ability on a resource", gateUser(7), "edit-post", []any{own}},
		{"ability without a resource", gateUser(7), "enter", nil},
		{"ability on any resource", gateUser(7), "touch", []any{3}},
		{"ability for guests", nil, "look", nil},
		{"ability for guests on a resource", nil, "read", []any{&gatePost{}}},
		{"ability for guests, asked by a user", gateUser(7), "read", []any{own}},
		{"policy method returning bool", gateUser(7), "update", []any{own}},
		{"policy method returning Decision", gateUser(7), "forceDelete", []any{own}},
		{"policy method without a resource", gateUser(7), "create", []any{ginauth.OfType[*gatePost]()}},
		{"policy method for guests", nil, "view", []any{own}},
		{"ability where the policy has no method", gateUser(7), "edit-post", []any{own}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := g.ForUser(tt.user).Inspect(t.Context(), tt.ability, tt.resource...)
			if !d.Allowed() || d.Err() != nil || d.Status() != http.StatusOK {
				t.Errorf("Inspect = %d %v, want allowed; log %s", d.Status(), d.Err(), lines.text())
			}
		})
	}
	if text := lines.text(); text != "" {
		t.Errorf("allowed checks logged:\n%s", text)
	}
}

// Attack cases A01 to A06 and A13: every one is denied and leaves a trace.
func TestGateDenies(t *testing.T) {
	own := &gatePost{AuthorID: 7}
	var nilPost *gatePost
	var nilMap map[string]int
	tests := []struct {
		name     string
		user     models.Authenticatable
		ability  string
		resource []any
		status   int
		log      string
	}{
		{"A01 unknown ability", gateUser(7), "nope", nil, 403, "no such ability"},
		{"A01 unknown ability as a guest", nil, "nope", nil, 403, "no such ability"},
		{"A02 policy without the method", gateUser(7), "archive", []any{own}, 403, "no such method"},
		{"A03 no policy for the type", gateUser(7), "update", []any{&gateComment{7}}, 403, "no policy for *ginauth_test.gateComment"},
		{"A03 no policy for the value type", gateUser(7), "update", []any{*own}, 403, "no policy for ginauth_test.gatePost"},
		{"A04 nil user", nil, "edit-post", []any{own}, 401, ""},
		{"A04 nil user and policy", nil, "update", []any{own}, 401, ""},
		{"A04 typed nil user", (*models.User)(nil), "look", nil, 403, "nil user"},
		{"A04 user without identifier", gateUser(0), "look", nil, 403, "without an identifier"},
		{"A04 user value without identifier", gateLoose{}, "look", nil, 403, "without an identifier"},
		{"A04 user of another type", &gateAdmin{*gateUser(7)}, "edit-post", []any{own}, 403, "user *ginauth_test.gateAdmin"},
		{"A04 user of another type and policy", gateLoose{id: "7"}, "update", []any{own}, 403, "user ginauth_test.gateLoose"},
		{"A04 user of another type is no guest", &gateAdmin{*gateUser(7)}, "look", nil, 403, "user *ginauth_test.gateAdmin"},
		{"A05 nil resource", gateUser(7), "touch", []any{nil}, 403, "nil resource"},
		{"A05 typed nil resource", gateUser(7), "touch", []any{nilPost}, 403, "nil resource"},
		{"A05 typed nil resource and policy", gateUser(7), "update", []any{nilPost}, 403, "nil resource"},
		{"A05 typed nil map", gateUser(7), "touch", []any{nilMap}, 403, "nil resource"},
		{"A05 typed nil is not no resource", gateUser(7), "enter", []any{nilPost}, 403, "nil resource"},
		{"A05 typed nil is not the type", gateUser(7), "create", []any{nilPost}, 403, "nil resource"},
		{"resource missing", gateUser(7), "edit-post", nil, 403, "needs a resource"},
		{"resource not wanted", gateUser(7), "enter", []any{own}, 403, "takes no resource"},
		{"resource of another type", gateUser(7), "edit-post", []any{&gateComment{7}}, 403, "resource *ginauth_test.gateComment"},
		{"two resources", gateUser(7), "edit-post", []any{own, own}, 403, "more than one"},
		{"type where a resource is needed", gateUser(7), "update", []any{ginauth.OfType[*gatePost]()}, 403, "no such method"},
		{"resource where the type is needed", gateUser(7), "create", []any{own}, 403, "no such method"},
		{"type without a policy", gateUser(7), "create", []any{ginauth.OfType[*gateComment]()}, 403, "no policy"},
		{"type is not any resource", gateUser(7), "touch", []any{ginauth.OfType[*gatePost]()}, 403, "resource is not of the type"},
		{"type is not no resource", gateUser(7), "enter", []any{ginauth.OfType[*gatePost]()}, 403, "takes no resource"},
		{"A06 ability panics", gateUser(7), "explode", nil, 403, "panic with string"},
		{"A06 policy panics", gateUser(7), "crash", []any{own}, 403, "panic with runtime."},
		{"A13 other case", gateUser(7), "Enter", nil, 403, "no such ability"},
		{"A13 trailing space", gateUser(7), "enter ", nil, 403, "no such ability"},
		{"A13 name of the method", gateUser(7), "Update", []any{own}, 403, "no such"},
		{"A13 special method", gateUser(7), "before", []any{own}, 403, "no such"},
		{"empty ability", gateUser(7), "", nil, 403, "no such ability"},
		{"rule says no", gateUser(8), "edit-post", []any{own}, 403, ""},
		{"rule for guests says no", nil, "read", []any{own}, 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, lines := newTestGate()
			d := g.ForUser(tt.user).Inspect(t.Context(), tt.ability, tt.resource...)
			if d.Allowed() || d.Status() != tt.status {
				t.Errorf("Inspect = %v, status %d, want denied with %d", d.Allowed(), d.Status(), tt.status)
			}
			text := lines.text()
			if !strings.Contains(text, tt.log) || tt.log == "" && text != "" {
				t.Errorf("log = %q, want %q", text, tt.log)
			}
			if strings.Contains(text, "s3cret") {
				t.Errorf("log quotes the value of a panic: %q", text)
			}
		})
	}
}

func TestGateUserThatPanics(t *testing.T) {
	g, lines := newTestGate()
	for name, bound := range map[string]*ginauth.Gate{
		"AuthID": g.ForUser(&gateHollow{}),
		"source": ginauth.GateTestBind(g, &ginauth.GateTestSource{
			Load: func(context.Context) (models.Authenticatable, error) { panic("s3cret") },
		}),
	} {
		d := bound.Inspect(t.Context(), "look")
		if d.Status() != http.StatusServiceUnavailable || strings.Contains(lines.text(), "s3cret") {
			t.Errorf("%s: Inspect = %d, want 503; log %s", name, d.Status(), lines.text())
		}
	}
}

// A10: a list without abilities grants nothing.
func TestGateEmptyLists(t *testing.T) {
	g, lines := newTestGate()
	user := g.ForUser(gateUser(7))
	for name, got := range map[string]bool{
		"Any":   user.Any(t.Context(), nil),
		"Check": user.Check(t.Context(), []string{}),
		"None":  !user.None(t.Context(), nil),
	} {
		if got {
			t.Errorf("%s of nothing grants", name)
		}
	}
	if n := strings.Count(lines.text(), "empty list"); n != 3 {
		t.Errorf("%d of 3 empty lists logged:\n%s", n, lines.text())
	}
}

func TestGateLists(t *testing.T) {
	g, _ := newTestGate()
	user, own := g.ForUser(gateUser(7)), &gatePost{AuthorID: 7}
	ctx := t.Context()
	tests := []struct {
		name      string
		got, want bool
	}{
		{"Any, one of two", user.Any(ctx, []string{"nope", "enter"}), true},
		{"Any, none of two", user.Any(ctx, []string{"nope", "nor"}), false},
		{"None, one of two", user.None(ctx, []string{"nope", "enter"}), false},
		{"None, none of two", user.None(ctx, []string{"nope", "nor"}), true},
		{"Check, one of two", user.Check(ctx, []string{"enter", "nope"}), false},
		{"Check, both", user.Check(ctx, []string{"enter", "look"}), true},
		{"Check on a resource", user.Check(ctx, []string{"update", "edit-post"}, own), true},
		{"Denies what is allowed", user.Denies(ctx, "enter"), false},
		{"Denies what is not", user.Denies(ctx, "nope"), true},
		{"Has", user.Has("enter"), true},
		{"Has a policy method", user.Has("update"), false},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s = %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

// A user type that cannot be compared must not break the memory of users.
func TestGateUncomparableUser(t *testing.T) {
	g := ginauth.NewGate()
	ginauth.DefineUser(g, "enter", func(_ context.Context, u models.Authenticatable) bool { return u.AuthID() == "x" })
	user := g.ForUser(gateLoose{id: "x", tags: []string{"a"}})
	for range 2 {
		if d := user.Inspect(t.Context(), "enter"); !d.Allowed() {
			t.Fatalf("Inspect = %v", d.Err())
		}
	}
}

func TestGateLogIsEscaped(t *testing.T) {
	g, lines := newTestGate()
	ability := "a\nb" + strings.Repeat("é", 100)
	err := g.ForUser(gateUser(7)).Authorize(t.Context(), ability)
	for name, text := range map[string]string{"log": lines.text(), "error": err.Error()} {
		if strings.Contains(text, "\n") || len(text) > 200 || !strings.Contains(text, `"a\nbéé`) {
			t.Errorf("%s = %q, want it escaped and cut", name, text)
		}
	}
	var denied *ginauth.AuthorizationError
	if !errors.As(err, &denied) || denied.Ability != ability {
		t.Errorf("Authorize = %#v, want the ability as it was asked", err)
	}
}
