package totp_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/testapp"
)

type trustForm struct {
	Code  string `json:"code"`
	Trust any    `json:"trust"`
}

// TestTrustEndsWithTheFactor trusts a device, and enrols another secret.
func TestTrustEndsWithTheFactor(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, testapp.Unlimited)
		c := a.LoggedIn(testapp.Alice)
		secret := a.enrol(t, c)
		a.Clock.Advance(time.Minute)
		device := a.Client()
		a.pending(t, device, "/login")
		device.Post("/login/totp", trustForm{a.code(t, secret, 0), "yes"}).Want(t, 422)
		device.Post("/login/totp", trustForm{a.code(t, secret, 0), true}).Want(t, 200)
		again := func() *testapp.Client {
			n := a.Client()
			maps.Copy(n.Cookies, device.Cookies)
			delete(n.Cookies, testapp.SessionCookie)
			return n
		}
		login := testapp.Credentials(testapp.Alice, testapp.Password)
		n := again()
		if text := n.Post("/login", login).Text; strings.Contains(text, "pending") {
			t.Fatalf("the device is not trusted: %s", text)
		}
		n.Get("/me").Want(t, 200)
		n.Post("/totp/delete", nil).Want(t, 403) // one factor removes no other
		a.Clock.Advance(time.Minute)
		n.Post("/totp/confirm", codeForm{Code: a.code(t, secret, 0)}).Want(t, 204)
		n.Post("/totp/delete", nil).Want(t, 204)
		a.Clock.Advance(time.Minute)
		a.enrol(t, n)
		a.pending(t, again(), "/login")
	})
}

// TestEnrolmentProvesTheFactor uses the code that completes the enrolment for a step up.
func TestEnrolmentProvesTheFactor(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.LoggedIn(testapp.Alice)
	a.enrol(t, c)
	c.Post("/totp/delete", nil).Want(t, 204)
	a.Clock.Advance(15 * time.Minute)
	c.Post("/totp/enrolment", nil).Want(t, 403) // neither the password nor a code is fresh
}
