package routes_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

// unverified marks Bob's address as not verified and returns a verification
// link.
func (a *app) unverified() string {
	a.Helper()
	a.b.users.change(a.bob, func(u *models.User) { u.EmailVerifiedAt = nil })
	a.client().post("/verify-email/resend", fields{"email": bob}).want(a, 202)
	return a.link(a.mail(mail.VerifyEmail, bob))
}

func (a *app) verified(id string) bool { return a.user(id).EmailVerifiedAt != nil }

// manyLinks raises the number of links that a client address may try.
func manyLinks(c *ginauth.Config) {
	c.Throttle.Address = ginauth.Limit{Attempts: 1000, Per: time.Minute}
}

// V01: only exactly the text of the link verifies the address.
func TestChangedVerifyLinkIsRefused(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{config: manyLinks})
		link := a.unverified()
		path, query, _ := strings.Cut(link, "?")
		expires, signature, _ := strings.Cut(query, "&")
		hash := path[strings.LastIndex(path, "/")+1:]
		forged := []string{
			path, path + "?" + expires, path + "?" + signature, path + "?" + signature + "&" + expires, link + "&", link + "&x=1",
			path + "?x=1&" + query, link + "&" + signature, path + "?" + expires + "&" + query, path + "?" + expires + "&" + expires,
			strings.Replace(link, "/"+a.bob+"/", "/%32/", 1), strings.Replace(link, "/"+a.bob+"/", "/"+a.alice+"/", 1),
			strings.Replace(link, "/"+a.bob+"/", "/0"+a.bob+"/", 1), strings.Replace(link, "/"+a.bob+"/", "/99/", 1),
			strings.Replace(link, hash, strings.ToUpper(hash), 1), strings.Replace(link, hash, hash[:len(hash)-1], 1),
			strings.Replace(link, "expires=", "Expires=", 1), strings.Replace(link, "expires=", "expires=0", 1),
			strings.Replace(link, "expires=", "expires=+", 1), strings.Replace(link, "signature=", "signature=%20", 1),
			strings.Replace(link, "&", ";", 1), strings.Replace(link, "&", "&&", 1), link + "=", link + "A", link + "%00",
			path + "?" + query[:len(query)-1] + url.QueryEscape("+"), path + "?" + strings.Repeat("a", 5000),
		}
		for i := range query {
			if query[i] != 'A' {
				forged = append(forged, path+"?"+query[:i]+"A"+query[i+1:])
			}
		}
		refused := a.client().get(path+"?expires=1&signature=x").want(t, 403)
		for _, text := range forged {
			if text == link {
				t.Fatalf("%s was not changed", text)
			}
			if r := a.client().get(text); r.StatusCode != 403 || r.body != refused.body {
				t.Errorf("%s: status %d, body %s", text, r.StatusCode, r.body)
			}
		}
		if a.verified(a.bob) {
			t.Error("a changed link verified the address")
		}
		a.client().get(link).want(t, 200)
		if !a.verified(a.bob) {
			t.Error("the link did not verify the address")
		}
	})
}

// E10: the response to a link of an unknown user is that of a link with a wrong
// signature.
func TestVerifyLinkOfUnknownUser(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		link := a.unverified()
		gone := a.addUser("Eve", "eve@example.com")
		wrong := a.client().get(link+"x").want(t, 403)
		same(t, a.client().get(strings.Replace(link, "/"+a.bob+"/", "/99/", 1)), wrong)
		a.b.users.change(gone, func(u *models.User) { u.EmailVerifiedAt = nil })
		a.client().post("/verify-email/resend", fields{"email": "eve@example.com"}).want(t, 202)
		link = a.link(a.mail(mail.VerifyEmail, "eve@example.com"))
		a.b.users.remove(gone)
		same(t, a.client().get(link), wrong)
	})
}

// V02: a link verifies the address of the user it was made for, no matter who
// opens it.
func TestVerifyLinkOpenedByOtherUser(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		link := a.unverified()
		c := a.loggedIn(alice)
		a.b.users.change(a.alice, func(u *models.User) { u.EmailVerifiedAt = nil })
		c.get(link).want(t, 200)
		if !a.verified(a.bob) || a.verified(a.alice) {
			t.Error("another user is verified")
		}
		if r := c.get("/me").want(t, 200); !strings.Contains(r.body, "Alice") {
			t.Errorf("me: %s", r.body)
		}
	})
}

