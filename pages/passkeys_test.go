package pages_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/features/passkey/passkeytest"
	"github.com/ginauth/ginauth/features/recovery"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
)

// withKeys is an application with the pages of passkeys, apps and recovery codes.
func withKeys(t *testing.T, change ...func(*ginauth.Config)) *testapp.App {
	t.Helper()
	features := []ginauth.Feature{passkey.New(passkey.Options{}), totp.New(totp.Options{}), recovery.New(recovery.Options{})}
	return withFeatures(t, pages.Options{}, features, change...)
}

// withFeatures is an application with the pages and features.
func withFeatures(t *testing.T, o pages.Options, features []ginauth.Feature, change ...func(*ginauth.Config)) *testapp.App {
	t.Helper()
	change = append(change, func(c *ginauth.Config) {
		c.StoreTimeout = 20 * time.Second // the race detector is slow
		c.Pages, c.ErrorHandler, c.Features = pages.Config(""), pages.ErrorHandler, features
	})
	return testapp.New(t, testapp.Memory(t), testapp.CheckLeaks(), testapp.Configure(change...),
		testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
			pages.Mount(r, a.Manager, o)
			routes.Mount(r, a.Manager, routes.Options{})
			for _, f := range features {
				f.(interface{ Mount(routes.Router) }).Mount(r)
			}
		}))
}

// fetch sends JSON as the script of a page does.
func fetch(t *testing.T, c *testapp.Client, path string, in any, out any) {
	t.Helper()
	accept := c.Header.Get("Accept")
	c.Header.Set("Accept", "application/json")
	r := c.Post(path, in)
	c.Header.Set("Accept", accept)
	if r.StatusCode >= 300 {
		t.Fatalf("POST %s: %d %s", path, r.StatusCode, r.Text)
	}
	if err := json.Unmarshal([]byte(r.Text), out); err != nil {
		t.Fatalf("POST %s: %s: %v", path, r.Text, err)
	}
}

// sent is what begins and completes a ceremony.
type sent struct {
	Ceremony   string          `json:"ceremony"`
	PublicKey  json.RawMessage `json:"publicKey,omitempty"`
	Credential json.RawMessage `json:"credential,omitempty"`
	Name       string          `json:"name,omitempty"`
	Trust      bool            `json:"trust,omitempty"`
}

// addKey adds a passkey as the script of the page does, and returns its id.
func addKey(t *testing.T, c *testapp.Client, d *passkeytest.Device, name string) string {
	t.Helper()
	var begun sent
	fetch(t, c, "/passkeys/options", nil, &begun)
	credential, err := d.Create(begun.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Passkey passkey.Passkey }
	fetch(t, c, "/passkeys", sent{Ceremony: begun.Ceremony, Credential: credential, Name: name}, &made)
	return made.Passkey.ID
}

