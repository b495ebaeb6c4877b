package magiclink_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/features/magiclink"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// phones is a Channel that keeps what it sends.
type phones struct {
	sent chan [2]string
	mu   sync.Mutex
	err  error
}

func newPhones() *phones { return &phones{sent: make(chan [2]string, 100)} }

func (p *phones) Send(_ context.Context, u models.Authenticatable, code string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent <- [2]string{u.AuthID(), code}
	return p.err
}

// next waits for the next code, which goes to a user.
func (p *phones) next(t *testing.T, u models.Authenticatable) string {
	t.Helper()
	select {
	case m := <-p.sent:
		if m[0] != u.AuthID() || !codeForm.MatchString(m[1]) {
			t.Fatalf("sent %v", m)
		}
		return m[1]
	case <-time.After(20 * time.Second):
		t.Fatal("no code was sent")
	}
	return ""
}

// everybody has a second factor.
func everybody(context.Context, models.Authenticatable) (bool, error) { return true, nil }

// withPhones starts an application whose users have phones.
func withPhones(t *testing.T, b *testapp.Backend, o magiclink.ChannelOptions, change ...func(*ginauth.Config)) (*app, *phones) {
	t.Helper()
	p := newPhones()
	o.Name, o.Channel = "sms", p
	f := magiclink.New(magiclink.Options{Channels: []magiclink.ChannelOptions{o}})
	change = append(change, func(c *ginauth.Config) { c.Features = append(c.Features, f) })
	routes := func(a *testapp.App, r *gin.Engine) {
		f.Mount(r)
		users := a.Auth("web", "api")
		r.GET("/proved", users, func(c *gin.Context) {
			proved, err := ginauth.From(c).Authentication(c.Request.Context())
			if err != nil {
				ginauth.Abort(c, err)
				return
			}
			c.String(200, "%d %s", proved.Level, strings.Join(proved.Methods, " "))
		})
		r.GET("/two", users, a.RequireLevel(factor.LevelTwo, 5*time.Minute), func(c *gin.Context) { c.Status(204) })
	}
	return &app{testapp.New(t, b, testapp.Configure(change...), testapp.Routes(routes), testapp.CheckLeaks()), f}, p
}

func TestLogInByChannel(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a, phone := withPhones(t, b, magiclink.ChannelOptions{Login: true}, testapp.UnlimitedMails)
		c := a.Client()
		r := a.ask(t, c, "/code/sms", testapp.Alice)
		if r.Code != "" {
			t.Errorf("%+v", r)
		}
		code := phone.next(t, a.Alice)
		c.Post("/code/sms/use", form{"code": wrong(code)}).Want(t, 401)
		c.Post("/magic-link/code", form{"code": code, "request": r.Request}).Want(t, 401) // made for another purpose
		c.Post("/code/sms/use", form{"code": code}).Want(t, 200)
		if proved := c.Get("/proved").Text; proved != "1 sms" {
			t.Errorf("proved %s", proved)
		}
		r = a.ask(t, a.Client(), "/token/code/sms", testapp.Bob)
		pair := a.Client().Post("/token/code/sms/use", form{"code": phone.next(t, a.Bob), "request": r.Request}).Want(t, 200).Tokens(t)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)
		if u := a.User(a.Bob.AuthID()); u.EmailVerifiedAt != nil {
			t.Error("a code by SMS verified the email address")
		}
		a.ask(t, c, "/code/sms", "nobody@example.com")
		select {
		case m := <-phone.sent:
			t.Errorf("sent %v", m)
		default:
		}
		c.Post("/code/other", form{"email": testapp.Alice}).Want(t, 404)
	})
}

// pending logs in up to the second factor.
func (a *app) pending(t *testing.T, c *testapp.Client, path string) string {
	t.Helper()
	var got struct{ Pending *ginauth.PendingLogin }
	c.Post(path, testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 200).JSON(t, &got)
	if got.Pending == nil || len(got.Pending.Factors) != 1 || got.Pending.Factors[0] != "sms" {
		t.Fatalf("pending %+v", got.Pending)
	}
	return got.Pending.Token
}

