package browsertest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
)

// shop is an application on localhost, whose users come back from another site.
func shop(t *testing.T, sameSite http.SameSite) string {
	t.Helper()
	gin.SetMode(gin.TestMode)
	users := new(ginauthtest.Users)
	config := ginauth.Config{Users: users, Hashing: ginauthtest.CheapHashing()}
	config.Session.Cookie.SameSite = sameSite
	config.CrossOrigin.InsecureBypassPatterns = []string{"POST /return"}
	auth, err := ginauth.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(context.Background()) })
	alice := &models.User{Name: "Alice", Email: "alice@example.com"}
	if alice.Password, err = auth.Hasher().Hash(t.Context(), password); err != nil {
		t.Fatal(err)
	}
	if err := users.CreateUser(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	r := gin.New()
	r.Use(auth.StartSession())
	r.GET("/enter", func(c *gin.Context) { // for the test: a GET
		if _, err := ginauth.From(c).Login(c.Request.Context(), alice); err != nil {
			ginauth.Abort(c, err)
		}
	})
	r.GET("/", func(c *gin.Context) {})
	r.Any("/return", func(c *gin.Context) { // from the payment
		if err := ginauth.From(c).Session().Flash("status", "paid"); err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.String(200, "back with %d cookies", len(c.Request.Cookies()))
	})
	r.GET("/me", func(c *gin.Context) {
		name, _ := ginauth.From(c).ID(c.Request.Context())
		status, _ := ginauth.Value[string](ginauth.From(c).Session(), "status")
		c.String(200, "user %q status %q cookies %d", name, status, len(c.Request.Cookies()))
	})
	r.POST("/logout", func(c *gin.Context) {
		if err := ginauth.From(c).Logout(c.Request.Context()); err != nil {
			ginauth.Abort(c, err)
		}
	})
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// payment is another site, on 127.0.0.1: a link and forms to the shop.
func payment(t *testing.T, shop string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>Payment</title><a id="link" href="%[1]s/return">back</a>
<form method="post" action="%[1]s/return"><button id="post">back</button></form>
<form method="post" action="%[1]s/logout"><button id="logout">attack</button></form>`, shop)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// customer opens a browser in which Alice is logged in to a shop, and which is at another site.
func customer(t *testing.T, sameSite http.SameSite) (*browser, string) {
	t.Helper()
	chromium(t)
	base := shop(t, sameSite)
	b := open(t, base, mode{name: "customer", language: "en", script: true})
	b.visit("/enter")
	b.visit("/me")
	b.sees(`user "1"`)
	b.base = payment(t, base)
	b.visit("/")
	b.base = base
	return b, base
}

// A browser sends no cookie of SameSite=Strict along with a link of another site. The login is there
// again with the next request.
func TestStrictCookieSurvivesALinkOfAnotherSite(t *testing.T) {
	b, _ := customer(t, http.SameSiteStrictMode)
	b.press("#link")
	b.at("/return")
	b.sees("back with 0 cookies")
	b.visit("/me")
	b.sees(`user "1"`)
}

// A browser sends no cookie of SameSite=Lax along with a form of another site. What its handler flashes
// does not replace the login, and the next page of the shop has it.
func TestFormOfAnotherSiteKeepsTheLogin(t *testing.T) {
	b, _ := customer(t, http.SameSiteLaxMode)
	b.press("#post")
	b.at("/return")
	b.sees("back with 0 cookies")
	b.visit("/me")
	b.sees(`user "1" status "paid"`)
	b.visit("/me")
	b.sees(`user "1" status ""`)
}

func TestFormOfAnotherSiteIsRefused(t *testing.T) {
	b, _ := customer(t, http.SameSiteLaxMode)
	b.press("#logout")
	b.at("/logout")
	b.sees("cross_origin")
	b.visit("/me")
	b.sees(`user "1"`)
}

// Another application on the host may set a cookie of the same name for a longer path, which a browser
// sends first.
func TestTwoCookiesOfOneName(t *testing.T) {
	b, base := customer(t, http.SameSiteLaxMode)
	_, port, _ := strings.Cut(strings.TrimPrefix(base, "http://"), ":")
	b.visit("/")
	eval[string](b, fmt.Sprintf(`document.cookie = "ginauth_%s=of-another-application; path=/me"`, port))
	b.visit("/me")
	b.sees(`user "1"`, "cookies 2")
}
