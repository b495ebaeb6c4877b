package account_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/account"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

type app struct {
	*testapp.App
	codes *totp.Feature
	down  atomic.Bool
}

// start starts an application whose users are those of the backend.
func start(t *testing.T, b *testapp.Backend) *app {
	t.Helper()
	a := &app{codes: totp.New(totp.Options{})}
	f := account.New(account.Options{
		Rename: func(_ context.Context, id, name string) error {
			b.Users.Change(id, func(u *models.User) { u.Name = name })
			return nil
		},
		Delete: func(_ context.Context, id string) error {
			if a.down.Load() {
				return errors.New("down")
			}
			b.Users.Remove(id)
			return nil
		},
	})
	a.App = testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Features = []ginauth.Feature{f, a.codes} }),
		testapp.Routes(func(_ *testapp.App, r *gin.Engine) { f.Mount(r); a.codes.Mount(r) }))
	return a
}

type fields map[string]string

func TestNameIsChanged(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b)
		c := a.LoggedIn(testapp.Alice)
		c.Call("PUT", "/profile", fields{"name": " Alice Ann "}).Want(t, 204)
		u, err := b.Users.UserByID(t.Context(), a.Alice.AuthID())
		if err != nil || u.(models.Named).AuthName() != "Alice Ann" {
			t.Errorf("name of %+v, %v", u, err)
		}
		for _, wrong := range []string{"", "  ", strings.Repeat("x", 300), "a\nb", "a\xff"} {
			c.Form("/profile", "name="+strings.ReplaceAll(strings.ReplaceAll(wrong, "\n", "%0A"), "\xff", "%FF")).Want(t, 422)
		}
		a.Client().Post("/profile", fields{"name": "Eve"}).Want(t, 401)
		if e := testapp.WantEvents[account.Renamed](a.App, 1); e[0].UserID != a.Alice.AuthID() {
			t.Errorf("event %+v", e)
		}
	})
}

func TestAccountIsDeleted(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b)
		c, other := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Alice)
		pair := a.IssueTokens(testapp.Alice)
		owner := a.Owner("web", a.Alice.AuthID())
		if b.Set.Identities != nil {
			i := stores.Identity{Provider: "example", Subject: "1", Owner: owner, Created: a.Clock.Now()}
			if err := b.Set.Identities.CreateIdentity(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		c.Call("DELETE", "/account", fields{"password": "wrong"}).WantField(t, "password")
		c.Get("/me").Want(t, 200)
		c.Call("DELETE", "/account", fields{"password": testapp.Password}).Want(t, 204)
		for _, gone := range []*testapp.Client{c, other} {
			gone.Get("/me").Want(t, 401)
		}
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 401)
		a.Refresh(pair.RefreshToken).Want(t, 401)
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 401)
		a.LoggedIn(testapp.Bob).Get("/me").Want(t, 200)
		if b.Set.Identities != nil {
			if left, err := b.Set.Identities.IdentitiesOf(t.Context(), owner); err != nil || len(left) > 0 {
				t.Errorf("identities %v, %v", left, err)
			}
		}
		if m := a.Outbox.Next(t, mail.AccountDeleted, testapp.Alice); !strings.Contains(m.Subject, "was deleted") || strings.Contains(m.Text, "forgot") {
			t.Errorf("mail %q %s", m.Subject, m.Text)
		}
		testapp.WantEvents[account.Deleted](a.App, 1)
	})
}

// A user with a second factor proves it, and it is deleted with the account: somebody else may get the identifier.
func TestDeletionNeedsTheSecondFactor(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b)
		c := a.LoggedIn(testapp.Alice)
		const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
		if err := a.codes.Import(t.Context(), "web", a.Alice.AuthID(), secret); err != nil {
			t.Fatal(err)
		}
		c.Call("DELETE", "/account", fields{"password": testapp.Password}).Want(t, 403)
		code, _ := totp.Code(secret, a.Clock.Now())
		c.Post("/totp/confirm", fields{"code": code}).Want(t, 204)
		c.Call("DELETE", "/account", fields{"password": testapp.Password}).Want(t, 204)
		if left, err := b.Set.Factors.FactorsOf(t.Context(), a.Owner("web", a.Alice.AuthID())); err != nil || len(left) > 0 {
			t.Errorf("factors %v, %v", left, err)
		}
	})
}

func TestUserWithoutPasswordNeedsAFreshProof(t *testing.T) {
	b := testapp.Memory(t)
	a := start(t, b)
	c := a.LoggedIn(testapp.Alice)
	b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.Password = "" })
	a.Clock.Advance(16 * time.Minute)
	c.Call("DELETE", "/account", fields{}).Want(t, 403)
}

func TestFailedDeletionCanBeRepeated(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.LoggedIn(testapp.Alice)
	a.down.Store(true)
	c.Call("DELETE", "/account", fields{"password": testapp.Password}).Want(t, 503)
	if mails := a.Outbox.Rest(); len(mails) > 0 {
		t.Errorf("mails %v", mails)
	}
	a.down.Store(false)
	a.LoggedIn(testapp.Alice).Call("DELETE", "/account", fields{"password": testapp.Password}).Want(t, 204)
}

func TestOptionsAreRequired(t *testing.T) {
	_, err := ginauth.New(ginauth.Config{Features: []ginauth.Feature{account.New(account.Options{})}})
	if err == nil || !strings.Contains(err.Error(), "Options.Rename or Options.Delete is missing") {
		t.Error(err)
	}
}
