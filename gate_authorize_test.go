package ginauth_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

type thing struct{ ID, Owner uint64 }

type thingPolicy struct{ asked *atomic.Int64 }

func (p thingPolicy) View(_ context.Context, u *models.User, t *thing) bool {
	p.asked.Add(1)
	return u.ID == t.Owner
}

func (p thingPolicy) Secret(_ context.Context, u *models.User, t *thing) ginauth.Decision {
	if u.ID != t.Owner {
		return ginauth.DenyAsNotFound()
	}
	return ginauth.Allow()
}

func (thingPolicy) Pay(context.Context, *models.User, *thing) ginauth.Decision {
	return ginauth.DenyWithStatus(402, "Pay first.")
}

func (thingPolicy) Broken(context.Context, *models.User, *thing) bool { panic("CANARY-policy") }

func (thingPolicy) Unsure(context.Context, *models.User, *thing) ginauth.Decision {
	return ginauth.Undecided(errors.New("CANARY-database"))
}

func (thingPolicy) Create(_ context.Context, u *models.User) bool { return u.ID == 1 }

func findThing(_ context.Context, id string) (*thing, bool, error) {
	switch id {
	case "broken":
		return nil, false, errors.New("CANARY-database")
	case "nil":
		return nil, true, nil
	}
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil || n == 0 || n > 2 {
		return nil, false, nil
	}
	return &thing{n, n}, true, nil
}

func TestAuthorizeAnswersWhatTheGateSays(t *testing.T) { // A01–A16
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		var asked atomic.Int64
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			ginauth.RegisterPolicy[*models.User, *thing](a.Gate(), thingPolicy{&asked})
			load := ginauth.Load("id", findThing)
			show := func(c *gin.Context) { c.JSON(200, ginauth.Loaded[*thing](c)) }
			for _, ability := range []string{"view", "secret", "pay", "broken", "unsure", "View", "view ", "unknown"} {
				if ability == "view " {
					testapp.MustPanic(t, "Authorize", func() { a.Authorize(ability, load) })
					continue
				}
				r.Any("/"+ability+"/:id", a.Authorize(ability, load), show)
			}
			r.POST("/things", a.Authorize("create", ginauth.OfType[*thing]()), func(c *gin.Context) { c.Status(204) })
			r.GET("/handler/:id", func(c *gin.Context) {
				thing, _, _ := findThing(c.Request.Context(), c.Param("id"))
				if err := ginauth.From(c).Authorize(c.Request.Context(), "view", thing); err != nil {
					ginauth.Abort(c, err)
					return
				}
				gate := c.MustGet("gate").(*ginauth.Gate)
				c.JSON(200, ginauth.From(c).Can(c.Request.Context(), "view", thing) && gate.Allows(c.Request.Context(), "view", thing))
			})
		}))
		guest, alice, bob := a.Client(), a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Bob)
		for _, row := range []struct {
			c            *testapp.Client
			method, path string
			status       int
		}{
			{alice, "GET", "/view/1", 200}, {bob, "GET", "/view/1", 403}, {bob, "GET", "/view/2", 200}, {guest, "GET", "/view/1", 401},
			{bob, "HEAD", "/view/1", 403}, {bob, "OPTIONS", "/view/1", 403}, {bob, "PUT", "/view/1", 403}, // A16
			{alice, "GET", "/view/9", 404}, {guest, "GET", "/view/9", 404}, {alice, "GET", "/view/1%20OR%201=1", 404}, // A14
			{alice, "GET", "/view/" + strings.Repeat("1", 2000), 404}, {alice, "GET", "/view/nil", 403}, {alice, "GET", "/view/broken", 503},
			{alice, "GET", "/secret/1", 200}, {bob, "GET", "/secret/1", 404}, {alice, "GET", "/pay/1", 402},
			{alice, "GET", "/broken/1", 403}, {alice, "GET", "/unsure/1", 503}, {alice, "GET", "/View/1", 403}, {alice, "GET", "/unknown/1", 403},
			{alice, "POST", "/things", 204}, {bob, "POST", "/things", 403}, {guest, "POST", "/things", 401},
			{alice, "GET", "/handler/1", 200}, {bob, "GET", "/handler/1", 403}, {guest, "GET", "/handler/1", 401}, {alice, "GET", "/handler/9", 403},
		} {
			res := row.c.Do(row.method, row.path, "", "").Want(t, row.status)
			if strings.Contains(res.Text, "CANARY") {
				t.Errorf("%s: body %s", row.path, res.Text)
			}
		}
		if got := alice.Get("/pay/1").Text; !strings.Contains(got, "Pay first.") {
			t.Errorf("body %s", got)
		}
		before := asked.Load()
		alice.Get("/view/9").Want(t, 404)
		if asked.Load() != before {
			t.Error("a policy was asked about a resource that does not exist")
		}
		if logs := a.Logs.String(); strings.Contains(logs, "CANARY-policy") || !strings.Contains(logs, "broken") {
			t.Error("the log of a panic in a policy")
		}
	})
}

func TestLoadedWithoutLoadPanics(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.GET("/x", func(c *gin.Context) {
			testapp.MustPanic(t, "Authorize", func() { ginauth.Loaded[*thing](c) })
		})
	}))
	a.Client().Get("/x").Want(t, 200)
}