// useKey answers a ceremony that begins at the path with "/options", and returns where the page goes next.
func useKey(t *testing.T, c *testapp.Client, d *passkeytest.Device, path string, trust bool) string {
	t.Helper()
	var begun sent
	fetch(t, c, path+"/options", nil, &begun)
	credential, err := d.Get(begun.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var done struct{ Next string }
	fetch(t, c, path, sent{Ceremony: begun.Ceremony, Credential: credential, Trust: trust}, &done)
	return done.Next
}

func TestPasskeysAreManagedOnAPage(t *testing.T) {
	a := withKeys(t)
	c := signIn(t, a, testapp.Alice)
	wants(t, c.Get("/profile").Want(t, 200), `href="/passkeys"`)
	none := c.Get("/passkeys").Want(t, 200)
	checkPage(t, none)
	wants(t, none, "You have no passkeys.", `href="/passkeys/new"`, `<script src="/passkeys.js" defer></script>`)
	adding := c.Get("/passkeys/new").Want(t, 200)
	checkPage(t, adding)
	wants(t, adding, `data-passkey="register"`, `data-passkey-name="#name"`, "<noscript>", "data-passkey-unsupported hidden")

	id := addKey(t, c, passkeytest.New(testapp.BaseURL), "Laptop <b>")
	list := c.Get("/passkeys").Want(t, 200)
	checkPage(t, list)
	wants(t, list, "Laptop <b>", `action="/passkeys/`+id+`/delete"`, `data-passkey="remove" data-passkey-id="`+id+`"`)
	if strings.Contains(list.Text, "<b>") {
		t.Errorf("a name is not escaped: %s", list.Text)
	}

	c.Form("/passkeys/"+id+"/rename", form("name", "Phone")).WantRedirect(t, "/passkeys")
	wants(t, c.Get("/passkeys").Want(t, 200), "Phone", "The passkey has a new name.")
	c.Form("/passkeys/"+id+"/rename", form("name", "")).WantRedirect(t, "/passkeys")
	wants(t, c.Get("/passkeys").Want(t, 200), "Fill in this field.", "Error: ")
	c.Form("/passkeys/"+id+"/rename", form("name", "a\x01b")).WantRedirect(t, "/passkeys")
	wants(t, c.Get("/passkeys").Want(t, 200), "This has characters that cannot be shown.")
	c.Form("/passkeys/"+id+"/delete", "").WantRedirect(t, "/passkeys")
	wants(t, c.Get("/passkeys").Want(t, 200), "The passkey is removed.", "You have no passkeys.")
	if got := a.Client().LogIn(testapp.Alice, testapp.Password).StatusCode; got != 200 {
		t.Errorf("login after the removal: %d", got)
	}
}

// A page that changes passkeys asks for a fresh proof before, and comes back.
func TestPasskeysNeedAFreshProof(t *testing.T) {
	a := withKeys(t)
	c, d := signIn(t, a, testapp.Alice), passkeytest.New(testapp.BaseURL)
	a.Clock.Advance(16 * time.Minute)
	c.Get("/passkeys/new").WantRedirect(t, "/confirm-password")
	c.Form("/confirm-password", form("password", testapp.Password)).WantRedirect(t, "/passkeys/new")
	id := addKey(t, c, d, "Laptop")
	c.Get("/passkeys/new").Want(t, 200)

	const page = "/login/second-factor"
	a.Clock.Advance(16 * time.Minute)
	c.Form("/confirm-password", form("password", testapp.Password)).WantRedirect(t, "/profile")
	c.Get("/passkeys/new").WantRedirect(t, page)
	asked := c.Get(page).Want(t, 200)
	checkPage(t, asked)
	wants(t, asked, `data-passkey="confirm"`, "<noscript>", `<script src="/passkeys.js" defer></script>`)
	lacks(t, asked, `name="trust"`, "/login/totp")
	if next := useKey(t, c, d, "/passkeys/confirm", false); next != "/passkeys/new" {
		t.Errorf("after the proof the page goes to %q", next)
	}
	a.Clock.Advance(16 * time.Minute)
	on(t, c, "/passkeys").Form("/passkeys/"+id+"/delete", "").WantRedirect(t, page)
	if next := useKey(t, c, d, "/passkeys/confirm", false); next != "/passkeys" {
		t.Errorf("after the proof the page goes to %q", next)
	}
	c.Form("/passkeys/"+id+"/delete", "").WantRedirect(t, "/passkeys")

	bob := signIn(t, a, testapp.Bob) // whose address is not verified
	bob.Get("/passkeys/new").WantRedirect(t, "/verify-email")
}

func TestPasskeyOfTheSignInPage(t *testing.T) {
	a := withKeys(t)
	c, d := signIn(t, a, testapp.Alice), passkeytest.New(testapp.BaseURL)
	addKey(t, c, d, "Laptop")
	guest := a.Browser()
	guest.Get("/devices").WantRedirect(t, "/login")
	login := guest.Get("/login").Want(t, 200)
	checkPage(t, login)
	wants(t, login, `autocomplete="username webauthn"`, `data-passkey="conditional" data-passkey-remember="#remember"`,
		`hidden data-passkey="login" data-passkey-remember="#remember"`, `<script src="/passkeys.js" defer></script>`)
	guest.Get("/passkeys.js").Want(t, 200)
	if next := useKey(t, guest, d, "/login/passkey", false); next != "/devices" {
		t.Errorf("after the login the page goes to %q", next)
	}
	guest.Get("/devices").Want(t, 200)

	without := newApp(t, setup{}).Browser().Get("/login").Want(t, 200)
	lacks(t, without, "passkey", "<script")
}

// A passkey, an app and a recovery code complete a login on one page, and each can trust the device.
func TestDeviceIsTrustedOnThePage(t *testing.T) {
	a := withKeys(t)
	owner, d := signIn(t, a, testapp.Alice), passkeytest.New(testapp.BaseURL)
	addKey(t, owner, d, "Laptop")
	secret := enrol(t, a, owner)
	codes := found(t, owner.Form("/recovery-codes", "").Want(t, 200), `<code>([A-Z2-7-]+)</code>`)

	const page = "/login/second-factor"
	password := form("email", testapp.Alice, "password", testapp.Password)
	for name, answer := range map[string]func(c *testapp.Client){
		"app": func(c *testapp.Client) {
			c.Form("/login/totp", form("code", "000000", "trust", "on")).WantRedirect(t, page)
			wants(t, c.Get(page).Want(t, 200), `<input id="trust" name="trust" type="checkbox" value="on" checked>`)
			c.Form("/login/totp", form("code", codeOf(t, secret, a.Clock.Now()), "trust", "on")).WantRedirect(t, "/profile")
		},
		"recovery": func(c *testapp.Client) {
			c.Form("/login/recovery", form("code", codes, "trust", "on")).WantRedirect(t, "/profile")
		},
		"passkey": func(c *testapp.Client) { useKey(t, c, d, "/login/passkey/second", true) },
	} {
		a.Clock.Advance(time.Minute) // for another code
		c := a.Browser()
		c.Form("/login", password).WantRedirect(t, page)
		asked := c.Get(page).Want(t, 200)
		checkPage(t, asked)
		wants(t, asked, "Do not ask again on this device for 30 days", `<input id="trust" name="trust"`,
			`<input id="trust_recovery" name="trust"`, `data-passkey="second" data-passkey-trust="#trust"`)
		answer(c)
		c.Form("/logout", "").Want(t, 303)
		if to := c.Form("/login", password).Want(t, 303).Header.Get("Location"); to != "/profile" {
			t.Errorf("%s: the next login goes to %s", name, to)
		}
	}
	c := a.Browser()
	c.Form("/login", password).WantRedirect(t, page) // another device
	c.Form("/login/totp", form("code", codeOf(t, secret, a.Clock.Now().Add(30*time.Second)))).WantRedirect(t, "/profile")
	c.Form("/logout", "").Want(t, 303)
	c.Form("/login", password).WantRedirect(t, page) // nobody said that it is to be trusted
}

func TestNoDeviceIsTrustedIfNoneCanBe(t *testing.T) {
	for lifetime, want := range map[time.Duration]string{-1: "", time.Hour: "for a while"} {
		a := withKeys(t, func(c *ginauth.Config) { c.Factors.TrustLifetime = lifetime })
		enrol(t, a, signIn(t, a, testapp.Alice))
		c := a.Browser()
		c.Form("/login", form("email", testapp.Alice, "password", testapp.Password)).WantRedirect(t, "/login/second-factor")
		asked := c.Get("/login/second-factor").Want(t, 200)
		if strings.Contains(asked.Text, `name="trust"`) != (want != "") || !strings.Contains(asked.Text, want) {
			t.Errorf("trusted for %v: %s", lifetime, asked.Text)
		}
	}
}

func TestFactorIsEnrolledWhereItIsRequired(t *testing.T) {
	for name, enrolled := range map[string]func(t *testing.T, a *testapp.App, c *testapp.Client){
		"app": func(t *testing.T, a *testapp.App, c *testapp.Client) { enrol(t, a, c) },
		"passkey": func(t *testing.T, _ *testapp.App, c *testapp.Client) {
			checkPage(t, c.Get("/passkeys/new").Want(t, 200))
			addKey(t, c, passkeytest.New(testapp.BaseURL), "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := withKeys(t, func(c *ginauth.Config) {
				c.Factors.Required = func(context.Context, models.Authenticatable) bool { return true }
			})
			const page = "/login/enrol-factor"
			c := a.Browser()
			c.Get(page).WantRedirect(t, "/login")
			c.Form("/login", form("email", testapp.Alice, "password", testapp.Password)).Want(t, 303)
			c.Get("/profile").WantRedirect(t, page)
			why := c.Get(page).Want(t, 200)
			checkPage(t, why)
			wants(t, why, "Set up a second factor", "Your account must have a second factor", `href="/totp"`, `href="/passkeys/new"`, "Sign out")
			checkPage(t, c.Get("/totp").Want(t, 200))
			checkPage(t, c.Get("/passkeys").Want(t, 200))
			enrolled(t, a, c)
			c.Get("/profile").Want(t, 200)
			c.Get(page).WantRedirect(t, "/profile") // there is nothing to do
		})
	}
}
