package passkey_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/features/passkey/passkeytest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

// app is an application with the feature.
type app struct {
	*testapp.App
	keys *passkey.Feature
}

func start(t *testing.T, b *testapp.Backend, o passkey.Options, change ...func(*ginauth.Config)) *app {
	t.Helper()
	f := passkey.New(o)
	change = append(change, func(c *ginauth.Config) { c.Features = append(c.Features, f) })
	mount := func(a *testapp.App, r *gin.Engine) {
		f.Mount(r)
		r.GET("/proved", a.StartSession(), a.Auth("web", "api"), func(c *gin.Context) {
			proved, err := ginauth.From(c).Authentication(c.Request.Context())
			if err != nil {
				ginauth.Abort(c, err)
				return
			}
			c.JSON(200, gin.H{"level": proved.Level, "methods": proved.Methods})
		})
	}
	return &app{testapp.New(t, b, testapp.Configure(change...), testapp.Routes(mount)), f}
}

// ceremony is what begins one.
type ceremony struct {
	Ceremony  string          `json:"ceremony"`
	PublicKey json.RawMessage `json:"publicKey"`
}

// body is what completes one.
type body struct {
	Ceremony   string          `json:"ceremony,omitempty"`
	Credential json.RawMessage `json:"credential,omitempty"`
	Identifier string          `json:"identifier,omitempty"`
	Token      string          `json:"token,omitempty"`
	Name       string          `json:"name,omitempty"`
	Remember   bool            `json:"remember,omitempty"`
	Trust      bool            `json:"trust,omitempty"`
}

func device() *passkeytest.Device { return passkeytest.New(testapp.BaseURL) }

// begin begins a ceremony.
func begin(t testing.TB, c *testapp.Client, path string, in any) (got ceremony) {
	t.Helper()
	c.Post(path, in).Want(t, 200).JSON(t, &got)
	return got
}

// registration returns the body that completes a registration.
func registration(t testing.TB, c *testapp.Client, d *passkeytest.Device) body {
	t.Helper()
	begun := begin(t, c, "/passkeys/options", nil)
	credential, err := d.Create(begun.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return body{Ceremony: begun.Ceremony, Credential: credential}
}

// register registers a passkey of a client's user, and returns its id.
func register(t testing.TB, c *testapp.Client, d *passkeytest.Device) string {
	t.Helper()
	var made struct{ Passkey passkey.Passkey }
	c.Post("/passkeys", registration(t, c, d)).Want(t, 201).JSON(t, &made)
	return made.Passkey.ID
}

// assertion returns the body that completes a ceremony which was begun at a path.
func assertion(t testing.TB, c *testapp.Client, d *passkeytest.Device, path string, in any) body {
	t.Helper()
	begun := begin(t, c, path, in)
	credential, err := d.Get(begun.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return body{Ceremony: begun.Ceremony, Credential: credential}
}

const (
	loginOptions  = "/login/passkey/options"
	login         = "/login/passkey"
	secondOptions = "/login/passkey/second/options"
	second        = "/login/passkey/second"
)

// pending logs in by the password, up to the second factor.
func pending(t testing.TB, c *testapp.Client, path string) string {
	t.Helper()
	var got struct{ Pending *ginauth.PendingLogin }
	c.Post(path, testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 200).JSON(t, &got)
	if got.Pending == nil || len(got.Pending.Factors) != 1 || got.Pending.Factors[0] != "passkey" {
		t.Fatalf("pending %+v", got.Pending)
	}
	return got.Pending.Token
}

// TestRegisterAndLogIn is the life of a passkey.
func TestRegisterAndLogIn(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, passkey.Options{})
		elsewhere, c, d := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Alice), device()
		tokens := a.IssueTokens(testapp.Alice)
		d.AAGUID = [16]byte{0xba, 0xda, 0x55, 0x66, 0xa7, 0xaa, 0x40, 0x1f, 0xbd, 0x96, 0x45, 0x61, 0x9a, 0x55, 0x12, 0x0d}
		d.BackupEligible, d.BackedUp = true, true
		id := register(t, c, d)
		c.Get("/me").Want(t, 200)
		elsewhere.Get("/me").Want(t, 401) // a first factor ends other logins
		a.Refresh(tokens.RefreshToken).Want(t, 401)
		if m := a.Outbox.Next(t, mail.FactorChanged, testapp.Alice); !strings.Contains(m.Text, "passkey was added") {
			t.Error(m.Text)
		}
		testapp.WantEvents[passkey.Registered](a.App, 1)
		if _, err := d.Create(begin(t, a.confirmed(t, c, d), "/passkeys/options", nil).PublicKey); err != passkeytest.ErrExcluded {
			t.Errorf("the same device again: %v", err)
		}

		n := a.Client()
		r := n.Post(login, assertion(t, n, d, loginOptions, nil)).Want(t, 200)
		if !strings.Contains(r.Text, `"next"`) || !strings.Contains(r.Text, testapp.Alice) {
			t.Error(r.Text)
		}
		n.Get("/me").Want(t, 200)
		if text := n.Get("/proved").Want(t, 200).Text; !strings.Contains(text, `"level":2`) || !strings.Contains(text, `"swk","user","mfa"`) {
			t.Error(text)
		}
		pair := a.Client().Post("/token/passkey", assertion(t, a.Client(), d, loginOptions, nil)).Want(t, 200).Tokens(t)
		if text := a.Bearer(pair.AccessToken).Get("/proved").Want(t, 200).Text; !strings.Contains(text, `"level":2`) {
			t.Error(text)
		}
		testapp.WantEvents[passkey.Used](a.App, 3)

		a.manage(t, n, d, id)
		a.LoggedIn(testapp.Alice) // by the password alone again
		testapp.WantEvents[passkey.Removed](a.App, 1)
	})
}

