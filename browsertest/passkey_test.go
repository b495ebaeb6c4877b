package browsertest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

// keysApp is an application on localhost with passkeys.
type keysApp struct {
	url     string
	handler http.Handler
	events  *ginauthtest.Events
	keys    *passkey.Feature
}

// keysPages are the pages of the application. They have no inline script.
var keysPages = map[string]string{
	"/login": `<form><input id="email" autocomplete="username webauthn">
<button id="login" type="button" data-passkey="login" data-passkey-next="/account" hidden>Passkey</button></form>
<p data-passkey-status hidden></p>`,
	"/choose": `<input id="email" autocomplete="username webauthn" data-passkey="conditional" data-passkey-next="/account">
<p data-passkey-status hidden></p>`,
	"/second": `<button id="second" data-passkey="second" data-passkey-next="/account" hidden>Passkey</button><p data-passkey-status hidden></p>`,
	"/account": `<h1>Account</h1><button id="add" data-passkey="register" data-passkey-next="/done" hidden>Add</button>
<p data-passkey-status hidden></p>`,
	"/done": `<h1>Done</h1>`,
}

// startKeys starts the application.
func startKeys(t *testing.T) *keysApp {
	t.Helper()
	gin.SetMode(gin.TestMode)
	a := &keysApp{events: new(ginauthtest.Events), keys: passkey.New(passkey.Options{})}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }))
	a.url = strings.Replace("http://"+server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	users := new(ginauthtest.Users)
	config := ginauth.Config{
		Users: users, Hashing: ginauthtest.CheapHashing(), Features: []ginauth.Feature{a.keys}, Audit: a.events.Record,
		Mail: ginauth.MailConfig{BaseURL: a.url, AppName: "Keys"}, StoreTimeout: patience,
	}
	auth, err := ginauth.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(context.Background()) })
	alice := &models.User{Name: "Alice", Email: "alice@example.com", EmailVerifiedAt: new(time.Now())}
	if alice.Password, err = auth.Hasher().Hash(t.Context(), password); err != nil {
		t.Fatal(err)
	}
	if err := users.CreateUser(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	r := gin.New()
	r.Use(auth.StartSession())
	routes.Mount(r, auth, routes.Options{Without: []routes.Route{routes.ShowVerifyEmail, routes.ShowConfirmEmail}})
	a.keys.Mount(r)
	r.GET("/favicon.ico", func(c *gin.Context) { c.Status(204) })
	for path, body := range keysPages {
		r.GET(path, func(c *gin.Context) {
			c.Header("Content-Security-Policy", "default-src 'self'")
			c.Data(200, "text/html; charset=utf-8", []byte(`<!doctype html><html lang="en"><title>Keys</title>`+
				`<script src="/passkeys.js" defer></script>`+body))
		})
	}
	a.handler = r
	server.Start()
	t.Cleanup(server.Close)
	return a
}

// authenticator gives a browser an authenticator that touches and verifies by itself.
func authenticator(b *browser) webauthn.AuthenticatorID {
	b.t.Helper()
	call(b, webauthn.Enable, webauthn.EnableParams{})
	made, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: "ctap2", Ctap2version: "ctap2_1", Transport: "internal", HasResidentKey: true, HasUserVerification: true,
			AutomaticPresenceSimulation: true, IsUserVerified: true,
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return made.AuthenticatorID
}

// await returns the value of a promise.
func await(b *browser, format string, args ...any) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf(`(async () => { try { %s } catch (e) { return "failed: " + e.name + " " + (e.status || "") + " " + e.message } })()`,
		fmt.Sprintf(format, args...)), chromedp.EvalAwaitPromise)
}

// post sends JSON from the page, and returns the status.
func post(b *browser, path, body string) string {
	b.t.Helper()
	return await(b, `const r = await fetch(%q, {method: "POST", headers: {"Content-Type": "application/json", Accept: "application/json"}, body: %q});
return r.status + " " + await r.text()`, path, body)
}

func (a *keysApp) open(t *testing.T) *browser {
	return open(t, a.url, mode{name: "passkeys", language: "en", script: true})
}

