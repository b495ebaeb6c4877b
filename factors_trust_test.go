package ginauth_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
)

// trustCookie is the cookie of a trusted device.
func trustCookie(c *testapp.Client) (name, value string) {
	for name, value := range c.Cookies {
		if strings.Contains(name, "trusted_web") {
			return name, value
		}
	}
	return "", ""
}

// trusting returns a client without a session whose device Alice trusts.
func (a *factorApp) trusting(t *testing.T) *testapp.Client {
	t.Helper()
	c := a.Client()
	wantPending(t, c.Post("/web/Attempt", nil))
	c.Post("/answer?trust=1", answerForm{"", "code", rightCode}).Want(t, 200)
	name, _ := trustCookie(c)
	if name == "" {
		t.Fatal("the device has no cookie")
	}
	return a.only(c)
}

// only returns a client with the cookie of a trusted device and no other.
func (a *factorApp) only(c *testapp.Client) *testapp.Client {
	name, value := trustCookie(c)
	other := a.Client()
	other.Cookies[name] = value
	return other
}

// TestTrustedDeviceSkipsTheSecondFactor logs in again from a browser, and proves one factor.
func TestTrustedDeviceSkipsTheSecondFactor(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newFactorApp(t, b, testapp.Unlimited)
		c := a.trusting(t)
		c.Get("/me").Want(t, 401) // it opens nothing
		for _, door := range []string{"/web/Attempt", "/web/AttemptWhen", "/web/Login", "/web/LoginUsingID"} {
			c := a.only(c)
			c.Post(door, nil).Want(t, 200)
			c.Get("/me").Want(t, 200)
			wantStepUp(t, c.Get("/level/two"), "2")
		}
		for _, door := range []string{"/web/Once", "/web/Validate", "/web/Basic", "/web/BasicGuard"} {
			a.through(a.only(c), door).Want(t, 403)
		}
		wantPending(t, a.Client().Post("/web/Attempt", nil))
		wantPending(t, a.only(c).Post("/api/Attempt", nil)) // another guard
		a.Clock.Advance(30*24*time.Hour - time.Minute)
		a.only(c).Post("/web/Attempt", nil).Want(t, 200)
		a.Clock.Advance(time.Minute)
		wantPending(t, a.only(c).Post("/web/Attempt", nil))
		testapp.WantEvents[events.DeviceTrusted](a.App, 1)
	})
}

// TestTrustEnds changes what a trusted device is bound to.
func TestTrustEnds(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *factorApp, *testapp.Client){
		"with the password": func(t *testing.T, _ *factorApp, c *testapp.Client) {
			c.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 204)
			c.Post("/password", testapp.Passwords(testapp.NewPassword, testapp.Password)).Want(t, 204)
		},
		"with other devices": func(t *testing.T, _ *factorApp, c *testapp.Client) {
			c.Post("/logout-others", testapp.Passwords("", testapp.Password)).Want(t, 204)
		},
		"with all logins": func(t *testing.T, a *factorApp, _ *testapp.Client) {
			if err := a.RevokeUser(context.Background(), "web", a.Alice.AuthID()); err != nil {
				t.Error(err)
			}
		},
		"by the list of devices": func(t *testing.T, _ *factorApp, c *testapp.Client) {
			d := c.Device(string(stores.Trusted))
			if d.Current || d.ID == "" {
				t.Errorf("device %+v", d)
			}
			c.Call("DELETE", "/devices/"+d.ID, nil).Want(t, 204)
		},
		"with a changed cookie": func(_ *testing.T, _ *factorApp, c *testapp.Client) {
			name, value := trustCookie(c)
			c.Cookies[name] = value[:len(value)-1] + string(value[len(value)-1]^1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newFactorApp(t, testapp.Memory(t))
			c := a.trusting(t)
			c.Post("/web/Attempt", nil).Want(t, 200)
			change(t, a, c)
			wantPending(t, a.only(c).Post("/web/Attempt", nil))
		})
	}
}

// TestTrustIsOfOneUser logs in as somebody else from a trusted device.
func TestTrustIsOfOneUser(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t))
	c := a.trusting(t)
	wantPending(t, c.Post("/login", testapp.Credentials(testapp.Bob, testapp.Password)))
}