// V03, V04, EXP-03: a link opened again, concurrently, too late, and after the
// address changed.
func TestVerifyLinkAgain(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{config: manyLinks})
		link, rounds := "", testsize.Rounds(50, 1)
		for round := range rounds {
			a.clock.advance(time.Hour)
			link = a.unverified()
			answers := make([]*response, racers())
			a.together(len(answers), func(i int) { answers[i] = a.client().get(link) })
			for _, r := range answers {
				r.want(t, 200)
			}
			a.client().get(link).want(t, 200)
			wantEvents[events.Verified](a, round+1)
		}

		a.clock.advance(time.Hour)
		a.client().get(link).want(t, 403)
		a.clock.advance(time.Hour)
		link = a.unverified()
		a.clock.advance(time.Hour - time.Second)
		a.b.users.change(a.bob, func(u *models.User) { u.Email, u.EmailCanonical = "robert@example.com", "robert@example.com" })
		a.client().get(link).want(t, 403)
		a.b.users.change(a.bob, func(u *models.User) { u.Email, u.EmailCanonical = bob, bob })
		a.client().get(link).want(t, 200)
		wantEvents[events.Verified](a, rounds+1)
	})
}

func TestVerifyPages(t *testing.T) {
	a := newApp(t, memory(t), setup{options: routes.Options{Pages: map[routes.Route]routes.Page{
		routes.VerifyEmail: {Done: "/welcome", Failed: "/link-failed"},
	}}})
	link := a.unverified()
	a.browser().get(link+"x").wantRedirect(t, "/link-failed?error=invalid_link")
	a.browser().get(link).wantRedirect(t, "/welcome")
	a.browser().get(link).wantRedirect(t, "/welcome")
}

// V05: a value that was signed or sealed for one purpose is refused for
// another.
func TestSignedValuesAreBoundToPurpose(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		verify := a.unverified()
		change := a.changeEmail(a.loggedIn(alice), "new@example.com")
		reset := a.forgot(alice)
		path, query, _ := strings.Cut(verify, "?")
		signature := query[strings.LastIndex(query, "=")+1:]
		sealed := strings.TrimPrefix(change, "/confirm-email/")
		for _, text := range []string{signature, reset, "x", sealed[:len(sealed)-1], sealed + "A"} {
			a.client().get("/confirm-email/"+text).want(t, 403)
		}
		for _, text := range []string{signature, sealed} {
			a.reset(alice, text, newPass).wantField(t, "token")
		}
		for _, text := range []string{reset, sealed} {
			a.client().get(path+"?expires=9999999999&signature="+text).want(t, 403)
		}
		for _, text := range []string{signature, reset, sealed} {
			a.bearer(text).get("/me").want(t, 401)
			a.with(text).get("/me").want(t, 401)
			a.client().post("/token/refresh", fields{"refresh_token": text}).want(t, 401)
			a.client().post("/token/revoke", fields{"token": text}).want(t, 401)
		}
		a.client().get(change).want(t, 200)
	})
}

// changeEmail requests a change of the email address and returns the link.
func (a *app) changeEmail(c *client, email string) string {
	a.Helper()
	c.call("PUT", "/email", fields{"email": email}).want(a, 202)
	return a.link(a.mail(mail.EmailChange, email))
}

// V07: the email address does not change until the new one is verified. The
// owner is informed.
func TestChangeEmail(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c, other := a.loggedIn(alice), a.loggedIn(alice)
		reset := a.forgot(alice)
		link := a.changeEmail(c, "New@example.com")
		if u := a.user(a.alice); u.Email != alice {
			t.Errorf("the address is %s before it is verified", u.Email)
		}
		old := c.cookies[sessionCookie]
		c.get(link).want(t, 200)
		a.mail(mail.EmailChanged, alice)
		if u := a.user(a.alice); u.Email != "New@example.com" || u.EmailVerifiedAt == nil {
			t.Errorf("the address is %s, verified at %v", u.Email, u.EmailVerifiedAt)
		}
		c.get("/me").want(t, 200)
		a.with(old).get("/me").want(t, 401)
		other.get("/me").want(t, 401)
		a.reset(alice, reset, newPass).wantField(t, "token")
		a.reset("new@example.com", reset, newPass).wantField(t, "token")
		c.get(link).want(t, 403) // only once
		// Opening a link does not confirm the password.
		var body struct{ Confirmed bool }
		if c.get("/confirm-password").want(t, 200).json(t, &body); body.Confirmed {
			t.Error("the password counts as confirmed")
		}
		a.client().login(alice, pass).want(t, 401)
		a.client().login("new@example.com", pass).want(t, 200)
		wantEvents[events.EmailChanged](a, 1)
	})
}

