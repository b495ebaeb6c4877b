package routes_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// V00: a scanner opens every link with GET. It changes nothing, and the link still works.
func TestGetOfLinkChangesNothing(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		link := unverified(a)
		for range 40 {
			r := a.Client().Get(link).Want(t, 200)
			if !strings.Contains(r.Text, `"method":"POST"`) {
				t.Fatalf("body %s", r.Text)
			}
			page := a.Browser().Get(link).Want(t, 200).WantNoCookies(t)
			if !strings.Contains(page.Text, `<form method="post">`) || strings.Contains(page.Text, "signature") {
				t.Fatalf("page %s", page.Text)
			}
		}
		if verified(a, a.Bob.AuthID()) {
			t.Error("a GET verified the address")
		}
		testapp.WantEvents[events.Verified](a, 0)
		a.Browser().Form(link, "password=").Want(t, 200)
		if !verified(a, a.Bob.AuthID()) {
			t.Error("the form did not verify the address")
		}
		change := changeEmail(a, a.LoggedIn(testapp.Alice), "new@example.com")
		a.Client().Get(change).Want(t, 200)
		a.Browser().Get(change).Want(t, 200)
		if u := a.User(a.Alice.AuthID()); u.Email != testapp.Alice {
			t.Error("a GET changed the address")
		}
		a.Browser().Form(change, "").Want(t, 200)
		if u := a.User(a.Alice.AuthID()); u.Email != "new@example.com" {
			t.Error("the form did not change the address")
		}
	})
}

// V01: parameters that others append to a link are ignored.
func TestAppendedParametersAreIgnored(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	link := unverified(a)
	path, query, _ := strings.Cut(link, "?")
	for _, text := range []string{
		link + "&utm_source=mail&utm_campaign=%C3%A9", path + "?fbclid=x&" + query, link + "&", link + "&Expires=1",
		link + "&x=" + strings.Repeat("a", 4000),
	} {
		a.Backend.Users.Change(a.Bob.AuthID(), func(u *models.User) { u.EmailVerifiedAt = nil })
		a.Client().Post(text, "{}").Want(t, 200)
		if !verified(a, a.Bob.AuthID()) {
			t.Errorf("%s did not verify the address", text)
		}
	}
}

// stranger registers an address that is not its own, logs in in every way, and returns a
// client for each login with the link that the owner gets.
func stranger(a *testapp.App) (clients []*testapp.Client, link string) {
	a.Helper()
	browser := a.Client()
	browser.Post("/register", registration("owner@example.com"))
	link = testapp.PathOf(a, a.Outbox.Next(a, mail.VerifyEmail, "owner@example.com"))
	if r := browser.Post("/login", fields{"email": "owner@example.com", "password": testapp.NewPassword, "remember": true}); r.StatusCode != 200 {
		return nil, link // logins are refused until the address is verified
	}
	personal := browser.Post("/tokens", fields{"name": "x", "abilities": []string{"*"}}).Want(a, 201)
	var made ginauth.PersonalToken
	personal.JSON(a, &made)
	pair := a.Client().Post("/token", fields{"email": "owner@example.com", "password": testapp.NewPassword}).Want(a, 200).Tokens(a)
	remembered := browser.Copy().Only(testapp.RememberCookie)
	clients = []*testapp.Client{browser, a.Bearer(made.Text), a.Bearer(pair.AccessToken), remembered}
	for _, c := range clients[:3] {
		c.Get("/me").Want(a, 200)
	}
	return clients, link
}

// N05: what a stranger set or was issued before the owner proved the mailbox does not outlive
// the proof.
func TestStrangersLoginsEndWithProof(t *testing.T) {
	for name, proof := range map[string]func(a *testapp.App, link string){
		"verification": func(a *testapp.App, link string) {
			r := a.Client().Post(link, "{}").Want(a, 200)
			if r.Text != `{"password_ended":true,"verified":true}` {
				a.Errorf("body %s", r.Text)
			}
			a.Outbox.Next(a, mail.ResetPassword, "owner@example.com")
		},
		"reset": func(a *testapp.App, _ string) {
			token := forgot(a, "owner@example.com")
			resetPassword(a, "owner@example.com", token, "CANARY four owls in a quiet barn").Want(a, 204)
			a.Client().LogIn("owner@example.com", "CANARY four owls in a quiet barn").Want(a, 200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := newApp(t, b, setup{})
				clients, link := stranger(a)
				proof(a, link)
				for i, c := range clients {
					if r := c.Get("/me"); r.StatusCode != 401 {
						t.Errorf("client %d of the stranger: status %d", i, r.StatusCode)
					}
				}
				a.Client().LogIn("owner@example.com", testapp.NewPassword).Want(t, 401)
				if !verified(a, "3") {
					t.Error("the address is not verified")
				}
				testapp.WantEvents[events.Verified](a, 1)
			})
		})
	}
}

