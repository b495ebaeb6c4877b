package magiclink_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/magiclink"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

// app is an application with the feature.
type app struct {
	*testapp.App
	links *magiclink.Feature
}

func start(t *testing.T, b *testapp.Backend, o magiclink.Options, change ...func(*ginauth.Config)) *app {
	t.Helper()
	f := magiclink.New(o)
	change = append(change, func(c *ginauth.Config) { c.Features = append(c.Features, f) })
	mount := func(_ *testapp.App, r *gin.Engine) { f.Mount(r) }
	return &app{testapp.New(t, b, testapp.Configure(change...), testapp.Routes(mount), testapp.CheckLeaks()), f}
}

type form map[string]any

// asked is the response to a client that asked.
type asked struct {
	Accepted  bool
	Request   string
	Code      string
	ExpiresIn int `json:"expires_in"`
}

// ask asks for a mail.
func (a *app) ask(t *testing.T, c *testapp.Client, path, email string) (r asked) {
	t.Helper()
	c.Post(path, form{"email": email}).Want(t, 202).JSON(t, &r)
	if !r.Accepted || r.Request == "" || r.ExpiresIn != 600 {
		t.Fatalf("%+v", r)
	}
	return r
}

var codeForm = regexp.MustCompile(`\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b`)

// codeIn returns the code in a mail.
func codeIn(t *testing.T, m mail.Message) string {
	t.Helper()
	codes := codeForm.FindAllString(m.Text, -1)
	if len(codes) != 1 {
		t.Fatalf("codes %q in %s", codes, m.Text)
	}
	return codes[0]
}

// link asks for a link and returns its path and the response.
func (a *app) link(t *testing.T, c *testapp.Client, email string) (string, asked) {
	t.Helper()
	r := a.ask(t, c, "/magic-link", email)
	return testapp.PathOf(t, a.Outbox.Next(t, mail.LoginLink, email)), r
}

var plainLimits = []func(*ginauth.Config){testapp.UnlimitedMails}

func TestLogInByLink(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, magiclink.Options{})
		c := a.Client()
		path, r := a.link(t, c, testapp.Alice)
		if !codeForm.MatchString(r.Code) || !strings.HasPrefix(path, "/magic-link/gol_") {
			t.Errorf("code %q, path %q", r.Code, path)
		}
		sent := testapp.WantEvents[magiclink.Sent](a.App, 1)
		if sent[0].UserID != a.Alice.AuthID() || sent[0].By != "email" {
			t.Errorf("%+v", sent)
		}
		for _, elsewhere := range []*testapp.Client{a.Client(), a.Browser()} {
			for range 3 { // a GET changes nothing
				elsewhere.Get(path).Want(t, 200)
				elsewhere.Do("HEAD", path, "", "")
			}
		}
		c.Get(path).Want(t, 200)
		c.Get("/me").Want(t, 401)
		c.Post(path, nil).Want(t, 200)
		if name := c.Get("/me").Want(t, 200).UserName(t); name != "Alice" {
			t.Errorf("logged in as %s", name)
		}
		testapp.WantEvents[magiclink.Used](a.App, 1)
		// Once.
		for _, again := range []*testapp.Client{c, a.Client()} {
			again.Post(path, form{"request": r.Request}).Want(t, 403)
		}
		testapp.WantEvents[magiclink.Failed](a.App, 2)
	})
}

func TestLogInByLinkInAnotherBrowser(t *testing.T) {
	a := start(t, testapp.Memory(t), magiclink.Options{}, plainLimits...)
	first := a.Client()
	path, r := a.link(t, first, testapp.Alice)
	other := a.Client()
	var page struct {
		Method, Message string
		Code            bool `json:"code_required"`
	}
	other.Get(path).Want(t, 200).JSON(t, &page)
	if page.Method != "POST" || !page.Code {
		t.Errorf("%+v", page)
	}
	other.Post(path, nil).WantField(t, "code")
	other.Post(path, form{"code": "x"}).WantField(t, "code")
	other.Post(path, form{"code": wrong(r.Code)}).Want(t, 401)
	other.Get("/me").Want(t, 401)
	other.Post(path, form{"code": strings.ToLower(strings.ReplaceAll(r.Code, "-", " "))}).Want(t, 200)
	other.Get("/me").Want(t, 200)
	first.Get("/me").Want(t, 401) // only the browser that opened the link is logged in
	first.Post(path, nil).Want(t, 403)
}

