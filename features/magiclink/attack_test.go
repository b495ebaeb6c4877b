package magiclink_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/features/magiclink"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// both sends mails with links and codes.
var both = magiclink.Options{Mails: magiclink.LinksAndCodes}

// statuses counts the responses to parallel requests by status.
func (a *app) statuses(t *testing.T, n int, send func(i int) (*testapp.Response, error)) map[int]int {
	t.Helper()
	var count [600]atomic.Int32
	a.Race(n, func(i int) {
		r, err := send(i)
		if err != nil {
			t.Error(err)
			return
		}
		count[r.StatusCode].Add(1)
	})
	found := map[int]int{}
	for status := range count {
		if c := count[status].Load(); c > 0 {
			found[status] = int(c)
		}
	}
	return found
}

// Of 200 parallel uses of one link one logs in, also from many browsers and together with its code.
func TestParallelUsesOfOneLink(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, both, testapp.Unlimited)
		c := a.Client()
		path, r := a.link(t, c, testapp.Alice)
		got := a.statuses(t, 200, func(i int) (*testapp.Response, error) {
			return a.Client().TryPost(path, form{"request": r.Request})
		})
		if got[200] != 1 || got[403] != 199 {
			t.Errorf("responses %v", got)
		}
		testapp.WantEvents[magiclink.Used](a.App, 1)
	})
}

// Of 200 parallel guesses at one code exactly 5 are compared. Of parallel right ones one logs in.
func TestParallelGuesses(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, both, testapp.Unlimited)
		r := a.ask(t, a.Client(), "/magic-link", testapp.Alice)
		code := codeIn(t, a.Outbox.Next(t, mail.LoginLink, testapp.Alice))
		got := a.statuses(t, 200, func(int) (*testapp.Response, error) {
			return a.Client().TryPost("/magic-link/code", form{"request": r.Request, "code": wrong(code)})
		})
		if got[401] != 5 || got[429] != 195 {
			t.Errorf("responses to wrong codes %v", got)
		}
		a.Client().Post("/magic-link/code", form{"request": r.Request, "code": code}).Want(t, 429) // too late
		r = a.ask(t, a.Client(), "/magic-link", testapp.Alice)
		code = codeIn(t, a.Outbox.Next(t, mail.LoginLink, testapp.Alice))
		got = a.statuses(t, 200, func(int) (*testapp.Response, error) {
			return a.Client().TryPost("/magic-link/code", form{"request": r.Request, "code": code})
		})
		if got[200] != 1 || got[401] != 4 || got[429] != 195 {
			t.Errorf("responses to the right code %v", got)
		}
	})
}

// A link and the code of its mail are one: of both together one logs in.
func TestLinkAndCodeAreOne(t *testing.T) {
	a := start(t, testapp.Memory(t), both, testapp.Unlimited)
	for round := range 20 {
		c := a.Client()
		path, r := a.link(t, c, testapp.Alice)
		messages := a.Outbox.Messages()
		code := codeIn(t, messages[len(messages)-1])
		got := a.statuses(t, 2, func(i int) (*testapp.Response, error) {
			if i == 0 {
				return a.Client().TryPost(path, form{"request": r.Request})
			}
			return a.Client().TryPost("/magic-link/code", form{"request": r.Request, "code": code})
		})
		if got[200] != 1 {
			t.Fatalf("round %d: %v", round, got)
		}
	}
}