func TestSecondFactor(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a, phone := withPhones(t, b, magiclink.ChannelOptions{Second: everybody}, testapp.UnlimitedMails)
		c := a.Client()
		a.pending(t, c, "/login")
		c.Post("/login/sms", form{"code": "ABCD-EFGH"}).Want(t, 401) // none was sent
		c.Post("/login/sms/send", nil).Want(t, 202)
		code := phone.next(t, a.Alice)
		c.Post("/login/sms", form{"code": wrong(code)}).Want(t, 401)
		c.Get("/me").Want(t, 401)
		c.Post("/login/sms", form{"code": code}).Want(t, 200)
		c.Get("/me").Want(t, 200)
		if proved := c.Get("/proved").Text; proved != "2 pwd sms mfa" {
			t.Errorf("proved %s", proved)
		}
		// A code works once, for its purpose and its user.
		d := a.Client()
		token := a.pending(t, d, "/api/login")
		a.Client().Post("/login/sms", form{"token": token, "code": code}).Want(t, 401)
		a.Client().Post("/login/sms/send", form{"token": token}).Want(t, 202)
		code = phone.next(t, a.Alice)
		pair := a.Client().Post("/login/sms", form{"token": token, "code": code}).Want(t, 200).Tokens(t)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)
		a.Client().Post("/login/sms/send", form{"token": token}).Want(t, 401)
		// Step up.
		a.Clock.Advance(6 * time.Minute)
		c.Get("/two").Want(t, 403)
		c.Post("/sms/confirm/send", nil).Want(t, 202)
		code = phone.next(t, a.Alice)
		c.Post("/sms/confirm", form{"code": wrong(code)}).Want(t, 401)
		c.Post("/sms/confirm", form{"code": code}).Want(t, 204)
		c.Get("/two").Want(t, 204)
		a.Client().Post("/sms/confirm/send", nil).Want(t, 401)
		// A code is too old after 10 minutes.
		c.Post("/sms/confirm/send", nil).Want(t, 202)
		code = phone.next(t, a.Alice)
		a.Clock.Advance(10 * time.Minute)
		c.Post("/sms/confirm", form{"code": code}).Want(t, 401)
	})
}

// TestTrustedDevice trusts a browser when a code completes its login.
func TestTrustedDevice(t *testing.T) {
	a, phone := withPhones(t, testapp.Memory(t), magiclink.ChannelOptions{Second: everybody})
	c := a.Client()
	a.pending(t, c, "/login")
	c.Post("/login/sms/send", nil).Want(t, 202)
	c.Post("/login/sms", map[string]any{"code": phone.next(t, a.Alice), "trust": true}).Want(t, 200)
	c.Post("/logout", nil).Want(t, 204)
	c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 200)
	c.Get("/me").Want(t, 200) // by the password alone
	a.pending(t, a.Client(), "/login")
}

// A login by a link of a user with a second factor waits for it, with what was asked for.
func TestLinkDoesNotSkipSecondFactor(t *testing.T) {
	a, phone := withPhones(t, testapp.SQLite(t), magiclink.ChannelOptions{Second: everybody}, testapp.UnlimitedMails)
	c := a.Client()
	c.Post("/magic-link", form{"email": testapp.Alice, "remember": true}).Want(t, 202)
	path := testapp.PathOf(t, a.Outbox.Next(t, mail.LoginLink, testapp.Alice))
	var got struct{ Pending *ginauth.PendingLogin }
	if c.Post(path, nil).Want(t, 200).JSON(t, &got); got.Pending == nil {
		t.Fatal("the login is not pending")
	}
	c.Get("/me").Want(t, 401)
	c.Post("/login/sms/send", nil).Want(t, 202)
	c.Post("/login/sms", form{"code": phone.next(t, a.Alice)}).Want(t, 200)
	if proved := c.Get("/proved").Text; proved != "2 email sms mfa" {
		t.Errorf("proved %s", proved)
	}
	if c.Remember() == "" {
		t.Error("the device is not remembered")
	}
}

// The sending of codes has the limits of mails, and 200 parallel uses of one code complete one login.
func TestSecondFactorIsLimited(t *testing.T) {
	a, phone := withPhones(t, testapp.Memory(t), magiclink.ChannelOptions{Second: everybody}, func(c *ginauth.Config) {
		many := ginauth.Limit{Attempts: 1000, Per: time.Minute}
		c.Throttle.Address, c.Throttle.Account, c.Throttle.AccountAddress = many, many, many
	})
	c := a.Client()
	a.pending(t, c, "/login")
	c.Post("/login/sms/send", nil).Want(t, 202)
	code := phone.next(t, a.Alice)
	for range 10 {
		c.Post("/login/sms/send", nil).Want(t, 429)
	}
	tokens := make([]string, 5)
	for i := range tokens {
		tokens[i] = a.pending(t, a.Client(), "/api/login")
	}
	got := a.statuses(t, 200, func(i int) (*testapp.Response, error) {
		return a.Client().TryPost("/login/sms", form{"token": tokens[i%len(tokens)], "code": code})
	})
	if got[200] != 1 || got[200]+got[401]+got[429] != 200 {
		t.Errorf("responses %v", got)
	}
}

