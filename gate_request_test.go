package ginauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// The gate on the context has the request's user, also after a login and a logout in
// the same request.
func TestRequestGateFollowsLogin(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		ginauth.DefineUser(a.Gate(), "enter", func(_ context.Context, u *models.User) bool { return u.Email == testapp.Alice })
		r.POST("/steps", func(c *gin.Context) {
			ctx, handle := c.Request.Context(), ginauth.From(c)
			g := c.MustGet("gate").(*ginauth.Gate)
			statuses := []int{g.Inspect(ctx, "enter").Status()}
			for _, u := range []*models.User{a.Alice, a.Bob} {
				if _, err := handle.Login(ctx, u); err != nil {
					ginauth.Abort(c, err)
					return
				}
				statuses = append(statuses, g.Inspect(ctx, "enter").Status())
			}
			statuses = append(statuses, g.ForUser(a.Alice).Inspect(ctx, "enter").Status(), g.Inspect(ctx, "enter").Status())
			if err := handle.Logout(ctx); err != nil {
				ginauth.Abort(c, err)
				return
			}
			c.JSON(200, append(statuses, g.Inspect(ctx, "enter").Status()))
		})
	}))
	want := "[401,200,403,200,403,401]"
	if got := a.Client().Do("POST", "/steps", "", "").Want(t, 200).Text; got != want {
		t.Errorf("guest, Alice, Bob, ForUser(Alice), Bob, guest: %s, want %s", got, want)
	}
}

// If the user cannot be loaded, every kind of check leads to 503.
func TestRequestGateOutage(t *testing.T) {
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		ginauth.DefineUserGuest(a.Gate(), "look", func(context.Context, *models.User) bool { return true })
		for path, ask := range map[string]func(ctx context.Context, c *gin.Context, g *ginauth.Gate) bool{
			"allows": func(ctx context.Context, _ *gin.Context, g *ginauth.Gate) bool { return g.Allows(ctx, "look") },
			"denies": func(ctx context.Context, _ *gin.Context, g *ginauth.Gate) bool { return g.Denies(ctx, "look") },
			"any":    func(ctx context.Context, _ *gin.Context, g *ginauth.Gate) bool { return g.Any(ctx, []string{"look"}) },
			"can": func(ctx context.Context, c *gin.Context, _ *ginauth.Gate) bool {
				return ginauth.From(c).Can(ctx, "look")
			},
			"guarded": func(ctx context.Context, c *gin.Context, _ *ginauth.Gate) bool {
				return ginauth.From(c).Guard("web").Can(ctx, "look")
			},
		} {
			r.GET("/"+path, func(c *gin.Context) {
				c.JSON(200, ask(c.Request.Context(), c, c.MustGet("gate").(*ginauth.Gate)))
			})
		}
	}))
	alice := a.LoggedIn(testapp.Alice)
	for _, path := range []string{"/allows", "/denies", "/any", "/can", "/guarded"} {
		f.Clear()
		alice.Get(path).Want(t, 200)
		f.Set(testapp.Refuse, testapp.UserByID)
		if res := alice.Get(path).Want(t, 503); strings.Contains(res.Text, "CANARY") {
			t.Errorf("%s: body %s", path, res.Text)
		}
	}
}

// The functions of this package and those of package gate are the same ones.
func TestGateIsPackageGate(t *testing.T) {
	g := ginauth.NewGate()
	allows := func(context.Context, *models.User) bool { return true }
	guests := func(_ context.Context, u *models.User, _ *thing) ginauth.Decision {
		if u == nil {
			return ginauth.DenyWithStatus(418, "tea")
		}
		return ginauth.Allow()
	}
	ginauth.DefineUser(g, "user", allows)
	gate.DefineUserGuest(g, "user-guest", allows)
	ginauth.DefineGuest(g, "guest", guests)
	ginauth.Define(g, "resource", guests)
	ctx, guest, user := t.Context(), g.ForUser(nil), g.ForUser(&models.User{ID: 1})
	for _, tt := range []struct {
		name      string
		got, want int
	}{
		{"DefineUser", user.Inspect(ctx, "user").Status(), 200},
		{"DefineUser, guest", guest.Inspect(ctx, "user").Status(), 401},
		{"DefineUserGuest", guest.Inspect(ctx, "user-guest").Status(), 200},
		{"Define", user.Inspect(ctx, "resource", &thing{}).Status(), 200},
		{"Define, guest", guest.Inspect(ctx, "resource", &thing{}).Status(), 401},
		{"DefineGuest", guest.Inspect(ctx, "guest", &thing{}).Status(), 418},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, tt.got, tt.want)
		}
	}
	if ginauth.OfType[*thing]() != gate.OfType[*thing]() {
		t.Error("the values of OfType differ")
	}
	if n := testing.AllocsPerRun(100, func() { user.Allows(ctx, "user", ginauth.OfType[*thing]()) }); n != 0 {
		t.Errorf("OfType: %v allocations", n)
	}
}

func TestAuthorizePanics(t *testing.T) {
	m, err := ginauth.New(ginauth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(t.Context())
	load := ginauth.Load("id", findThing)
	testapp.MustPanic(t, `ginauth: Authorize: gate: the name of ability "a b" has a space`, func() { m.Authorize("a b") })
	testapp.MustPanic(t, "one resource, not 2", func() { m.Authorize("view", load, load) })
	testapp.MustPanic(t, "a *ginauth_test.thing is no resource", func() { m.Authorize("view", &thing{}) })
	testapp.MustPanic(t, "Load: needs", func() { ginauth.Load("", findThing) })
}

// BenchmarkRequestGate measures a check by the gate of a request.
func BenchmarkRequestGate(b *testing.B) {
	m, err := ginauth.New(ginauth.Config{Users: new(ginauthtest.Users)})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close(context.Background())
	ginauth.DefineUser(m.Gate(), "enter", func(context.Context, *models.User) bool { return true })
	for name, check := range map[string]func(ctx context.Context, c *gin.Context) bool{
		"gate": func(ctx context.Context, c *gin.Context) bool {
			return c.MustGet("gate").(*ginauth.Gate).Allows(ctx, "enter")
		},
		"can":           func(ctx context.Context, c *gin.Context) bool { return ginauth.From(c).Can(ctx, "enter") },
		"another guard": func(ctx context.Context, c *gin.Context) bool { return ginauth.From(c).Guard("web").Can(ctx, "enter") },
	} {
		b.Run(name, func(b *testing.B) {
			r := gin.New()
			r.POST("/", m.StartSession(), func(c *gin.Context) {
				ctx := c.Request.Context()
				if _, err := ginauth.From(c).Login(ctx, &models.User{ID: 123456, SecurityStamp: "stamp"}); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if !check(ctx, c) {
						b.Fatal("denied")
					}
				}
			})
			r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "https://example.com/", nil))
		})
	}
}