// manage lists, renames and deletes the only passkey of a client's user.
func (a *app) manage(t *testing.T, c *testapp.Client, d *passkeytest.Device, id string) {
	t.Helper()
	a.Clock.Advance(time.Minute)
	var got struct {
		Passkeys []passkey.Passkey
		Signals  *passkey.Signals
	}
	c.Get("/passkeys").Want(t, 200).JSON(t, &got)
	if len(got.Passkeys) != 1 || got.Passkeys[0].ID != id || got.Passkeys[0].Name != "1Password" || got.Passkeys[0].Model != "1Password" ||
		!got.Passkeys[0].BackupEligible || !got.Passkeys[0].BackedUp || len(got.Passkeys[0].Transports) != 1 {
		t.Fatalf("%+v", got.Passkeys)
	}
	if s := got.Signals; s == nil || len(s.Accepted.IDs) != 1 || s.User.Name != testapp.Alice || s.User.DisplayName != "Alice" {
		t.Fatalf("%+v", s)
	}
	c.Call("PATCH", "/passkeys/"+id, body{Name: " My phone "}).Want(t, 200)
	c.Form("/passkeys/"+id+"/rename", "name=Phone").Want(t, 200)
	c.Call("PATCH", "/passkeys/"+id, body{Name: "x\u0000"}).WantField(t, "name")
	c.Call("PATCH", "/passkeys/"+id, body{Name: strings.Repeat("x", 101)}).WantField(t, "name")
	c.Call("PATCH", "/passkeys/"+id, body{}).WantField(t, "name")
	c.Call("PATCH", "/passkeys/"+strings.Repeat("0", 32), body{Name: "x"}).Want(t, 404)
	if text := c.Get("/passkeys").Text; !strings.Contains(text, `"name":"Phone"`) {
		t.Error(text)
	}
	a.Clock.Advance(15 * time.Minute)
	c.Delete("/passkeys/"+id).Want(t, 403) // the proof is old
	a.confirmed(t, c, d)
	var left struct{ Signals *passkey.Signals }
	c.Delete("/passkeys/"+id).Want(t, 200).JSON(t, &left)
	if left.Signals == nil || len(left.Signals.Accepted.IDs) != 0 {
		t.Errorf("%+v", left.Signals)
	}
	c.Delete("/passkeys/"+id).Want(t, 404)
	if m := a.Outbox.Next(t, mail.FactorChanged, testapp.Alice); !strings.Contains(m.Text, "passkey was removed") {
		t.Error(m.Text)
	}
	n := a.Client() // the browser is told that the passkey is gone
	var refused struct {
		Code    string
		Signals *passkey.Signals
	}
	n.Post(login, assertion(t, n, d, loginOptions, nil)).Want(t, 401).JSON(t, &refused)
	if refused.Code != "invalid_credentials" || refused.Signals == nil || refused.Signals.Unknown == nil || refused.Signals.Unknown.RPID != "app.example" {
		t.Errorf("%+v", refused)
	}
}

// confirmed proves a passkey again.
func (a *app) confirmed(t testing.TB, c *testapp.Client, d *passkeytest.Device) *testapp.Client {
	t.Helper()
	c.Post("/passkeys/confirm", assertion(t, c, d, "/passkeys/confirm/options", nil)).Want(t, 200)
	return c
}