// A stranger without the first proof sends no code.
func TestStrangersSendNoSecondFactor(t *testing.T) {
	a, phone := withPhones(t, testapp.Memory(t), magiclink.ChannelOptions{Second: everybody})
	for _, token := range []string{"", "x", "gpl_x", a.pending(t, a.Client(), "/login")} { // the last one is bound to its session
		a.Client().Post("/login/sms/send", form{"token": token}).Want(t, 401)
	}
	a.Client().Post("/sms/confirm/send", nil).Want(t, 401)
	if len(phone.sent) != 0 {
		t.Error("a code was sent")
	}
}

// A channel that fails is logged without the code.
func TestFailingChannel(t *testing.T) {
	a, phone := withPhones(t, testapp.Memory(t), magiclink.ChannelOptions{Login: true})
	phone.err = errors.New("the provider is down")
	a.ask(t, a.Client(), "/code/sms", testapp.Alice)
	code := phone.next(t, a.Alice)
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if log := a.Logs.String(); !strings.Contains(log, "the provider is down") || strings.Contains(log, code) {
		t.Errorf("log %s", log)
	}
	if n := len(testapp.EventsOf[magiclink.Sent](a.App)); n != 0 {
		t.Errorf("%d events say that a code was sent", n)
	}
}

func TestChannelsAreChecked(t *testing.T) {
	phone := newPhones()
	for name, o := range map[string]magiclink.Options{
		"no name":    {Channels: []magiclink.ChannelOptions{{Channel: phone, Login: true}}},
		"bad name":   {Channels: []magiclink.ChannelOptions{{Name: "S/M", Channel: phone, Login: true}}},
		"taken":      {Channels: []magiclink.ChannelOptions{{Name: "email", Channel: phone, Login: true}}},
		"twice":      {Channels: []magiclink.ChannelOptions{{Name: "a", Channel: phone, Login: true}, {Name: "a", Channel: phone, Login: true}}},
		"no channel": {Channels: []magiclink.ChannelOptions{{Name: "a", Login: true}}},
		"no use":     {Channels: []magiclink.ChannelOptions{{Name: "a", Channel: phone}}},
		"method":     {Channels: []magiclink.ChannelOptions{{Name: "a", Channel: phone, Login: true, Method: "x"}}},
		"mailbox":    {Channels: []magiclink.ChannelOptions{{Name: "a", Channel: phone, Second: everybody, Method: "email"}}},
		"mails":      {Mails: 7},
	} {
		cfg := ginauth.Config{Features: []ginauth.Feature{magiclink.New(o)}}
		cfg.Mail = ginauth.MailConfig{Mailer: nowhere{}, BaseURL: "https://app.example", AppName: "Shop"}
		if m, err := ginauth.New(cfg); err == nil {
			_ = m.Close(t.Context())
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ginauth.New(ginauth.Config{Features: []ginauth.Feature{magiclink.New(magiclink.Options{})}}); err == nil {
		t.Error("logins by mail are accepted without a Mailer")
	}
	m, err := ginauth.New(ginauth.Config{Features: []ginauth.Feature{magiclink.New(magiclink.Options{
		WithoutMail: true, Channels: []magiclink.ChannelOptions{{Name: "a", Channel: phone, Login: true}},
	})}})
	if err != nil {
		t.Fatal(err)
	}
	_ = m.Close(t.Context())
}

type nowhere struct{}

func (nowhere) Send(context.Context, mail.Message) error { return nil }

// TestOnePhoneIsOneFactor refuses channels by which one phone would prove both factors.
func TestOnePhoneIsOneFactor(t *testing.T) {
	for _, c := range []struct {
		channels []magiclink.ChannelOptions
		refused  bool
	}{
		{[]magiclink.ChannelOptions{{Name: "sms", Login: true, Second: everybody}}, true},
		{[]magiclink.ChannelOptions{{Name: "text", Login: true, Method: "sms"}, {Name: "sms", Second: everybody}}, true},
		{[]magiclink.ChannelOptions{{Name: "call", Login: true, Method: "tel"}, {Name: "sms", Second: everybody}}, false},
	} {
		for i := range c.channels {
			c.channels[i].Channel = magiclink.ChannelFunc(func(context.Context, models.Authenticatable, string) error { return nil })
		}
		m, err := ginauth.New(ginauth.Config{
			Mail: ginauth.MailConfig{BaseURL: testapp.BaseURL}, Features: []ginauth.Feature{
				magiclink.New(magiclink.Options{WithoutMail: true, Channels: c.channels}),
			},
		})
		if (err != nil) != c.refused {
			t.Errorf("%v: error %v", c.channels, err)
		}
		if err == nil {
			_ = m.Close(context.Background())
		}
	}
}