// enrolled returns a browser of Alice, who has registered a passkey, and is logged out.
func (a *keysApp) enrolled(t *testing.T) (*browser, webauthn.AuthenticatorID) {
	t.Helper()
	b := a.open(t)
	device := authenticator(b)
	b.visit("/login")
	if got := post(b, "/login", fmt.Sprintf(`{"email":"alice@example.com","password":%q}`, password)); !strings.HasPrefix(got, "200") {
		t.Fatal(got)
	}
	b.visit("/account")
	b.press("#add")
	b.at("/done")
	post(b, "/logout", "{}")
	return b, device
}

// TestPasskeyRegistrationAndLogin logs in by the button, and by the field that offers passkeys.
func TestPasskeyRegistrationAndLogin(t *testing.T) {
	a := startKeys(t)
	b, _ := a.enrolled(t)
	if names := ginauthtest.Of[passkey.Registered](a.events); len(names) != 1 || names[0].Name == "" {
		t.Errorf("registered %+v", names)
	}
	b.visit("/login")
	if eval[bool](b, `document.querySelector("#login").hidden`) {
		t.Error("the button is hidden")
	}
	b.press("#login")
	b.at("/account")
	if got := await(b, `return (await fetch("/me")).status + ""`); got != "200" {
		t.Errorf("/me: %s", got)
	}
	post(b, "/logout", "{}")
	b.visit("/choose")
	b.at("/account") // the authenticator chooses at once
	if used := ginauthtest.Of[passkey.Used](a.events); len(used) != 2 || !used[0].Verified {
		t.Errorf("used %+v", used)
	}
}

// TestPasskeyAsSecondFactor completes a login by a password, and confirms.
func TestPasskeyAsSecondFactor(t *testing.T) {
	a := startKeys(t)
	b, _ := a.enrolled(t)
	b.visit("/second")
	if got := post(b, "/login", fmt.Sprintf(`{"email":"alice@example.com","password":%q}`, password)); !strings.Contains(got, "pending") {
		t.Fatal(got)
	}
	b.press("#second")
	b.at("/account")
	if got := await(b, `await ginauthPasskeys.confirm(); return (await fetch("/me")).status + ""`); got != "200" {
		t.Errorf("confirm: %s", got)
	}
}

// TestPasskeyOfAnotherOrigin logs in at another port of the host, which browsers let use the same passkeys.
func TestPasskeyOfAnotherOrigin(t *testing.T) {
	a := startKeys(t)
	b, _ := a.enrolled(t)
	other := httptest.NewServer(a.handler)
	t.Cleanup(other.Close)
	b.run(chromedp.Navigate(strings.Replace(other.URL, "127.0.0.1", "localhost", 1) + "/login"))
	b.loaded()
	got := await(b, `return JSON.stringify(await ginauthPasskeys.login())`)
	if !strings.HasPrefix(got, "failed: PasskeyFailure 401") {
		t.Errorf("login at another origin: %s", got)
	}
	b.visit("/login")
	if got := await(b, `return JSON.stringify(await ginauthPasskeys.login())`); !strings.Contains(got, "alice@example.com") {
		t.Errorf("login at the origin: %s", got)
	}
}

// TestPasskeyReplay sends an answer again.
func TestPasskeyReplay(t *testing.T) {
	a := startKeys(t)
	b, device := a.enrolled(t)
	b.visit("/login")
	got := await(b, `const send = window.fetch;
window.fetch = (path, init) => { if (path === "/login/passkey") { window.sent = init.body } return send(path, init) };
await ginauthPasskeys.login();
window.fetch = send;
return window.sent`)
	if !strings.Contains(got, `"ceremony"`) {
		t.Fatal(got)
	}
	post(b, "/logout", "{}")
	if again := post(b, "/login/passkey", got); !strings.HasPrefix(again, "401") {
		t.Errorf("the answer again: %s", again)
	}
	call(b, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: device, IsUserVerified: false})
	if got := await(b, `return JSON.stringify(await ginauthPasskeys.login())`); !strings.HasPrefix(got, "failed: NotAllowedError") {
		t.Errorf("without user verification: %s", got)
	}
}

