package magiclink_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/features/magiclink"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

const newcomer = "New.Comer@example.com"

// withRegistration starts an application whose links register.
func withRegistration(t *testing.T, b *testapp.Backend, change ...func(*ginauth.Config)) *app {
	t.Helper()
	var a *app
	f := magiclink.New(magiclink.Options{Mails: magiclink.LinksAndCodes, Register: func(ctx context.Context, email string) error {
		name, _, _ := strings.Cut(email, "@")
		_, err := a.Register(ctx, ginauth.Registration{Name: name, Email: email, Password: rand.Text()})
		return err
	}})
	change = append(change, testapp.Unlimited, func(c *ginauth.Config) { c.Features = append(c.Features, f) })
	mount := func(_ *testapp.App, r *gin.Engine) { f.Mount(r) }
	a = &app{testapp.New(t, b, testapp.Configure(change...), testapp.Routes(mount), testapp.CheckLeaks()), f}
	return a
}

func TestLinkRegisters(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := withRegistration(t, b)
		before := b.Users.Count()
		c, other := a.Client(), a.Client()
		path, r := a.link(t, c, newcomer)
		c.Get(path).Want(t, 200)
		if b.Users.Count() != before {
			t.Fatal("asking registered a user")
		}
		other.Post(path, nil).WantField(t, "code")
		other.Post(path, form{"code": wrong(r.Code)}).Want(t, 401)
		got := a.statuses(t, 50, func(int) (*testapp.Response, error) {
			return a.Client().TryPost(path, form{"request": r.Request})
		})
		if got[200] != 1 || got[403] != 49 {
			t.Errorf("responses %v", got)
		}
		if n := b.Users.Count(); n != before+1 {
			t.Errorf("%d users more", n-before)
		}
		testapp.WantEvents[events.Registered](a.App, 1)
		testapp.WantEvents[events.Verified](a.App, 1)
		c.Post(path, nil).Want(t, 403)
		// The user logs in by the next one, and by a code.
		path, _ = a.link(t, c, newcomer)
		c.Post(path, nil).Want(t, 200)
		if name := c.Get("/verified").Want(t, 200).UserName(t); name != "New.Comer" {
			t.Errorf("name %s", name)
		}
		const second = "second@example.com"
		a.ask(t, other, "/magic-link", second)
		other.Post("/magic-link/code", form{"code": codeIn(t, a.Outbox.Next(t, mail.LoginLink, second))}).Want(t, 200)
		other.Get("/verified").Want(t, 200)
		if rest := a.RestOfMails(); len(rest) != 0 { // no link to verify the address, or to choose a password
			t.Errorf("mails %v", rest)
		}
	})
}

// A stranger who registers the address while the link is on its way keeps nothing.
func TestLinkOfAnAddressThatWasRegisteredMeanwhile(t *testing.T) {
	a := withRegistration(t, testapp.Memory(t))
	c, stranger := a.Client(), a.Client()
	path, _ := a.link(t, c, newcomer)
	stranger.Post("/register", form{"name": "Eve", "email": newcomer, "password": testapp.NewPassword}).Want(t, 201)
	stranger.LogIn(newcomer, testapp.NewPassword).Want(t, 200)
	c.Post(path, nil).Want(t, 200)
	c.Get("/verified").Want(t, 200)
	stranger.Get("/me").Want(t, 401)
	a.Client().LogIn(newcomer, testapp.NewPassword).Want(t, 401)
}

func TestRegistrationIsRefused(t *testing.T) {
	refuse := errors.New("nobody registers today")
	f := magiclink.New(magiclink.Options{Register: func(context.Context, string) error { return errors.Join(refuse, ginauth.ErrForbidden) }})
	mount := func(_ *testapp.App, r *gin.Engine) { f.Mount(r) }
	a := &app{testapp.New(t, testapp.Memory(t), testapp.Routes(mount), testapp.Configure(func(c *ginauth.Config) {
		c.Features = append(c.Features, f)
	})), f}
	c := a.Client()
	path, _ := a.link(t, c, newcomer)
	c.Post(path, nil).Want(t, 403)
	c.Get("/me").Want(t, 401)
	for _, email := range []string{"a\"b@example.com", "a..b@example.com"} { // no mail goes to what cannot be registered
		c.Post("/magic-link", form{"email": email}).WantField(t, "email")
	}
}

// Registrations that hide which accounts exist register by a link, too.
func TestLinkRegistersWhereAccountsAreHidden(t *testing.T) {
	a := withRegistration(t, testapp.Memory(t), func(c *ginauth.Config) { c.Account.HideAccountExistence = true })
	c := a.Client()
	path, _ := a.link(t, c, newcomer)
	c.Post(path, nil).Want(t, 200)
	c.Get("/verified").Want(t, 200)
}