// What changed between asking and using ends the link and the code.
func TestChangesEndLinks(t *testing.T) {
	change := func(f func(*models.User)) func(*app) {
		return func(a *app) { a.Backend.Users.Change(a.Alice.AuthID(), f) }
	}
	for name, happen := range map[string]func(*app){
		"disabled":         func(a *app) { a.Disable(a.Alice) },
		"stamp":            func(a *app) { a.NewStamp(a.Alice) },
		"removed":          func(a *app) { a.Backend.Users.Remove(a.Alice.AuthID()) },
		"address":          change(func(u *models.User) { u.Email = "new" + u.Email; u.EmailCanonical = u.Email }),
		"address's case":   change(func(u *models.User) { u.Email = strings.ToUpper(u.Email) }),
		"everything ended": func(a *app) { _ = a.RevokeUser(a.Context(), "web", a.Alice.AuthID()) },
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, testapp.SQLite(t), both, testapp.Unlimited)
			for _, use := range []func(c *testapp.Client, path, code string) *testapp.Response{
				func(c *testapp.Client, path, _ string) *testapp.Response { return c.Post(path, nil) },
				func(c *testapp.Client, _, code string) *testapp.Response {
					return c.Post("/magic-link/code", form{"code": code})
				},
			} {
				carol := a.AddUser("Carol", fmt.Sprintf("carol%d@example.com", time.Now().UnixNano()), testapp.Password)
				a.Alice = carol
				c := a.Client()
				a.ask(t, c, "/magic-link", carol.Email)
				m := a.Outbox.Next(t, mail.LoginLink, carol.Email)
				happen(a)
				if r := use(c, testapp.PathOf(t, m), codeIn(t, m)); r.StatusCode != 403 && r.StatusCode != 401 {
					t.Errorf("status %d: %s", r.StatusCode, r.Text)
				}
				c.Get("/me").Want(t, 401)
			}
		})
	}
}

// N05: a stranger who registered the address keeps nothing once its owner has used a link.
func TestLinkEndsWhatStrangersSet(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, magiclink.Options{}, plainLimits...)
		stranger := a.LoggedIn(testapp.Bob) // the address is not verified
		tokens := a.IssueTokens(testapp.Bob)
		owner := a.Client()
		path, r := a.link(t, owner, testapp.Bob)
		owner.Post(path, form{"request": r.Request}).Want(t, 200)
		owner.Get("/verified").Want(t, 200)
		testapp.WantEvents[events.Verified](a.App, 1)
		stranger.Get("/me").Want(t, 401)
		a.Bearer(tokens.AccessToken).Get("/api/me").Want(t, 401)
		a.Refresh(tokens.RefreshToken).Want(t, 401)
		a.Client().LogIn(testapp.Bob, testapp.Password).Want(t, 401)
		a.Outbox.Next(t, mail.ResetPassword, testapp.Bob) // to choose another one
		owner.Get("/me").Want(t, 200)
	})
}

// The browser that registered keeps its password.
func TestLinkKeepsPasswordOfOwnBrowser(t *testing.T) {
	a := start(t, testapp.Memory(t), magiclink.Options{}, plainLimits...)
	c := a.Client()
	c.Post("/register", form{"name": "Eve", "email": "eve@example.com", "password": testapp.NewPassword}).Want(t, 201)
	path, _ := a.link(t, c, "eve@example.com")
	c.Post(path, nil).Want(t, 200)
	c.Get("/verified").Want(t, 200)
	a.Client().LogIn("eve@example.com", testapp.NewPassword).Want(t, 200)
	// So does another browser by which the user is logged in.
	a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.EmailVerifiedAt = nil })
	d := a.LoggedIn(testapp.Alice).Only(testapp.SessionCookie)
	path, r := a.link(t, a.Client(), testapp.Alice)
	d.Post(path, form{"code": r.Code}).Want(t, 200)
	a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
}

// Unknown addresses and disabled users get the same answer, no mail, and nothing is stored.
func TestUnknownAddressesLookAlike(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, both, plainLimits...)
		a.Disable(a.Bob)
		known := a.Client().Post("/magic-link", form{"email": testapp.Alice}).Want(t, 202)
		var of asked
		known.JSON(t, &of)
		for _, email := range []string{"nobody@example.com", testapp.Bob, "Ａlice2@example.com"} {
			r := a.Client().Post("/magic-link", form{"email": email}).Want(t, 202)
			var got asked
			if r.JSON(t, &got); len(got.Request) != len(of.Request) || len(got.Code) != len(of.Code) {
				t.Errorf("%s: %s", email, r.Text)
			}
			r.Text = strings.NewReplacer(got.Request, of.Request, got.Code, of.Code).Replace(r.Text)
			testapp.Same(t, r, known)
			for range 5 {
				a.Client().Post("/magic-link/code", form{"request": got.Request, "code": "ABCD-EFGH"}).Want(t, 401)
			}
			a.Client().Post("/magic-link/code", form{"request": got.Request, "code": "ABCD-EFGH"}).Want(t, 429)
		}
		a.Outbox.Next(t, mail.LoginLink, testapp.Alice)
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
		for id, want := range map[string]int{a.Alice.AuthID(): 1, a.Bob.AuthID(): 0} {
			found, err := b.Set.Tokens.TokensOf(t.Context(), "users:"+id, 100, stores.OneTime)
			if err != nil || len(found) != want {
				t.Errorf("user %s: %d records, %v", id, len(found), err)
			}
		}
	})
}

