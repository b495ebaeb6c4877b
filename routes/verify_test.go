package routes_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

// unverified marks Bob's address as not verified and returns a verification
// link.
func unverified(a *testapp.App) string {
	a.Helper()
	a.Backend.Users.Change(a.Bob.AuthID(), func(u *models.User) { u.EmailVerifiedAt = nil })
	a.Client().Post("/verify-email/resend", fields{"email": testapp.Bob}).Want(a, 202)
	return testapp.PathOf(a, a.Outbox.Next(a, mail.VerifyEmail, testapp.Bob))
}

func verified(a *testapp.App, id string) bool { return a.User(id).EmailVerifiedAt != nil }

// manyLinks raises the number of links that a client address may try.
func manyLinks(c *ginauth.Config) {
	c.Throttle.Address = ginauth.Limit{Attempts: 1000, Per: time.Minute}
}

// V01: only exactly the text of the link verifies the address.
func TestChangedVerifyLinkIsRefused(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{config: manyLinks})
		link := unverified(a)
		path, query, _ := strings.Cut(link, "?")
		expires, signature, _ := strings.Cut(query, "&")
		hash := path[strings.LastIndex(path, "/")+1:]
		forged := []string{
			path, path + "?" + expires, path + "?" + signature, link + "&" + signature, path + "?" + expires + "&" + query, path + "?" + expires + "&" + expires,
			strings.Replace(link, "/"+a.Bob.AuthID()+"/", "/%32/", 1), strings.Replace(link, "/"+a.Bob.AuthID()+"/", "/"+a.Alice.AuthID()+"/", 1),
			strings.Replace(link, "/"+a.Bob.AuthID()+"/", "/0"+a.Bob.AuthID()+"/", 1), strings.Replace(link, "/"+a.Bob.AuthID()+"/", "/99/", 1),
			strings.Replace(link, hash, strings.ToUpper(hash), 1), strings.Replace(link, hash, hash[:len(hash)-1], 1),
			strings.Replace(link, "expires=", "Expires=", 1), strings.Replace(link, "expires=", "expires=0", 1),
			strings.Replace(link, "expires=", "expires=+", 1), strings.Replace(link, "signature=", "signature=%20", 1),
			strings.Replace(link, "&", ";", 1), link + "=", link + "A", link + "%00",
			path + "?" + query[:len(query)-1] + url.QueryEscape("+"), path + "?" + strings.Repeat("a", 5000),
		}
		for i := range query {
			if query[i] != 'A' {
				forged = append(forged, path+"?"+query[:i]+"A"+query[i+1:])
			}
		}
		refused := a.Client().Post(path+"?expires=1&signature=x", "{}").Want(t, 403)
		for _, text := range forged {
			if text == link {
				t.Fatalf("%s was not changed", text)
			}
			if r := a.Client().Post(text, "{}"); r.StatusCode != 403 || r.Text != refused.Text {
				t.Errorf("%s: status %d, body %s", text, r.StatusCode, r.Text)
			}
		}
		if verified(a, a.Bob.AuthID()) {
			t.Error("a changed link verified the address")
		}
		a.Client().Post(link, "{}").Want(t, 200)
		if !verified(a, a.Bob.AuthID()) {
			t.Error("the link did not verify the address")
		}
	})
}

// E10: the response to a link of an unknown user is that of a link with a wrong
// signature.
func TestVerifyLinkOfUnknownUserIsRefused(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		link := unverified(a)
		gone := a.AddUser("Eve", "eve@example.com", testapp.Password).AuthID()
		wrong := a.Client().Post(link+"x", "{}").Want(t, 403)
		testapp.Same(t, a.Client().Post(strings.Replace(link, "/"+a.Bob.AuthID()+"/", "/99/", 1), "{}"), wrong)
		a.Backend.Users.Change(gone, func(u *models.User) { u.EmailVerifiedAt = nil })
		a.Client().Post("/verify-email/resend", fields{"email": "eve@example.com"}).Want(t, 202)
		link = testapp.PathOf(a, a.Outbox.Next(a, mail.VerifyEmail, "eve@example.com"))
		a.Backend.Users.Remove(gone)
		testapp.Same(t, a.Client().Post(link, "{}"), wrong)
	})
}