// V07: the link works without a login and does not log in.
func TestConfirmEmailWithoutLogin(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.loggedIn(alice)
		link := a.changeEmail(c, "new@example.com")
		stranger := a.loggedIn(bob)
		stranger.get(link).want(t, 200)
		if r := stranger.get("/me").want(t, 200); !strings.Contains(r.body, "Bob") {
			t.Errorf("me: %s", r.body)
		}
		c.get("/me").want(t, 401)
	})
}

// E06, V07: the response for a taken address is that for any other. The owner
// is informed.
func TestChangeEmailHidesTakenAddress(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.loggedIn(alice)
		taken := c.call("PUT", "/email", fields{"email": "BOB@example.com"}).want(t, 202)
		a.mail(mail.AlreadyRegistered, bob)
		a.clock.advance(time.Minute)
		c.get("/me").want(t, 200) // records that the session was used
		free := c.call("PUT", "/email", fields{"email": "new@example.com"}).want(t, 202)
		same(t, taken, free)
		link := a.link(a.mail(mail.EmailChange, "new@example.com"))
		for _, email := range []any{"new", "a@b@example.com", "", 7, "new@example.com\nBcc: x@example.com"} {
			c.call("PUT", "/email", fields{"email": email}).want(t, 422)
		}
		a.addUser("Eve", "new@example.com") // gets the address first
		c.get(link).wantField(t, "email")
		if u := a.user(a.alice); u.Email != alice {
			t.Errorf("the address is %s", u.Email)
		}
	})
}

// EXP-03: of concurrent confirmations one changes the address.
func TestConcurrentEmailChangesSucceedOnce(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{config: manyLinks})
		email := alice
		for round := range testsize.Rounds(50, 1) {
			a.clock.advance(time.Hour)
			before := email
			email = fmt.Sprintf("new%d@example.com", round)
			link := a.changeEmail(a.loggedIn(before), email)
			answers := make([]*response, racers())
			a.together(len(answers), func(i int) { answers[i] = a.client().get(link) })
			first := 0
			for _, r := range answers {
				if r.StatusCode == 200 {
					first++
				} else {
					r.want(t, 403)
				}
			}
			if first != 1 {
				t.Fatalf("%d confirmations succeeded", first)
			}
			a.mail(mail.EmailChanged, before)
			wantEvents[events.EmailChanged](a, round+1)
		}
		if rest := a.rest(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// V04, W05: the cases in which a confirmation link is no longer valid.
func TestEmailChangeLinkBecomesInvalid(t *testing.T) {
	for name, kill := range map[string]func(a *app){
		"expired": func(a *app) { a.clock.advance(time.Hour) },
		"disabled": func(a *app) {
			now := a.clock.Now()
			a.b.users.change(a.alice, func(u *models.User) { u.DisabledAt = &now })
		},
		"password changed": func(a *app) {
			a.loggedIn(alice).call("PUT", "/password", fields{"current_password": pass, "password": newPass}).want(a, 204)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b backend) {
				a := newApp(t, b, setup{})
				link := a.changeEmail(a.loggedIn(alice), "new@example.com")
				kill(a)
				a.client().get(link).want(t, 403)
				if u := a.user(a.alice); u.Email != alice {
					t.Errorf("the address is %s", u.Email)
				}
			})
		})
	}
}

// V06: routes that require a verified address refuse guests and users without
// one.
func TestEnsureEmailVerifiedRefusesUnverified(t *testing.T) {
	a := newApp(t, memory(t), setup{})
	a.engine.GET("/verified", a.m.StartSession(), a.m.EnsureEmailVerified())
	link := a.unverified()
	a.client().get("/verified").want(t, 401)
	c := a.loggedIn(bob)
	c.get("/verified").want(t, 403)
	c.get(link).want(t, 200)
	c.get("/verified").want(t, 200)
}