// wrong returns a code that is not the given one.
func wrong(code string) string {
	last := "A"
	if strings.HasSuffix(code, "A") {
		last = "B"
	}
	return code[:len(code)-1] + last
}

func TestLogInByCode(t *testing.T) {
	for contents, kind := range map[magiclink.Contents]string{magiclink.Codes: mail.LoginCode, magiclink.LinksAndCodes: mail.LoginLink} {
		t.Run(kind, func(t *testing.T) { testLogInByCode(t, contents, kind) })
	}
}

func testLogInByCode(t *testing.T, contents magiclink.Contents, kind string) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, magiclink.Options{Mails: contents}, plainLimits...)
		c := a.Client()
		r := a.ask(t, c, "/magic-link", testapp.Alice)
		code := codeIn(t, a.Outbox.Next(t, kind, testapp.Alice))
		if code == r.Code {
			t.Fatal("the screen shows the code of the mail")
		}
		if (r.Code == "") != (contents == magiclink.Codes) {
			t.Errorf("code %q on the screen", r.Code)
		}
		a.Client().Post("/magic-link/code", form{"code": code}).Want(t, 401) // another client
		c.Post("/magic-link/code", form{"code": wrong(code)}).Want(t, 401)
		c.Post("/magic-link/code", form{"code": "O0O0-O0O0"}).WantField(t, "code")
		c.Post("/magic-link/code", form{"code": code}).Want(t, 200)
		c.Get("/me").Want(t, 200)
		c.Post("/magic-link/code", form{"code": code, "request": r.Request}).Want(t, 401)
		// By tokens, without cookies.
		r = a.ask(t, a.Client(), "/token/magic-link", testapp.Alice)
		code = codeIn(t, a.Outbox.Next(t, kind, testapp.Alice))
		pair := a.Client().Post("/token/magic-link/code", form{"request": r.Request, "code": code}).Want(t, 200).Tokens(t)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)
	})
}

func TestLogInByLinkForTokens(t *testing.T) {
	a := start(t, testapp.Memory(t), magiclink.Options{}, plainLimits...)
	r := a.ask(t, a.Client(), "/token/magic-link", testapp.Alice)
	path := testapp.PathOf(t, a.Outbox.Next(t, mail.LoginLink, testapp.Alice))
	link := path[strings.LastIndex(path, "/")+1:]
	a.Client().Post(path, form{"request": r.Request}).Want(t, 403) // the link of another guard
	use := func(fields form) *testapp.Response { return a.Client().Post("/token/magic-link/use", fields) }
	use(form{"link": link}).WantField(t, "code")
	pair := use(form{"link": link, "request": r.Request}).Want(t, 200).Tokens(t)
	a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)
	use(form{"link": link, "request": r.Request}).Want(t, 403)
}

func TestExpiry(t *testing.T) {
	a := start(t, testapp.Memory(t), magiclink.Options{Mails: magiclink.LinksAndCodes}, plainLimits...)
	for after, want := range map[time.Duration]int{10*time.Minute - time.Second: 200, 10 * time.Minute: 403} {
		c := a.Client()
		path, r := a.link(t, c, testapp.Alice)
		a.Clock.Advance(after)
		c.Post(path, form{"code": r.Code}).Want(t, want)
	}
	c := a.Client()
	a.ask(t, c, "/magic-link", testapp.Alice)
	code := codeIn(t, a.Outbox.Next(t, mail.LoginLink, testapp.Alice))
	a.Clock.Advance(10 * time.Minute)
	c.Post("/magic-link/code", form{"code": code}).Want(t, 401)
}