// V02: a link verifies the address of the user it was made for, no matter who
// opens it.
func TestVerifyLinkVerifiesItsOwnUser(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		link := unverified(a)
		c := a.LoggedIn(testapp.Alice)
		a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.EmailVerifiedAt = nil })
		c.Post(link, "{}").Want(t, 200)
		if !verified(a, a.Bob.AuthID()) || verified(a, a.Alice.AuthID()) {
			t.Error("another user is verified")
		}
		if r := c.Get("/me").Want(t, 200); !strings.Contains(r.Text, "Alice") {
			t.Errorf("me: %s", r.Text)
		}
	})
}

// V03, V04: a link opened again, too late, and after the address changed.
func TestVerifyLinkIsIdempotentAndExpires(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{config: manyLinks})
		link := unverified(a)
		for range 2 {
			a.Client().Post(link, fields{"password": testapp.Password}).Want(t, 200)
			testapp.WantEvents[events.Verified](a, 1)
		}
		a.Clock.Advance(time.Hour)
		a.Client().Post(link, "{}").Want(t, 403)
		a.Clock.Advance(time.Hour)
		link = unverified(a)
		a.Clock.Advance(time.Hour - time.Second)
		a.Backend.Users.Change(a.Bob.AuthID(), func(u *models.User) { u.Email, u.EmailCanonical = "robert@example.com", "robert@example.com" })
		a.Client().Post(link, "{}").Want(t, 403)
		a.Backend.Users.Change(a.Bob.AuthID(), func(u *models.User) { u.Email, u.EmailCanonical = testapp.Bob, testapp.Bob })
		a.Client().Post(link, "{}").Want(t, 200)
		testapp.WantEvents[events.Verified](a, 2)
	})
}

func TestVerifyLinkRedirectsBrowsers(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{options: routes.Options{Pages: map[routes.Route]routes.Page{
		routes.VerifyEmail: {Done: "/welcome", Failed: "/link-failed"},
	}}})
	link := unverified(a)
	a.Browser().Post(link+"x", "{}").WantRedirect(t, "/link-failed?error=invalid_link")
	a.Browser().Post(link, "{}").WantRedirect(t, "/welcome")
	a.Browser().Post(link, "{}").WantRedirect(t, "/welcome")
}

// V05: a value that was signed or sealed for one purpose is refused for
// another.
func TestSignedValuesAreBoundToPurpose(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		verify := unverified(a)
		change := changeEmail(a, a.LoggedIn(testapp.Alice), "new@example.com")
		reset := forgot(a, testapp.Alice)
		path, query, _ := strings.Cut(verify, "?")
		signature := query[strings.LastIndex(query, "=")+1:]
		sealed := strings.TrimPrefix(change, "/confirm-email/")
		for _, text := range []string{signature, reset, "x", sealed[:len(sealed)-1], sealed + "A"} {
			a.Client().Post("/confirm-email/"+text, "{}").Want(t, 403)
		}
		for _, text := range []string{signature, sealed} {
			resetPassword(a, testapp.Alice, text, testapp.NewPassword).WantField(t, "token")
		}
		for _, text := range []string{reset, sealed} {
			a.Client().Post(path+"?expires=9999999999&signature="+text, "{}").Want(t, 403)
		}
		for _, text := range []string{signature, reset, sealed} {
			a.Bearer(text).Get("/me").Want(t, 401)
			a.With(text).Get("/me").Want(t, 401)
			a.Client().Post("/token/refresh", fields{"refresh_token": text}).Want(t, 401)
			a.Client().Post("/token/revoke", fields{"token": text}).Want(t, 401)
		}
		a.Client().Post(change, "{}").Want(t, 200)
	})
}

// changeEmail requests a change of the email address and returns the link.
func changeEmail(a *testapp.App, c *testapp.Client, email string) string {
	a.Helper()
	c.Call("PUT", "/email", fields{"email": email}).Want(a, 202)
	return testapp.PathOf(a, a.Outbox.Next(a, mail.EmailChange, email))
}

