package totp_test

import (
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/token"
)

// TestRemovalEndsOtherLogins removes an app that somebody else may have used: their logins end, by sessions and by tokens.
func TestRemovalEndsOtherLogins(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, testapp.Unlimited)
		c := a.LoggedIn(testapp.Alice)
		secret := a.enrol(t, c)
		thief := a.Client()
		a.pending(t, thief, "/login")
		thief.Post("/login/totp", codeForm{Code: a.code(t, secret, 0)}).Want(t, 200)
		thief.Get("/me").Want(t, 200)
		byTokens := func() token.Pair {
			a.Clock.Advance(time.Minute)
			pending := a.pending(t, a.Client(), "/api/login")
			return a.Client().Post("/login/totp", codeForm{Token: pending, Code: a.code(t, secret, 0)}).Want(t, 200).Tokens(t)
		}
		stolen, own := byTokens(), byTokens()
		fresh := a.Bearer(own.AccessToken).Delete("/totp").Want(t, 200).Tokens(t)
		a.Bearer(fresh.AccessToken).Get("/api/me").Want(t, 200)
		for name, status := range map[string]int{
			"session": thief.Get("/me").StatusCode, "access token": a.Bearer(stolen.AccessToken).Get("/api/me").StatusCode,
			"refresh token": a.Refresh(stolen.RefreshToken).StatusCode, "other session": c.Get("/me").StatusCode,
		} {
			if status != 401 {
				t.Errorf("%s: %d", name, status)
			}
		}

		c = a.LoggedIn(testapp.Alice)
		elsewhere := a.IssueTokens(testapp.Alice)
		a.enrol(t, c)
		a.Refresh(elsewhere.RefreshToken).Want(t, 401)
		other := a.Client()
		a.pending(t, other, "/login")
		c.Form("/totp/delete", "").Want(t, 204)
		c.Get("/me").Want(t, 200)
		other.Post("/login/totp", codeForm{Code: "123456"}).Want(t, 401)
	})
}

// TestLaterUserHasNoFactor gives the identifier of a user to another one, who enrols too.
func TestLaterUserHasNoFactor(t *testing.T) {
	a := start(t, testapp.SQLite(t), testapp.Unlimited)
	former := a.enrol(t, a.LoggedIn(testapp.Alice))
	a.Backend.Users.Remove(a.Alice.AuthID())
	const eve = "eve@example.com"
	a.AddUser("Eve", eve, testapp.Password, func(u *models.User) { u.ID = a.Alice.ID })
	c := a.LoggedIn(eve)
	c.Get("/me").Want(t, 200)
	secret := a.enrol(t, c)
	c.Get("/me").Want(t, 200)
	for _, of := range []struct {
		secret string
		status int
	}{{former, 401}, {secret, 200}} {
		n := a.Client()
		n.LogIn(eve, testapp.Password).Want(t, 200)
		n.Get("/me").Want(t, 401)
		n.Post("/login/totp", codeForm{Code: a.code(t, of.secret, 0)}).Want(t, of.status)
	}
	found, err := a.Backend.Set.Factors.FactorsOf(t.Context(), a.Owner("web", a.Alice.AuthID()), "totp")
	if err != nil || len(found) != 1 {
		t.Errorf("%d secrets are stored, %v", len(found), err)
	}
}