// TestPasskeySignals removes a passkey here and elsewhere, and looks at what the browser is told.
func TestPasskeySignals(t *testing.T) {
	a := startKeys(t)
	b, _ := a.enrolled(t)
	b.visit("/login")
	got := await(b, `window.told = [];
for (const name of ["signalUnknownCredential", "signalAllAcceptedCredentials", "signalCurrentUserDetails"]) {
  const tell = PublicKeyCredential[name];
  PublicKeyCredential[name] = async (given) => { window.told.push(name + " " + JSON.stringify(given)); if (tell) { await tell.call(PublicKeyCredential, given) } };
}
await ginauthPasskeys.login();
const [key] = (await ginauthPasskeys.list()).passkeys;
await ginauthPasskeys.rename(key.id, "Phone");
await ginauthPasskeys.remove(key.id);
return JSON.stringify(window.told)`)
	for _, want := range []string{"signalAllAcceptedCredentials", "signalCurrentUserDetails", `\"allAcceptedCredentialIds\":[]`, "alice@example.com"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	post(b, "/logout", "{}")
	got = await(b, `return JSON.stringify(await ginauthPasskeys.login())`)
	if !strings.HasPrefix(got, "failed:") {
		t.Errorf("login by a passkey that was removed: %s", got)
	}
}

// present makes an authenticator touch itself, or wait.
func present(b *browser, device webauthn.AuthenticatorID, now bool) {
	b.t.Helper()
	call(b, webauthn.SetAutomaticPresenceSimulation, webauthn.SetAutomaticPresenceSimulationParams{AuthenticatorID: device, Enabled: now})
}

// TestPasskeyPages adds a passkey to a user of the example, signs in by it, and removes it.
func TestPasskeyPages(t *testing.T) {
	chromium(t)
	for _, m := range modes[:2] { // with scripts
		t.Run(m.name, func(t *testing.T) {
			base := startExample(t)
			b := open(t, base, m)
			device := authenticator(b)
			b.visit("/login")
			b.signInAs("alice@example.com")
			b.until("somebody is signed in", signedIn)
			b.visit("/passkeys")
			b.look("no passkeys")
			b.press(`main a[href="/passkeys/new"]`)
			b.at("/passkeys/new")
			b.fill("#name", "Laptop")
			b.press(`[data-passkey="register"]`)
			b.at("/passkeys")
			b.look("passkeys")
			b.sees("Laptop")
			b.press("summary")
			b.fill("summary ~ form input", "Phone")
			b.press("summary ~ form button")
			b.until("the name is changed", `document.readyState === "complete" && document.querySelector(".notice") !== null`)
			b.sees("Phone")

			b.press("form[action='/logout'] button")
			b.until("the passkey has signed in", `document.readyState === "complete" && location.pathname === "/" && document.querySelector("form[action='/logout']") !== null`)
			present(b, device, false)
			b.press("form[action='/logout'] button")
			b.at("/login")
			b.look("login with passkeys")
			b.press(`[data-passkey="login"]`)
			present(b, device, true)
			b.until("the button has signed in", signedIn)

			present(b, device, false)
			b.press("form[action='/logout'] button")
			b.at("/login")
			b.signInAs("alice@example.com")
			b.at("/login/second-factor")
			b.look("second factor by a passkey")
			b.check("#trust")
			b.press(`[data-passkey="second"]`)
			present(b, device, true)
			b.until("the passkey was the second factor", signedIn)
			present(b, device, false)
			b.press("form[action='/logout'] button")
			b.at("/login")
			b.signInAs("alice@example.com")
			b.until("the device is trusted", signedIn)
			b.visit("/passkeys")
			present(b, device, true)
			b.press(`[data-passkey="remove"]`) // a trusted device proves one factor
			b.at("/login/second-factor")
			b.look("step up by a passkey")
			b.press(`[data-passkey="confirm"]`)
			b.at("/passkeys")
			b.press(`[data-passkey="remove"]`)
			b.until("the passkey is gone", `document.readyState === "complete" && document.querySelector(".empty") !== null`)
		})
	}
}

// signInAs fills the form to sign in.
func (b *browser) signInAs(email string) {
	b.t.Helper()
	b.fill("#email", email)
	b.fill("#password", password)
	b.press("main form button")
}