// N05: the owner registers again and opens the link of the stranger's registration.
func TestSecondRegistrationKeepsNoStrangersPassword(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{config: hideTaken})
		_, link := stranger(a)
		owner := a.Client()
		fresh := a.Client().Post("/register", registration("other@example.com")).Want(t, 202)
		taken := owner.Post("/register", fields{"name": "Ann", "email": "owner@example.com", "password": "CANARY four owls in a quiet barn"})
		testapp.Same(t, taken, fresh)
		if got, want := len(taken.Header["Set-Cookie"]), len(fresh.Header["Set-Cookie"]); got != want {
			t.Errorf("%d cookies, want %d", got, want)
		}
		owner.Post(link, "{}").Want(t, 200)
		a.Client().LogIn("owner@example.com", testapp.NewPassword).Want(t, 401)
	})
}

// The person who registered keeps password and logins.
func TestVerificationKeepsOwnLogins(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		for name, open := range map[string]func(a *testapp.App, c *testapp.Client, link string){
			"browser that registered": func(a *testapp.App, c *testapp.Client, link string) { c.Post(link, "{}").Want(t, 200) },
			"logged in elsewhere": func(a *testapp.App, _ *testapp.Client, link string) {
				c := a.Client()
				c.LogIn("ann@example.com", testapp.NewPassword).Want(t, 200)
				c.Post(link, "{}").Want(t, 200)
			},
			"access token": func(a *testapp.App, _ *testapp.Client, link string) {
				pair := a.Client().Post("/token", fields{"email": "ann@example.com", "password": testapp.NewPassword}).Want(t, 200).Tokens(t)
				a.Bearer(pair.AccessToken).Post(link, "{}").Want(t, 200)
			},
			"password": func(a *testapp.App, _ *testapp.Client, link string) {
				a.Client().Post(link, fields{"password": "wrong"}).WantField(t, "password")
				a.Browser().Form(link, "password="+strings.ReplaceAll(testapp.NewPassword, " ", "+")).Want(t, 200)
			},
		} {
			a := newApp(t, b, setup{})
			c := a.Client()
			c.Post("/register", registration("ann@example.com")).Want(t, 201)
			link := testapp.PathOf(a, a.Outbox.Next(a, mail.VerifyEmail, "ann@example.com"))
			open(a, c, link)
			u, _ := b.Users.UserByIdentifier(t.Context(), "email", "ann@example.com")
			if !u.(*models.User).AuthEmailVerified() {
				t.Errorf("%s: not verified", name)
			}
			if r := a.Client().LogIn("ann@example.com", testapp.NewPassword); r.StatusCode != 200 {
				t.Errorf("%s: the password ended: %s", name, r.Text)
			}
			b.Users.Remove(u.AuthID())
			b.Users.Remove(a.Alice.AuthID())
			b.Users.Remove(a.Bob.AuthID())
		}
	})
}

func TestUnverifiedUserMakesNoPersonalTokens(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{config: func(c *ginauth.Config) { c.PersonalTokens.InsecureUnverified = false }})
	unverified(a)
	r := a.LoggedIn(testapp.Bob).Post("/tokens", fields{"name": "x"}).Want(t, 403)
	if !strings.Contains(r.Text, "email_not_verified") {
		t.Errorf("body %s", r.Text)
	}
}

// N06: a personal access token of a deleted user opens nothing of a later user with the same
// identifier. It survives changes of the password.
func TestTokenOfDeletedUserOpensNothing(t *testing.T) {
	a := newApp(t, testapp.SQLite(t), setup{})
	c := a.LoggedIn(testapp.Bob)
	var made ginauth.PersonalToken
	c.Post("/tokens", fields{"name": "x", "abilities": []string{"*"}}).Want(t, 201).JSON(t, &made)
	next := testapp.Password
	for _, password := range []string{"CANARY four owls in a quiet barn", "CANARY nine elks on a slow ferry"} {
		c.Call("PUT", "/password", fields{"current_password": next, "password": password}).Want(t, 204)
		a.Bearer(made.Text).Get("/me").Want(t, 200)
		next = password
	}
	id := a.Bob.ID
	a.Backend.Users.Remove(a.Bob.AuthID())
	a.AddUser("Eve", "eve@example.com", testapp.Password, func(u *models.User) { u.ID = id })
	if got := a.User(a.Bob.AuthID()).Name; got != "Eve" {
		t.Fatalf("the identifier belongs to %q", got)
	}
	a.Bearer(made.Text).Get("/me").Want(t, 401)
}

// The first login in the browser that registered is not one from a new device.
func TestRegistrationMakesDeviceKnown(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{config: func(c *ginauth.Config) { c.Mail.NotifyNewDevice = true }})
	c := a.Client()
	c.Post("/register", registration("ann@example.com")).Want(t, 201)
	a.Outbox.Next(t, mail.VerifyEmail, "ann@example.com")
	c.LogIn("ann@example.com", testapp.NewPassword).Want(t, 200)
	a.Client().LogIn("ann@example.com", testapp.NewPassword).Want(t, 200)
	if rest := a.RestOfMails(); len(rest) != 1 {
		t.Errorf("mails %v, want one for the second login", rest)
	}
}
