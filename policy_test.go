package ginauth_test

import (
	"context"
	"net/http"
	"reflect"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

type gatePostPolicy struct{}

func (gatePostPolicy) GuestAbilities() []string { return []string{"view"} }

func (gatePostPolicy) View(context.Context, *models.User, *gatePost) bool { return true }

func (gatePostPolicy) Create(context.Context, *models.User) bool { return true }

func (gatePostPolicy) Update(_ context.Context, u *models.User, p *gatePost) bool {
	return u.ID == p.AuthorID
}

func (gatePostPolicy) ForceDelete(_ context.Context, u *models.User, p *gatePost) ginauth.Decision {
	if u.ID != p.AuthorID {
		return ginauth.Deny("You do not own this post.")
	}
	return ginauth.Allow()
}

func (gatePostPolicy) Crash(_ context.Context, _ *models.User, p *gatePost) bool {
	return []bool{}[p.AuthorID]
}

type gateCommentPolicy struct{}

func (gateCommentPolicy) View(context.Context, *gateAdmin, gateComment) bool { return true }

func (gateCommentPolicy) Create(context.Context, *gateAdmin) ginauth.Decision {
	return ginauth.DenyWithStatus(http.StatusTooManyRequests, "Slow down.")
}

type gateTracingPolicy struct{ step func(string) }

func (p *gateTracingPolicy) Before(context.Context, *models.User, string) (ginauth.Decision, bool) {
	p.step("policy before")
	return ginauth.Decision{}, false
}

func (p *gateTracingPolicy) View(context.Context, *models.User, *gatePost) bool {
	p.step("policy view")
	return true
}

// gateFilteredPolicy has a Before that decides for some.
type gateFilteredPolicy struct{ gateOpen }

type gateOpen struct{}

func (gateOpen) Touch(context.Context, models.Authenticatable, *gatePost) bool { return false }

func (gateFilteredPolicy) GuestAbilities() []string { return []string{"touch"} }

func (gateFilteredPolicy) Before(_ context.Context, u models.Authenticatable, ability string) (ginauth.Decision, bool) {
	switch {
	case u == nil:
		return ginauth.DenyAsNotFound(), true
	case u.AuthID() == "1":
		return ginauth.Allow(), true
	case u.AuthID() == "2":
		panic(ability)
	}
	return ginauth.Decision{}, false
}

func TestPolicyBefore(t *testing.T) {
	g := ginauth.NewGate()
	ginauth.RegisterPolicy[models.Authenticatable, *gatePost](g, gateFilteredPolicy{})
	tests := []struct {
		name    string
		user    models.Authenticatable
		ability string
		status  int
	}{
		{"decides for a guest", nil, "touch", 404},
		{"allows", gateUser(1), "touch", 200},
		{"panics", gateUser(2), "touch", 403},
		{"has no opinion", gateUser(3), "touch", 403},
		{"is not asked without a method", gateUser(1), "view", 403},
	}
	for _, tt := range tests {
		if d := g.ForUser(tt.user).Inspect(t.Context(), tt.ability, &gatePost{}); d.Status() != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, d.Status(), tt.status)
		}
	}
}

func TestPolicyLookup(t *testing.T) {
	g := ginauth.NewGate()
	ginauth.RegisterPolicy[*models.User, *gatePost](g, gatePostPolicy{})
	if p, ok := g.ForUser(gateUser(7)).Policy(reflect.TypeFor[*gatePost]()); !ok || p != (gatePostPolicy{}) {
		t.Errorf("Policy = %v, %v", p, ok)
	}
	for _, typ := range []reflect.Type{nil, reflect.TypeFor[gatePost](), reflect.TypeOf(ginauth.OfType[*gatePost]())} {
		if p, ok := g.Policy(typ); ok {
			t.Errorf("Policy(%v) = %v, want none", typ, p)
		}
	}
}

