package browsertest

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
)

// TestOtherPages goes to the pages that are not on the way of a newcomer.
func TestOtherPages(t *testing.T) {
	chromium(t)
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			base := startExample(t, "-demo-oidc")
			admin := open(t, base, m)
			admin.visit("/login")
			admin.signInAs("admin@example.com")
			admin.until("somebody is signed in", signedIn)
			admin.visit("/")
			admin.press(`main a[href="/admin"]`)
			admin.at("/admin")
			admin.look("users")
			admin.visit("/identities")
			admin.look("no connected accounts")
			admin.visit("/login/enrol-factor")
			admin.look("enrol a factor")

			alice := open(t, base, m)
			alice.visit("/login")
			alice.signInAs("alice@example.com")
			alice.until("somebody is signed in", signedIn)
			alice.edit()
			alice.changeEmail()
			alice.wait()
		})
	}
}

// edit writes a post without a title, and then a better one, which is edited.
func (b *browser) edit() {
	b.t.Helper()
	b.visit("/write")
	b.fill("#title", " ")
	b.fill("#body", "My words")
	b.press("main form button.primary")
	b.until("the fault is shown", `document.readyState === "complete" && document.querySelector("#title[aria-invalid=true]") !== null`)
	b.look("write with a fault")
	b.fill("#title", "A title")
	b.press("main form button.primary")
	b.until("the draft is shown", `document.readyState === "complete" && document.querySelector("article h1") !== null`)
	b.press(`main a[href$="/edit"]`)
	b.until("the form is shown", `document.readyState === "complete" && location.pathname.endsWith("/edit")`)
	b.look("edit")
	b.fill("#title", "Another title")
	b.press("main form button.primary")
	b.until("the post is shown", `document.readyState === "complete" && document.querySelector("article h1") !== null`)
	b.sees("Another title")
}

// changeEmail changes the email address, which the new one confirms.
func (b *browser) changeEmail() {
	b.t.Helper()
	b.visit("/confirm-password")
	b.fill("#password", password)
	b.press("main form button")
	b.at("/profile")
	b.visit("/email")
	b.fill("#email", "alicia@example.com")
	b.press("main form button")
	b.at("/profile")
	b.look("profile with a new email address on its way")
	b.visit("/_mail")
	b.press(`article a[href*="/confirm-email/"]`)
	b.until("the link has opened", `document.readyState === "complete" && location.pathname.startsWith("/confirm-email/")`)
	b.look("confirm email")
	b.press("main form button.primary")
	b.at("/profile")
	b.sees("alicia@example.com")
}

// wait types wrong passwords until the page says how long to wait.
func (b *browser) wait() {
	b.t.Helper()
	b.press("form[action='/logout'] button")
	b.at("/login")
	said := ""
	for range 8 {
		b.fill("#email", "bob@example.com")
		b.fill("#password", password+" wrong")
		eval[bool](b, `window.left = true`)
		b.press("main form button")
		b.until("the failure is shown", `document.readyState === "complete" && !window.left && document.querySelector(".failure[role=alert]:not([hidden])") !== null`)
		failure := eval[string](b, `document.querySelector(".failure[role=alert]:not([hidden])").textContent`)
		if said != "" && failure != said {
			// It is 59 s or 1 min.
			eval[string](b, `document.querySelector(".failure[role=alert]:not([hidden])").firstChild.data = "`+strings.TrimRight(failure, "0123456789 smin.دث")+` 59 s."`)
			b.look("login with the wait")
			return
		}
		said = failure
	}
	b.t.Errorf("%s: no wait is shown: %s", b.name, b.text())
}

// faults are what the routes of the application in TestErrorPages fail with.
var faults = map[string]error{
	"400": ginauth.ErrMalformed,
	"403": &ginauth.AuthorizationError{Message: "Only members may see this."},
	"409": ginauth.ErrConflict,
	"429": &ginauth.ThrottledError{RetryAfter: 90 * time.Second},
	"500": errors.New("fault of the application"),
	"503": ginauth.Unavailable("read the posts", errors.New("the database does not answer")),
}

// TestErrorPages looks at the page of each status. None of them shows what only developers may know.
func TestErrorPages(t *testing.T) {
	chromium(t)
	gin.SetMode(gin.TestMode)
	auth, err := ginauth.New(ginauth.Config{
		Users: new(ginauthtest.Users), Hashing: ginauthtest.CheapHashing(), Pages: pages.Config(""), ErrorHandler: pages.ErrorHandler,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(t.Context()) })
	r := gin.New()
	pages.Mount(r, auth, pages.Options{Name: "Shop", Home: "/login"})
	r.Use(auth.StartSession())
	routes.Mount(r, auth, routes.Options{})
	r.GET("/fault/:status", ginauth.Public(), func(c *gin.Context) { ginauth.Abort(c, faults[c.Param("status")]) })
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			b := open(t, server.URL, m)
			for status := range faults {
				b.visit("/fault/" + status)
				if got := eval[int](b, `performance.getEntriesByType("navigation")[0].responseStatus`); strconv.Itoa(got) != status {
					t.Errorf("status %d, want %s", got, status)
				}
				b.sees(status)
				if text := b.text(); len(text) > 400 {
					t.Errorf("%s: a long text: %s", status, text)
				}
				b.look(fmt.Sprintf("error %s", status))
				b.press("main a")
				b.at("/login")
			}
		})
	}
}
