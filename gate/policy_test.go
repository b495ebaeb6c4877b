package gate_test

import (
	"context"
	"net/http"
	"reflect"
	"testing"

	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

type postPolicy struct{}

func (postPolicy) GuestAbilities() []string { return []string{"view"} }

func (postPolicy) View(context.Context, *models.User, *post) bool { return true }

func (postPolicy) Create(context.Context, *models.User) bool { return true }

func (postPolicy) Update(_ context.Context, u *models.User, p *post) bool {
	return u.ID == p.AuthorID
}

func (postPolicy) ForceDelete(_ context.Context, u *models.User, p *post) gate.Decision {
	if u.ID != p.AuthorID {
		return gate.Deny("You do not own this post.")
	}
	return gate.Allow()
}

func (postPolicy) Crash(_ context.Context, _ *models.User, p *post) bool {
	return []bool{}[p.AuthorID]
}

type commentPolicy struct{}

func (commentPolicy) View(context.Context, *admin, comment) bool { return true }

func (commentPolicy) Create(context.Context, *admin) gate.Decision {
	return gate.DenyWithStatus(http.StatusTooManyRequests, "Slow down.")
}

type tracingPolicy struct{ step func(string) }

func (p *tracingPolicy) Before(context.Context, *models.User, string) (gate.Decision, bool) {
	p.step("policy before")
	return gate.Decision{}, false
}

func (p *tracingPolicy) View(context.Context, *models.User, *post) bool {
	p.step("policy view")
	return true
}

// filteredPolicy has a Before that decides for some users.
type filteredPolicy struct{ openPolicy }

type openPolicy struct{}

func (openPolicy) Touch(context.Context, models.Authenticatable, *post) bool { return false }

func (filteredPolicy) GuestAbilities() []string { return []string{"touch"} }

func (filteredPolicy) Before(_ context.Context, u models.Authenticatable, ability string) (gate.Decision, bool) {
	switch {
	case u == nil:
		return gate.DenyAsNotFound(), true
	case u.AuthID() == "1":
		return gate.Allow(), true
	case u.AuthID() == "2":
		panic(ability)
	}
	return gate.Decision{}, false
}

func TestPolicyBefore(t *testing.T) {
	g := gate.New()
	gate.RegisterPolicy[models.Authenticatable, *post](g, filteredPolicy{})
	tests := []struct {
		name    string
		user    models.Authenticatable
		ability string
		status  int
	}{
		{"decides for a guest", nil, "touch", 404},
		{"allows", userWithID(1), "touch", 200},
		{"panics", userWithID(2), "touch", 403},
		{"has no opinion", userWithID(3), "touch", 403},
		{"is not asked without a method", userWithID(1), "view", 403},
	}
	for _, tt := range tests {
		if d := g.ForUser(tt.user).Inspect(t.Context(), tt.ability, &post{}); d.Status() != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, d.Status(), tt.status)
		}
	}
}

func TestPolicyLookup(t *testing.T) {
	g := gate.New()
	gate.RegisterPolicy[*models.User, *post](g, postPolicy{})
	if p, ok := g.ForUser(userWithID(7)).Policy(reflect.TypeFor[*post]()); !ok || p != (postPolicy{}) {
		t.Errorf("Policy = %v, %v", p, ok)
	}
	for _, typ := range []reflect.Type{nil, reflect.TypeFor[post](), reflect.TypeOf(gate.OfType[*post]())} {
		if p, ok := g.Policy(typ); ok {
			t.Errorf("Policy(%v) = %v, want none", typ, p)
		}
	}
}

func TestOfType(t *testing.T) {
	if gate.OfType[*post]() != gate.OfType[*post]() || gate.OfType[*post]() == gate.OfType[post]() {
		t.Error("the values for one type are not equal, or those for two types are")
	}
	for _, resource := range []any{nil, 1, &post{}, gate.New()} {
		if gate.IsType(resource) {
			t.Errorf("IsType(%T) = true", resource)
		}
	}
	if !gate.IsType(gate.OfType[post]()) {
		t.Error("IsType does not know the value of OfType")
	}
}