// TestRememberedAndTrustedDevice skips both factors, and a remembered one only the password.
func TestRememberedAndTrustedDevice(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t))
	c := a.Client()
	wantPending(t, c.Post("/web/Attempt?remember=1", nil))
	c.Post("/answer?trust=1", answerForm{"", "code", rightCode}).Want(t, 200)
	a.Clock.Advance(25 * time.Hour)
	bare := a.Client()
	maps.Copy(bare.Cookies, c.Cookies)
	name, _ := trustCookie(bare)
	delete(bare.Cookies, name)
	bare.Get("/me").Want(t, 403)
	c.Get("/me").Want(t, 200)
	wantStepUp(t, c.Get("/level/one"), "1")
}

// TestTrustOfTokens does the same for clients without cookies.
func TestTrustOfTokens(t *testing.T) {
	a := newFactorApp(t, testapp.Memory(t), testapp.Unlimited)
	answer := func(query string) string {
		token := wantPending(t, a.Client().Post("/api/Attempt", nil))
		r := a.Client().Post("/answer"+query, answerForm{token, "code", rightCode}).Want(t, 200)
		var got struct {
			Trust string `json:"trust_token"`
		}
		r.JSON(t, &got)
		if len(r.Header.Values("Set-Cookie")) > 0 {
			t.Error("a client without cookies gets one")
		}
		return got.Trust
	}
	if answer("") != "" {
		t.Error("a device is trusted that did not ask for it")
	}
	trust := answer("?trust=1")
	login := func(door, token string) *testapp.Response {
		c := a.Client()
		c.Header.Set("X-Trust", token)
		return c.Post(door, nil)
	}
	pair := login("/api/Attempt", trust).Want(t, 200).Tokens(t)
	c := a.Bearer(pair.AccessToken)
	c.Get("/api/me").Want(t, 200)
	wantStepUp(t, c.Get("/level/two"), "2")
	for _, token := range []string{"", "x", trust + "x", pair.RefreshToken, pair.AccessToken, strings.Replace(trust, "gtd_", "gpl_", 1)} {
		wantPending(t, login("/api/Attempt", token))
	}
	wantPending(t, login("/web/Attempt", trust))
	a.Bearer(trust).Get("/api/me").Want(t, 401)
	a.Refresh(trust).Want(t, 401)
	a.factor.owned.Store(false)
	login("/api/Attempt", trust).Want(t, 200)
}

// TestTrustCanBeSwitchedOff asks for it where nobody may trust a device.
func TestTrustCanBeSwitchedOff(t *testing.T) {
	on := newFactorApp(t, testapp.Memory(t))
	c := on.trusting(t)
	a := newFactorApp(t, testapp.Memory(t), func(c *ginauth.Config) { c.Factors.TrustLifetime = -1 })
	off := a.Client()
	wantPending(t, off.Post("/web/Attempt", nil))
	off.Post("/answer?trust=1", answerForm{"", "code", rightCode}).Want(t, 200)
	if name, _ := trustCookie(off); name != "" {
		t.Error("the device is trusted")
	}
	wantPending(t, a.only(c).Post("/web/Attempt", nil))
}

// TestTrustFailsClosed breaks the store while a trusted device logs in, and while a device becomes one.
func TestTrustFailsClosed(t *testing.T) {
	b, faults := testapp.Memory(t).Faulty()
	a := newFactorApp(t, b)
	c := a.trusting(t)
	faults.Set(testapp.Refuse, testapp.FindToken)
	broken := a.only(c)
	broken.Post("/web/Attempt", nil).Want(t, 503)
	faults.Clear()
	broken.Get("/me").Want(t, 401)
	c = a.Client()
	wantPending(t, c.Post("/web/Attempt", nil))
	faults.Set(testapp.Refuse, testapp.CreateToken)
	c.Post("/answer?trust=1", answerForm{"", "code", rightCode}).Want(t, 503)
	faults.Clear()
	c.Get("/me").Want(t, 401)
	if name, _ := trustCookie(c); name != "" {
		t.Error("the device is trusted")
	}
}
