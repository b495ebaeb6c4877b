package routes_test

import (
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/routes"
)

// A responder gets what browsers would get, with errors that a person can correct, and the form.
func TestResponderAnswersBrowsers(t *testing.T) {
	var last routes.Response
	var typed string
	answers := true
	a := testapp.New(t, testapp.Memory(t), testapp.CheckLeaks(), testapp.Configure(func(c *ginauth.Config) {
		c.Pages.Login = "/sign-in"
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		r.Use(routes.Browsers(func(c *gin.Context, res routes.Response) bool {
			last, typed = res, c.PostForm("email")
			if answers {
				c.String(299, "ours")
			}
			return answers
		}))
		routes.Mount(r, a.Manager, routes.Options{})
	}))
	c := a.Browser()
	c.Form("/login", "email=alice%40example.com&password=wrong").Want(t, 299)
	if last.Route != routes.Login || ginauth.StatusOf(last.Err) != 401 || typed != testapp.Alice {
		t.Errorf("route %s, error %v, email %q", last.Route, last.Err, typed)
	}
	c.Get("/verify-email/1/2").Want(t, 299)
	if last.Route != routes.ShowVerifyEmail || last.Status != 200 || last.Err != nil {
		t.Errorf("route %s, status %d, error %v", last.Route, last.Status, last.Err)
	}
	c.Get("/devices").WantRedirect(t, "/sign-in") // what no route has answered yet
	c.Form("/devices/x/delete", "").WantRedirect(t, "/sign-in")
	c.LogIn(testapp.Alice, testapp.Password).Want(t, 299)
	if last.Page != "/devices" || last.Body == nil {
		t.Errorf("page %q, body %v", last.Page, last.Body)
	}
	c.Form("/devices/x/delete", "").Want(t, 404) // a person cannot correct it
	a.Client().Get("/me").Want(t, 401)
	a.Client().Post("/login", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200)

	answers = false
	c.Get("/devices").Want(t, 200)
	a.Browser().Form("/login", "email=alice%40example.com&password=wrong").Want(t, 401)
}