// One mail a minute and five an hour, whoever asks. A device that the user knows has mails of its own.
func TestMailBomb(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		own := func(c *ginauth.Config) { c.Throttle.Address = ginauth.Limit{Attempts: 1000, Per: time.Minute} }
		a := start(t, b, magiclink.Options{}, testapp.AddressFromHeader, own)
		device := a.LoggedIn(testapp.Alice)
		sent := 0
		for minute := range 20 {
			for i, spelling := range []string{testapp.Alice, "ALICE@example.com", " alice@EXAMPLE.com "} {
				c := a.Client().From(fmt.Sprintf("192.0.2.%d", 3*minute+i))
				c.Post("/magic-link", form{"email": spelling}).Want(t, 202)
			}
			a.Clock.Advance(time.Minute)
		}
		device.Post("/magic-link", form{"email": testapp.Alice}).Want(t, 202)
		for _, kind := range a.RestOfMails() {
			if kind == mail.LoginLink {
				sent++
			}
		}
		if sent != 6 { // 5 and the device's
			t.Errorf("%d mails", sent)
		}
	})
}

// A browser that asks again too soon keeps the link that is on its way.
func TestAskingAgainKeepsTheLink(t *testing.T) {
	a := start(t, testapp.Memory(t), magiclink.Options{})
	c := a.Client()
	path, r := a.link(t, c, testapp.Alice)
	a.Clock.Advance(10 * time.Second)
	var again asked
	c.Post("/magic-link", form{"email": "ALICE@example.com"}).Want(t, 202).JSON(t, &again)
	if again.Request != r.Request || again.Code != r.Code || again.ExpiresIn != 590 {
		t.Errorf("%+v, before %+v", again, r)
	}
	var other asked
	if c.Post("/magic-link", form{"email": testapp.Bob}).Want(t, 202).JSON(t, &other); other.Request == r.Request {
		t.Error("another address has the same request")
	}
	a.Client().Post(path, form{"code": r.Code}).Want(t, 200)
}

// W12: nothing but one address gets a mail, and the mail goes to the address in the record.
func TestHeaderInjection(t *testing.T) {
	a := start(t, testapp.Memory(t), both, plainLimits...)
	c := a.Client()
	for _, email := range []any{
		"alice@example.com\r\nBcc: eve@example.com", "alice@example.com\nSubject: x", "alice@example.com,eve@example.com",
		"alice@example.com eve@example.com", "Alice <alice@example.com>", "", "alice", strings.Repeat("a", 300) + "@example.com",
		[]string{testapp.Alice}, form{"$ne": ""}, 7, true, nil,
	} {
		if r := c.Post("/magic-link", form{"email": email}); r.StatusCode != 422 && r.StatusCode != 400 {
			t.Errorf("%v: status %d", email, r.StatusCode)
		}
	}
	a.ask(t, c, "/magic-link", " ALICE@EXAMPLE.COM ")
	if m := a.Outbox.Next(t, mail.LoginLink, testapp.Alice); strings.ContainsAny(m.Subject, "\r\n") {
		t.Errorf("subject %q", m.Subject)
	}
	if rest := a.RestOfMails(); len(rest) != 0 {
		t.Errorf("mails %v", rest)
	}
}

// V01: a link or request that differs in one character is refused.
func TestTamperedSecrets(t *testing.T) {
	a := start(t, testapp.Memory(t), both, testapp.Unlimited)
	c := a.Client()
	path, r := a.link(t, c, testapp.Alice)
	messages := a.Outbox.Messages()
	code := codeIn(t, messages[len(messages)-1])
	flip := func(text string, i int) string {
		by := byte('A')
		if text[i] == by {
			by = 'B'
		}
		return text[:i] + string(by) + text[i+1:]
	}
	for i := len("/magic-link/"); i < len(path); i++ {
		c.Post(flip(path, i), nil).Want(t, 403)
	}
	for i := 0; i < len(r.Request); i += 7 {
		a.Client().Post("/magic-link/code", form{"request": flip(r.Request, i), "code": code}).Want(t, 401)
		a.Client().Post(path, form{"request": flip(r.Request, i)}).WantField(t, "code")
	}
	link := path[len("/magic-link/"):]
	for _, text := range []string{link + "A", link[:len(link)-1], "gol_", "x", r.Request, strings.Repeat("a", 5000)} {
		a.Client().Post("/magic-link/"+text, form{"request": r.Request}).Want(t, 403)
	}
	for _, other := range []string{link, "x", strings.Repeat("a", 5000)} { // what is made for one purpose is nothing for another
		a.Client().Post("/magic-link/code", form{"request": other, "code": code}).Want(t, 401)
	}
	for _, secret := range []string{link, r.Request} {
		a.Bearer(secret).Get("/api/me").Want(t, 401)
		a.With(secret).Get("/me").Want(t, 401)
		a.Refresh(secret).Want(t, 401)
	}
	c.Post(path, nil).Want(t, 200)
}