// A policy for a type does not answer for pointers to it.
func TestPolicyOfValueType(t *testing.T) {
	g := gate.New()
	gate.RegisterPolicy[*admin, comment](g, commentPolicy{})
	admin := g.ForUser(&admin{*userWithID(7)})
	if !admin.Allows(t.Context(), "view", comment{}) || admin.Allows(t.Context(), "view", &comment{}) {
		t.Error("the policy does not answer for its type alone")
	}
	d := admin.Inspect(t.Context(), "create", gate.OfType[comment]())
	if d.Status() != http.StatusTooManyRequests || d.Message() != "Slow down." {
		t.Errorf("Inspect = %d %q", d.Status(), d.Message())
	}
}

type (
	badEmpty    struct{}
	badShape    struct{ postPolicy }
	badResult   struct{}
	badBefore   struct{ postPolicy }
	badGuests   struct{ postPolicy }
	badGuestSig struct{ postPolicy }
	badReceiver struct{ postPolicy }
	badGuest    struct{}
)

func (badShape) Delete(*models.User, *post) bool                             { return true }
func (badResult) View(context.Context, *models.User, *post) (bool, error)    { return true, nil }
func (badBefore) Before(context.Context, *models.User, string) bool          { return true }
func (badGuests) GuestAbilities() []string                                   { return []string{"View"} }
func (badGuestSig) GuestAbilities() string                                   { return "view" }
func (*badReceiver) Delete(context.Context, *models.User, *post) bool        { return true }
func (badGuest) GuestAbilities() []string                                    { return []string{"view"} }
func (badGuest) View(_ context.Context, _ looseUser, _ *post) (allowed bool) { return true }

func TestRegisterPolicyPanics(t *testing.T) {
	tests := []struct {
		name string
		do   func(g *gate.Gate)
		want string
	}{
		{"no method", func(g *gate.Gate) { gate.RegisterPolicy[*models.User, *post](g, badEmpty{}) }, "has no ability"},
		{
			"shape", func(g *gate.Gate) { gate.RegisterPolicy[*models.User, *post](g, badShape{}) },
			"policy gate_test.badShape: method Delete has type func(*models.User, *gate_test.post) bool, " +
				"want func(context.Context, *models.User, *gate_test.post) or func(context.Context, *models.User), " +
				"returning bool or gate.Decision",
		},
		{"result", func(g *gate.Gate) { gate.RegisterPolicy[*models.User, *post](g, badResult{}) }, "method View"},
		{"user type", func(g *gate.Gate) { gate.RegisterPolicy[*admin, *post](g, postPolicy{}) }, "method C"},
		{"resource type", func(g *gate.Gate) { gate.RegisterPolicy[*models.User, post](g, postPolicy{}) }, "method Crash"},
		{"Before", func(g *gate.Gate) { gate.RegisterPolicy[*models.User, *post](g, badBefore{}) }, "method Before"},
		{"unknown guest ability", func(g *gate.Gate) { gate.RegisterPolicy[*models.User, *post](g, badGuests{}) }, `names "View"`},
		{"GuestAbilities", func(g *gate.Gate) { gate.RegisterPolicy[*models.User, *post](g, badGuestSig{}) }, "want func() []string"},
		{"guest that cannot be nil", func(g *gate.Gate) { gate.RegisterPolicy[looseUser, *post](g, badGuest{}) }, "can be nil"},
		{"pointer receiver", func(g *gate.Gate) { gate.RegisterPolicy[*models.User, *post](g, badReceiver{}) }, "Delete has a pointer receiver"},
		{"nil policy", func(g *gate.Gate) {
			gate.RegisterPolicy[*models.User, *post](g, (*tracingPolicy)(nil))
		}, "is nil"},
		{"interface policy", func(g *gate.Gate) { gate.RegisterPolicy[*models.User, *post, any](g, postPolicy{}) }, "not as an interface"},
		{"interface resource", func(g *gate.Gate) { gate.RegisterPolicy[*models.User, any](g, postPolicy{}) }, "is an interface"},
		{"no user", func(g *gate.Gate) { gate.RegisterPolicy[models.User, *post](g, postPolicy{}) }, "method C"},
		{"duplicate", func(g *gate.Gate) {
			gate.RegisterPolicy[*models.User, *post](g, postPolicy{})
			gate.RegisterPolicy[*models.User, *post](g, &tracingPolicy{})
		}, "*gate_test.post already has a policy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantPanic(t, tt.want, func() { tt.do(gate.New()) })
		})
	}
}
