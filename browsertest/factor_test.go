package browsertest

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ginauth/ginauth/features/totp"
)

// code returns a code of the authenticator app that was not used yet, which may be up to 30 seconds ahead.
func (n *newcomer) code() string {
	n.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		for _, ahead := range []time.Duration{0, 25 * time.Second} {
			code, err := totp.Code(n.secret, time.Now().Add(ahead))
			if err != nil {
				n.t.Fatal(err)
			}
			if code > "" && stepOf(time.Now().Add(ahead)) > n.used {
				n.used = stepOf(time.Now().Add(ahead))
				return code
			}
		}
	}
	n.t.Fatal("no code")
	return ""
}

// stepOf names the time step of a code, in order.
func stepOf(at time.Time) string { return fmt.Sprintf("%012d", at.Unix()/30) }

// factors sets an authenticator app up, and makes recovery codes.
func (n *newcomer) factors() {
	n.t.Helper()
	n.visit("/totp")
	n.look("authenticator app")
	n.press("form[action='/totp/enrolment'] button")
	n.until("the QR code is shown", `document.readyState === "complete" && document.querySelector("svg.qr") !== null`)
	n.look("set up an authenticator app")
	n.secret = eval[string](n.browser, `new URL(document.querySelector("a[href^='otpauth:']").href).searchParams.get("secret")`)
	n.fill("#code", "000000")
	n.press("form[action='/totp'] button")
	n.until("the fault is shown", `document.readyState === "complete" && document.querySelector("#code[aria-invalid=true]") !== null`)
	n.look("set up with a fault")
	n.fill("#code", n.code())
	n.press("form[action='/totp'] button")
	n.at("/recovery-codes")
	n.look("recovery codes")
	n.press("form[action='/recovery-codes'] button")
	n.until("the codes are shown", `document.readyState === "complete" && document.querySelectorAll(".codes li").length === 10`)
	n.look("new recovery codes")
	n.recovery = eval[string](n.browser, `document.querySelector(".codes code").textContent`)
	n.press("main a.button")
	n.at("/profile")
}

// signInWithCode completes a login on the page of second factors.
func (n *newcomer) signInWithCode() {
	n.t.Helper()
	n.at("/login/second-factor")
	n.look("second factor")
	n.fill("#code", "12")
	n.press("form[action='/login/totp'] button")
	n.until("the fault is shown", `document.readyState === "complete" && document.querySelector("#code[aria-invalid=true]") !== null`)
	n.look("second factor with a fault")
	n.fill("#code", n.code())
	n.press("form[action='/login/totp'] button")
	n.until("somebody is signed in", signedIn)
}

// recover signs in with a recovery code. Removing the app then needs no other proof.
func (n *newcomer) recover() {
	n.t.Helper()
	n.signOut()
	n.fill("#email", n.email)
	n.fill("#password", "ocelots juggle nine marbles")
	n.press("main form button")
	n.at("/login/second-factor")
	n.press("summary")
	n.fill("#recovery_code", n.recovery)
	n.look("recovery code")
	n.press("form[action='/login/recovery'] button")
	n.until("somebody is signed in", signedIn)
	n.visit("/totp")
	n.look("authenticator app set up")
	n.press("form[action='/totp/delete'] button")
	n.until("the app is gone", `document.readyState === "complete" && document.querySelector("form[action='/totp/enrolment']") !== null`)
}

// TestDemoUserHasAFactor signs in as the demo user, whose code a page shows, after the example was started again.
func TestDemoUserHasAFactor(t *testing.T) {
	chromium(t)
	database := filepath.Join(t.TempDir(), "example.db")
	startExample(t, "-db", database)
	base := startExample(t, "-db", database)
	b := open(t, base, modes[0])
	b.visit("/login")
	b.sees("tess@example.com", password)
	b.fill("#email", "tess@example.com")
	b.fill("#password", password)
	b.press("main form button")
	b.at("/login/second-factor")
	b.look("second factor of the demo")
	b.visit("/_code")
	b.look("code of the demo")
	code := eval[string](b, `document.querySelector("#code").textContent`)
	b.visit("/login/second-factor")
	b.fill("#code", code)
	b.press("form[action='/login/totp'] button")
	b.until("somebody is signed in", signedIn)
}

// TestEveryLanguage looks at pages in all languages of the catalogue.
func TestEveryLanguage(t *testing.T) {
	chromium(t)
	base := startExample(t)
	for _, language := range []string{"en", "de", "fr", "es", "ja", "ar"} {
		t.Run(language, func(t *testing.T) {
			b := open(t, base, mode{name: "language " + language, language: language, script: true, phone: true})
			for _, path := range []string{"/login", "/register", "/forgot-password", "/nowhere"} {
				b.visit(path)
				b.look(path)
			}
			b.visit("/login")
			b.fill("#email", "alice@example.com")
			b.fill("#password", password)
			b.press("main form button")
			b.until("somebody is signed in", signedIn)
			for _, path := range []string{"/profile", "/password", "/devices", "/tokens", "/totp", "/recovery-codes", "/login/second-factor",
				"/passkeys", "/passkeys/new", "/login/enrol-factor"} {
				b.visit(path)
				b.look(path)
				if got := eval[string](b, `document.documentElement.lang`); got != language {
					t.Errorf("%s is in %q", path, got)
				}
			}
			b.visit("/totp")
			b.press("form[action='/totp/enrolment'] button")
			b.until("the QR code is shown", `document.readyState === "complete" && document.querySelector("svg.qr") !== null`)
			b.look("set up")
		})
	}
}
