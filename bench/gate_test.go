package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/casbin/casbin/v3"
	"github.com/casbin/casbin/v3/model"
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

func gateJobs() []job {
	return []job{
		{name: "gate", modes: growth, sides: []side{
			{"ginauth", openGate},
			{"casbin-cached", openCasbin(true)},
			{"casbin", openCasbin(false)},
			{"call", openCall},
		}},
		{name: "authorize", sides: []side{
			{"ginauth-alone", openAuthorizeAlone},
			{"ginauth", openAuthorize(true)},
			{"ginauth-without", openAuthorize(false)},
			{"gin", openGin},
		}},
	}
}

// rules is the number of rules of the gate and of casbin.
const rules = 1000

type post struct{ author uint64 }

type postPolicy struct{}

func (postPolicy) Update(_ context.Context, u *models.User, p *post) bool { return u.ID == p.author }

func (postPolicy) View(_ context.Context, u *models.User, p *post) bool {
	return p.author == 1 || (u != nil && u.ID == p.author)
}

// GuestAbilities allows everyone to view posts of the first author.
func (postPolicy) GuestAbilities() []string { return []string{"view"} }

func defineRules(g *ginauth.Gate) {
	for i := range rules {
		ginauth.Define(g, fmt.Sprintf("ability-%d", i), func(_ context.Context, u *models.User, p *post) bool { return u.ID == p.author })
	}
	ginauth.RegisterPolicy[*models.User, *post](g, postPolicy{})
}

// direct returns a target that alternates between allowed and denied checks.
func direct(ask func(yes bool) bool) target {
	return target{worker: func() func() bool {
		yes := false
		return func() bool {
			yes = !yes
			return ask(yes) == yes
		}
	}}
}

func openGate(testing.TB) target {
	rules := ginauth.NewGate()
	defineRules(rules)
	g := rules.ForUser(&models.User{ID: 123456})
	own, other := &post{author: 123456}, &post{author: 7}
	ctx := context.Background()
	return direct(func(yes bool) bool {
		if yes {
			return g.Allows(ctx, "update", own)
		}
		return g.Allows(ctx, "update", other)
	})
}

// openCall calls the method directly.
func openCall(testing.TB) target {
	u := &models.User{ID: 123456}
	own, other := &post{author: 123456}, &post{author: 7}
	ctx := context.Background()
	return direct(func(yes bool) bool {
		if yes {
			return postPolicy{}.Update(ctx, u, own)
		}
		return postPolicy{}.Update(ctx, u, other)
	})
}

const casbinModel = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act
`

func openCasbin(cached bool) func(testing.TB) target {
	return func(tb testing.TB) target {
		m, err := model.NewModelFromString(casbinModel)
		if err != nil {
			tb.Fatal(err)
		}
		for i := range rules {
			if err := m.AddPolicy("p", "p", []string{fmt.Sprintf("user-%d", i), fmt.Sprintf("post-%d", i), "update"}); err != nil {
				tb.Fatal(err)
			}
		}
		var e casbin.IEnforcer
		if cached {
			e, err = casbin.NewCachedEnforcer(m)
		} else {
			e, err = casbin.NewEnforcer(m)
		}
		if err != nil {
			tb.Fatal(err)
		}
		return direct(func(yes bool) bool {
			resource := "post-500"
			if !yes {
				resource = "post-7"
			}
			allowed, err := e.Enforce("user-500", resource, "update")
			return allowed && err == nil
		})
	}
}

// thePost returns a loader that returns the same post for every request.
func thePost(author uint64) ginauth.Resource {
	p := &post{author: author}
	return ginauth.Load("id", func(context.Context, string) (*post, bool, error) { return p, true, nil })
}

// openAuthorizeAlone uses only the middleware Authorize. Its requests have no
// token, so it checks guests.
func openAuthorizeAlone(tb testing.TB) target {
	auth := newAuth(tb, ginauth.Config{DefaultGuard: "api"})
	defineRules(auth.Gate())
	r := newEngine()
	r.GET("/posts/:id", auth.Authorize("view", thePost(1)), static)
	r.GET("/drafts/:id", auth.Authorize("view", thePost(2)), static)
	t := serve(r, plainRequests("/posts/1", "hello"))
	t.check = func(tb testing.TB) {
		want(tb, r, "GET", "/posts/1", nil, http.StatusOK, "hello")
		want(tb, r, "GET", "/drafts/1", nil, http.StatusForbidden, anyBody)
	}
	return t
}

// openAuthorize is a route that requires a login, with or without Authorize.
func openAuthorize(with bool) func(testing.TB) target {
	return func(tb testing.TB) target {
		auth := newAuth(tb, ginauth.Config{})
		defineRules(auth.Gate())
		r := newEngine()
		r.Use(auth.StartSession())
		r.POST("/login/:user", func(c *gin.Context) {
			if _, err := ginauth.From(c).LoginUsingID(c.Request.Context(), c.Param("user")); err != nil {
				ginauth.Abort(c, err)
			}
		})
		handlers := []gin.HandlerFunc{auth.Auth()}
		if with {
			handlers = append(handlers, auth.Authorize("update", thePost(7)))
		}
		r.PATCH("/posts/:id", append(handlers, static)...)
		header := cookies(tb, send(r, "POST", "/login/7", 7, nil))
		t := serve(r, []expectation{{newRequest("PATCH", "/posts/1", 7, header), "hello"}})
		t.check = func(tb testing.TB) {
			status := http.StatusOK
			if with {
				status = http.StatusForbidden
			}
			stranger := cookies(tb, send(r, "POST", "/login/8", 8, nil))
			want(tb, r, "PATCH", "/posts/1", stranger, status, anyBody)
			want(tb, r, "PATCH", "/posts/1", nil, http.StatusUnauthorized, anyBody)
		}
		return t
	}
}