// Policies of a type and of the pointer to it are two.
func TestPolicyOfValueType(t *testing.T) {
	g := ginauth.NewGate()
	ginauth.RegisterPolicy[*gateAdmin, gateComment](g, gateCommentPolicy{})
	admin := g.ForUser(&gateAdmin{*gateUser(7)})
	if !admin.Allows(t.Context(), "view", gateComment{}) || admin.Allows(t.Context(), "view", &gateComment{}) {
		t.Error("the policy does not answer for its type alone")
	}
	d := admin.Inspect(t.Context(), "create", ginauth.OfType[gateComment]())
	if d.Status() != http.StatusTooManyRequests || d.Message() != "Slow down." {
		t.Errorf("Inspect = %d %q", d.Status(), d.Message())
	}
}

type (
	gateBadEmpty    struct{}
	gateBadShape    struct{ gatePostPolicy }
	gateBadResult   struct{}
	gateBadBefore   struct{ gatePostPolicy }
	gateBadGuests   struct{ gatePostPolicy }
	gateBadGuestSig struct{ gatePostPolicy }
	gateBadReceiver struct{ gatePostPolicy }
	gateBadGuest    struct{}
)

func (gateBadShape) Delete(*models.User, *gatePost) bool                             { return true }
func (gateBadResult) View(context.Context, *models.User, *gatePost) (bool, error)    { return true, nil }
func (gateBadBefore) Before(context.Context, *models.User, string) bool              { return true }
func (gateBadGuests) GuestAbilities() []string                                       { return []string{"View"} }
func (gateBadGuestSig) GuestAbilities() string                                       { return "view" }
func (*gateBadReceiver) Delete(context.Context, *models.User, *gatePost) bool        { return true }
func (gateBadGuest) GuestAbilities() []string                                        { return []string{"view"} }
func (gateBadGuest) View(_ context.Context, _ gateLoose, _ *gatePost) (allowed bool) { return true }

func TestRegisterPolicyPanics(t *testing.T) {
	tests := []struct {
		name string
		do   func(g *ginauth.Gate)
		want string
	}{
		{"no method", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*models.User, *gatePost](g, gateBadEmpty{}) }, "has no ability"},
		{
			"shape", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*models.User, *gatePost](g, gateBadShape{}) },
			"policy ginauth_test.gateBadShape: method Delete has type func(*models.User, *ginauth_test.gatePost) bool, " +
				"want func(context.Context, *models.User, *ginauth_test.gatePost) or func(context.Context, *models.User), " +
				"returning bool or ginauth.Decision",
		},
		{"result", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*models.User, *gatePost](g, gateBadResult{}) }, "method View"},
		{"user type", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*gateAdmin, *gatePost](g, gatePostPolicy{}) }, "method C"},
		{"resource type", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*models.User, gatePost](g, gatePostPolicy{}) }, "method Crash"},
		{"Before", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*models.User, *gatePost](g, gateBadBefore{}) }, "method Before"},
		{"unknown guest ability", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*models.User, *gatePost](g, gateBadGuests{}) }, `names "View"`},
		{"GuestAbilities", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*models.User, *gatePost](g, gateBadGuestSig{}) }, "want func() []string"},
		{"guest that cannot be nil", func(g *ginauth.Gate) { ginauth.RegisterPolicy[gateLoose, *gatePost](g, gateBadGuest{}) }, "can be nil"},
		{"pointer receiver", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*models.User, *gatePost](g, gateBadReceiver{}) }, "Delete has a pointer receiver"},
		{"nil policy", func(g *ginauth.Gate) {
			ginauth.RegisterPolicy[*models.User, *gatePost](g, (*gateTracingPolicy)(nil))
		}, "is nil"},
		{"interface policy", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*models.User, *gatePost, any](g, gatePostPolicy{}) }, "not as an interface"},
		{"interface resource", func(g *ginauth.Gate) { ginauth.RegisterPolicy[*models.User, any](g, gatePostPolicy{}) }, "is an interface"},
		{"no user", func(g *ginauth.Gate) { ginauth.RegisterPolicy[models.User, *gatePost](g, gatePostPolicy{}) }, "method C"},
		{"duplicate", func(g *ginauth.Gate) {
			ginauth.RegisterPolicy[*models.User, *gatePost](g, gatePostPolicy{})
			ginauth.RegisterPolicy[*models.User, *gatePost](g, &gateTracingPolicy{})
		}, "*ginauth_test.gatePost already has a policy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gateWantPanic(t, tt.want, func() { tt.do(ginauth.NewGate()) })
		})
	}
}
