package gate_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

func TestAllows(t *testing.T) {
	g, lines := newTestGate()
	own := &post{AuthorID: 7}
	tests := []struct {
		name     string
		user     models.Authenticatable
		ability  string
		resource []any
	}{
		{"ability on a resource", userWithID(7), "edit-post", []any{own}},
		{"ability without a resource", userWithID(7), "enter", nil},
		{"ability on any resource", userWithID(7), "touch", []any{3}},
		{"ability for guests", nil, "look", nil},
		{"ability for guests on a resource", nil, "read", []any{&post{}}},
		{"ability for guests, asked by a user", userWithID(7), "read", []any{own}},
		{"policy method returning bool", userWithID(7), "update", []any{own}},
		{"policy method returning Decision", userWithID(7), "forceDelete", []any{own}},
		{"policy method without a resource", userWithID(7), "create", []any{gate.OfType[*post]()}},
		{"policy method for guests", nil, "view", []any{own}},
		{"ability where the policy has no method", userWithID(7), "edit-post", []any{own}},
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

// Attack cases A01 to A06 and A13 are denied and reported.
func TestDenies(t *testing.T) {
	own := &post{AuthorID: 7}
	var nilPost *post
	var nilMap map[string]int
	tests := []struct {
		name     string
		user     models.Authenticatable
		ability  string
		resource []any
		status   int
		log      string
	}{
		{"A01 unknown ability", userWithID(7), "nope", nil, 403, "no such ability"},
		{"A01 unknown ability as a guest", nil, "nope", nil, 403, "no such ability"},
		{"A02 policy without the method", userWithID(7), "archive", []any{own}, 403, "no such method"},
		{"A03 no policy for the type", userWithID(7), "update", []any{&comment{7}}, 403, "no policy for *gate_test.comment"},
		{"A03 no policy for the value type", userWithID(7), "update", []any{*own}, 403, "no policy for gate_test.post"},
		{"A04 nil user", nil, "edit-post", []any{own}, 401, ""},
		{"A04 nil user and policy", nil, "update", []any{own}, 401, ""},
		{"A04 typed nil user", (*models.User)(nil), "look", nil, 403, "nil user"},
		{"A04 user without identifier", userWithID(0), "look", nil, 403, "without an identifier"},
		{"A04 user value without identifier", looseUser{}, "look", nil, 403, "without an identifier"},
		{"A04 user of another type", &admin{*userWithID(7)}, "edit-post", []any{own}, 403, "user *gate_test.admin"},
		{"A04 user of another type and policy", looseUser{id: "7"}, "update", []any{own}, 403, "user gate_test.looseUser"},
		{"A04 user of another type is no guest", &admin{*userWithID(7)}, "look", nil, 403, "user *gate_test.admin"},
		{"A05 nil resource", userWithID(7), "touch", []any{nil}, 403, "nil resource"},
		{"A05 typed nil resource", userWithID(7), "touch", []any{nilPost}, 403, "nil resource"},
		{"A05 typed nil resource and policy", userWithID(7), "update", []any{nilPost}, 403, "nil resource"},
		{"A05 typed nil map", userWithID(7), "touch", []any{nilMap}, 403, "nil resource"},
		{"A05 typed nil is not no resource", userWithID(7), "enter", []any{nilPost}, 403, "nil resource"},
		{"A05 typed nil is not the type", userWithID(7), "create", []any{nilPost}, 403, "nil resource"},
		{"resource missing", userWithID(7), "edit-post", nil, 403, "needs a resource"},
		{"resource not wanted", userWithID(7), "enter", []any{own}, 403, "takes no resource"},
		{"resource of another type", userWithID(7), "edit-post", []any{&comment{7}}, 403, "resource *gate_test.comment"},
		{"two resources", userWithID(7), "edit-post", []any{own, own}, 403, "more than one"},
		{"type where a resource is needed", userWithID(7), "update", []any{gate.OfType[*post]()}, 403, "no such method"},
		{"resource where the type is needed", userWithID(7), "create", []any{own}, 403, "no such method"},
		{"type without a policy", userWithID(7), "create", []any{gate.OfType[*comment]()}, 403, "no policy"},
		{"type is not any resource", userWithID(7), "touch", []any{gate.OfType[*post]()}, 403, "resource is not of the type"},
		{"type is not no resource", userWithID(7), "enter", []any{gate.OfType[*post]()}, 403, "takes no resource"},
		{"A06 ability panics", userWithID(7), "explode", nil, 403, "panic with string"},
		{"A06 policy panics", userWithID(7), "crash", []any{own}, 403, "panic with runtime."},
		{"A13 other case", userWithID(7), "Enter", nil, 403, "no such ability"},
		{"A13 trailing space", userWithID(7), "enter ", nil, 403, "no such ability"},
		{"A13 name of the method", userWithID(7), "Update", []any{own}, 403, "no such"},
		{"A13 special method", userWithID(7), "before", []any{own}, 403, "no such"},
		{"empty ability", userWithID(7), "", nil, 403, "no such ability"},
		{"rule says no", userWithID(8), "edit-post", []any{own}, 403, ""},
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

func TestUserThatPanics(t *testing.T) {
	g, lines := newTestGate()
	for name, bound := range map[string]*gate.Gate{
		"AuthID": g.ForUser(&hollowUser{}),
		"source": bind(g, userFunc(func(context.Context) (models.Authenticatable, error) { panic("s3cret") })),
	} {
		d := bound.Inspect(t.Context(), "look")
		if d.Status() != http.StatusServiceUnavailable || strings.Contains(lines.text(), "s3cret") {
			t.Errorf("%s: Inspect = %d, want 503; log %s", name, d.Status(), lines.text())
		}
	}
}

// A10: an empty list of abilities grants nothing.
func TestEmptyLists(t *testing.T) {
	g, lines := newTestGate()
	user := g.ForUser(userWithID(7))
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

func TestLists(t *testing.T) {
	g, _ := newTestGate()
	user, own := g.ForUser(userWithID(7)), &post{AuthorID: 7}
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

// The gate must not compare users: comparing a looseUser panics.
func TestUncomparableUser(t *testing.T) {
	g := gate.New()
	gate.DefineUser(g, "enter", func(_ context.Context, u models.Authenticatable) bool { return u.AuthID() == "x" })
	user := g.ForUser(looseUser{id: "x", tags: []string{"a"}})
	for range 2 {
		if d := user.Inspect(t.Context(), "enter"); !d.Allowed() {
			t.Fatalf("Inspect = %v", d.Err())
		}
	}
}

func TestLogIsEscaped(t *testing.T) {
	g, lines := newTestGate()
	ability := "a\nb" + strings.Repeat("é", 100)
	err := g.ForUser(userWithID(7)).Authorize(t.Context(), ability)
	for name, text := range map[string]string{"log": lines.text(), "error": err.Error()} {
		if strings.Contains(text, "\n") || len(text) > 200 || !strings.Contains(text, `"a\nbéé`) {
			t.Errorf("%s = %q, want it escaped and cut", name, text)
		}
	}
	var denied *gate.AuthorizationError
	if !errors.As(err, &denied) || denied.Ability != ability {
		t.Errorf("Authorize = %#v, want the ability as it was asked", err)
	}
}

func TestSetReporter(t *testing.T) {
	g, lines := newTestGate()
	user := g.ForUser(userWithID(7))
	user.Allows(t.Context(), "nope")
	g.SetReporter(nil)
	user.Allows(t.Context(), "nor")
	var other logLines
	user.SetReporter(other.log) // the gates share it
	g.Allows(t.Context(), "neither")
	if got, want := lines.text(), `"nope": no such ability: <nil>`; got != want {
		t.Errorf("first reporter got %q, want %q", got, want)
	}
	if got, want := other.text(), `"neither": no such ability: <nil>`; got != want {
		t.Errorf("second reporter got %q, want %q", got, want)
	}
}