// Login CSRF: an attacker asks for a link and has the victim open it.
func TestLoginCSRF(t *testing.T) {
	a := start(t, testapp.Memory(t), magiclink.Options{}, plainLimits...)
	path, r := a.link(t, a.Client(), testapp.Alice) // the attacker's own account
	victim := a.Browser()
	if page := victim.Get(path).Want(t, 200); strings.Contains(page.Text, "<script") || !strings.Contains(page.Text, `name="code"`) {
		t.Errorf("the page goes on by itself:\n%s", page.Text)
	}
	victim.Form(path, "").Want(t, 422)
	for _, site := range []string{"cross-site", "same-site"} {
		forged := a.Browser()
		forged.Header.Set("Sec-Fetch-Site", site)
		forged.Header.Set("Origin", "https://evil.example")
		forged.Form(path, "code="+r.Code).Want(t, 403)
		forged.Form("/magic-link", "email=alice%40example.com").Want(t, 403)
		forged.Get("/me").Want(t, 401)
	}
	// A victim who is logged in stays who it is.
	bob := a.LoggedIn(testapp.Bob)
	bob.Get(path).Want(t, 200)
	bob.Post(path, nil).Want(t, 422)
	if name := bob.Get("/me").Want(t, 200).UserName(t); name != "Bob" {
		t.Errorf("the victim is %s", name)
	}
}

// A link that was forwarded opens nothing in another browser, and what is tried there does not lock the owner out.
func TestForwardedLink(t *testing.T) {
	a := start(t, testapp.Memory(t), magiclink.Options{}, testapp.Unlimited)
	owner, attacker := a.Client(), a.Client()
	path, r := a.link(t, owner, testapp.Alice)
	a.ask(t, attacker, "/magic-link", testapp.Alice) // a request of its own is of no use
	attacker.Post(path, nil).WantField(t, "code")
	for range 5 {
		attacker.Post(path, form{"code": wrong(r.Code)}).Want(t, 401)
	}
	attacker.Post(path, form{"code": r.Code}).Want(t, 429)
	owner.Post(path, nil).Want(t, 200)
}

// Many requests for one account give no more guesses than the limits of mails allow requests.
func TestGuessesOverManyRequests(t *testing.T) {
	a := start(t, testapp.Memory(t), magiclink.Options{Mails: magiclink.Codes}, func(c *ginauth.Config) {
		c.Throttle.Address = ginauth.Limit{Attempts: 10000, Per: time.Minute}
	})
	owner := a.Client()
	a.ask(t, owner, "/magic-link", testapp.Alice)
	code := codeIn(t, a.Outbox.Next(t, mail.LoginCode, testapp.Alice))
	for range 20 {
		c := a.Client()
		a.ask(t, c, "/magic-link", testapp.Alice)
		for range 5 {
			c.Post("/magic-link/code", form{"code": code}).Want(t, 401) // the code of another request
		}
		c.Post("/magic-link/code", form{"code": code}).Want(t, 429)
	}
	owner.Post("/magic-link/code", form{"code": code}).Want(t, 200) // nobody locked the owner out
	if rest := a.RestOfMails(); len(rest) != 0 {
		t.Errorf("mails %v", rest)
	}
}