// V07: the email address does not change until the new one is verified. The
// owner is informed.
func TestEmailChangesAfterConfirmation(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c, other := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Alice)
		reset := forgot(a, testapp.Alice)
		link := changeEmail(a, c, "New@example.com")
		if u := a.User(a.Alice.AuthID()); u.Email != testapp.Alice {
			t.Errorf("the address is %s before it is verified", u.Email)
		}
		old := c.Cookies[testapp.SessionCookie]
		c.Post(link, "{}").Want(t, 200)
		a.Outbox.Next(a, mail.EmailChanged, testapp.Alice)
		if u := a.User(a.Alice.AuthID()); u.Email != "New@example.com" || u.EmailVerifiedAt == nil {
			t.Errorf("the address is %s, verified at %v", u.Email, u.EmailVerifiedAt)
		}
		c.Get("/me").Want(t, 200)
		a.WantReplaced(old, "/me")
		other.Get("/me").Want(t, 401)
		resetPassword(a, testapp.Alice, reset, testapp.NewPassword).WantField(t, "token")
		resetPassword(a, "new@example.com", reset, testapp.NewPassword).WantField(t, "token")
		c.Post(link, "{}").Want(t, 403) // only once
		// Opening a link does not confirm the password.
		var body struct{ Confirmed bool }
		if c.Get("/confirm-password").Want(t, 200).JSON(t, &body); body.Confirmed {
			t.Error("the password counts as confirmed")
		}
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 401)
		a.Client().LogIn("new@example.com", testapp.Password).Want(t, 200)
		testapp.WantEvents[events.EmailChanged](a, 1)
	})
}

// V07: the link works without a login and does not log in.
func TestConfirmEmailDoesNotLogIn(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.LoggedIn(testapp.Alice)
		link := changeEmail(a, c, "new@example.com")
		stranger := a.LoggedIn(testapp.Bob)
		stranger.Post(link, "{}").Want(t, 200)
		if r := stranger.Get("/me").Want(t, 200); !strings.Contains(r.Text, "Bob") {
			t.Errorf("me: %s", r.Text)
		}
		c.Get("/me").Want(t, 401)
	})
}

// E06, V07: the response for a taken address is that for any other. The owner
// is informed.
func TestChangeEmailHidesTakenAddress(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.LoggedIn(testapp.Alice)
		taken := c.Call("PUT", "/email", fields{"email": "BOB@example.com"}).Want(t, 202)
		a.Outbox.Next(a, mail.AlreadyRegistered, testapp.Bob)
		a.Clock.Advance(time.Minute)
		c.Get("/me").Want(t, 200) // records that the session was used
		free := c.Call("PUT", "/email", fields{"email": "new@example.com"}).Want(t, 202)
		testapp.Same(t, taken, free)
		link := testapp.PathOf(a, a.Outbox.Next(a, mail.EmailChange, "new@example.com"))
		for _, email := range []any{"new", "a@b@example.com", "", 7, "new@example.com\nBcc: x@example.com"} {
			c.Call("PUT", "/email", fields{"email": email}).Want(t, 422)
		}
		a.AddUser("Eve", "new@example.com", testapp.Password) // gets the address first
		c.Post(link, "{}").WantField(t, "email")
		if u := a.User(a.Alice.AuthID()); u.Email != testapp.Alice {
			t.Errorf("the address is %s", u.Email)
		}
	})
}

// V04, W05: the cases in which a confirmation link is no longer valid.
func TestEmailChangeLinkBecomesInvalid(t *testing.T) {
	for name, kill := range map[string]func(a *testapp.App){
		"expired": func(a *testapp.App) { a.Clock.Advance(time.Hour) },
		"disabled": func(a *testapp.App) {
			now := a.Clock.Now()
			a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.DisabledAt = &now })
		},
		"password changed": func(a *testapp.App) {
			a.LoggedIn(testapp.Alice).Call("PUT", "/password", fields{"current_password": testapp.Password, "password": testapp.NewPassword}).Want(a, 204)
		},
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := newApp(t, b, setup{})
				link := changeEmail(a, a.LoggedIn(testapp.Alice), "new@example.com")
				kill(a)
				a.Client().Post(link, "{}").Want(t, 403)
				if u := a.User(a.Alice.AuthID()); u.Email != testapp.Alice {
					t.Errorf("the address is %s", u.Email)
				}
			})
		})
	}
}

// V06: routes that require a verified address refuse guests and users without
// one.
func TestEnsureEmailVerifiedRefusesUnverified(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	a.Engine.GET("/verified", a.StartSession(), a.EnsureEmailVerified())
	link := unverified(a)
	a.Client().Get("/verified").Want(t, 401)
	c := a.LoggedIn(testapp.Bob)
	c.Get("/verified").Want(t, 403)
	c.Post(link, "{}").Want(t, 200)
	c.Get("/verified").Want(t, 200)
}