// A link works for the guard that it was asked for, and only there.
func TestLinkOfAnotherGuard(t *testing.T) {
	staff := new(ginauthtest.Users)
	f := magiclink.New(both)
	var err error
	use := func(guard string) gin.HandlerFunc {
		return func(c *gin.Context) {
			a := ginauth.From(c).Guard(guard)
			_, err = f.UseLink(c.Request.Context(), a, c.Query("link"), c.Query("request"), "")
			if err == nil {
				c.Status(204)
				return
			}
			ginauth.Abort(c, err)
		}
	}
	a := &app{testapp.New(t, testapp.Memory(t), testapp.Configure(testapp.UnlimitedMails, func(c *ginauth.Config) {
		c.Guards = map[string]ginauth.GuardConfig{"web": {}, "admin": {}, "staff": {Users: staff}}
		c.Features = append(c.Features, f)
	}), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		f.Mount(r)
		for _, guard := range []string{"web", "admin", "staff"} {
			r.POST("/use/"+guard, use(guard))
		}
	})), f}
	testapp.AddUser(t, a.Manager, staff, "Alice", testapp.Alice, testapp.Password) // with the same identifier
	path, r := a.link(t, a.Client(), testapp.Alice)
	query := "?link=" + path[strings.LastIndex(path, "/")+1:] + "&request=" + r.Request
	for _, guard := range []string{"admin", "staff"} {
		if c := a.Client(); c.Post("/use/"+guard+query, nil).StatusCode == 204 {
			t.Errorf("the link works for the guard %q", guard)
		}
	}
	a.Client().Post("/use/web"+query, nil).Want(t, 204)
}

// A broken store is 503, and uses nothing up.
func TestOutages(t *testing.T) {
	b, faults := testapp.Memory(t).Faulty()
	a := start(t, b, both, testapp.Unlimited)
	for _, row := range []struct {
		op   testapp.Op
		send func(c *testapp.Client, path, code string) *testapp.Response
	}{
		{testapp.UserByIdentifier, func(c *testapp.Client, _, _ string) *testapp.Response {
			return c.Post("/magic-link", form{"email": testapp.Alice})
		}},
		{testapp.FindToken, func(c *testapp.Client, path, _ string) *testapp.Response { return c.Post(path, nil) }},
		{testapp.ConsumeToken, func(c *testapp.Client, path, _ string) *testapp.Response { return c.Post(path, nil) }},
		{testapp.UserByID, func(c *testapp.Client, path, _ string) *testapp.Response { return c.Post(path, nil) }},
		{testapp.FindToken, func(c *testapp.Client, _, code string) *testapp.Response {
			return c.Post("/magic-link/code", form{"code": code})
		}},
		{testapp.ReserveSlots, func(c *testapp.Client, _, code string) *testapp.Response {
			return c.Post("/magic-link/code", form{"code": code})
		}},
	} {
		c := a.Client()
		a.ask(t, c, "/magic-link", testapp.Alice)
		m := a.Outbox.Next(t, mail.LoginLink, testapp.Alice)
		faults.Set(testapp.Refuse, row.op)
		row.send(c, testapp.PathOf(t, m), codeIn(t, m)).Want(t, http.StatusServiceUnavailable)
		faults.Clear()
		c.Post(testapp.PathOf(t, m), nil).Want(t, 200)
	}
}

// The store holds no link, request or code, and no log or event says one.
func TestSecretsAtRest(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, both, testapp.UnlimitedMails)
		c := a.Client()
		path, r := a.link(t, c, testapp.Alice)
		messages := a.Outbox.Messages()
		code := codeIn(t, messages[len(messages)-1])
		found, err := b.Set.Tokens.TokensOf(t.Context(), "users:"+a.Alice.AuthID(), 100, stores.OneTime)
		if err != nil || len(found) != 1 {
			t.Fatalf("%d records, %v", len(found), err)
		}
		stored := fmt.Sprintf("%+v %s", found[0], found[0].Data)
		if b.Redis != nil {
			stored += b.Dump(t)
		}
		secrets := []string{path[strings.LastIndex(path, "/")+1:], r.Request, code, r.Code}
		for _, secret := range slices.Clone(secrets) {
			secrets = append(secrets, strings.ReplaceAll(secret, "-", ""))
		}
		c.Post("/magic-link/code", form{"code": code}).Want(t, 200)
		stored += a.Logs.String() + fmt.Sprintf("%+v", a.Events.All())
		for _, secret := range secrets {
			if strings.Contains(stored, secret) {
				t.Errorf("%s is at rest or in a log", secret)
			}
		}
	})
}
