package routes_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
)

func devicesOf(a *testapp.App, c *testapp.Client) map[string][]ginauth.Device {
	a.Helper()
	var body struct{ Devices []ginauth.Device }
	c.Get("/devices").Want(a, 200).JSON(a, &body)
	kinds := map[string][]ginauth.Device{}
	for _, d := range body.Devices {
		kinds[d.Kind] = append(kinds[d.Kind], d)
	}
	return kinds
}

// S16: a user lists their own devices and ends one of them at once.
func TestRevokedDeviceEndsAtOnce(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "no store lists them")
		a := newApp(t, b, setup{})
		c, second, remembered, other := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Alice), a.Client(), a.LoggedIn(testapp.Bob)
		remembered.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		remembered.Post("/login", fields{"email": testapp.Alice, "password": testapp.Password, "remember": true}).Want(t, 200)
		tokens := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200).Tokens(t)
		c.CreateToken(fields{"name": "script"})

		kinds := devicesOf(a, c)
		for kind, n := range map[string]int{"session": 2, "remember": 1, "refresh": 1, "personal": 1} {
			if len(kinds[kind]) != n {
				t.Errorf("%d devices of kind %s, want %d", len(kinds[kind]), kind, n)
			}
		}
		if r := c.Get("/devices"); containsAny(r.Text, c.Cookies[testapp.SessionCookie], second.Cookies[testapp.SessionCookie], tokens.RefreshToken) {
			t.Error("the list contains a secret")
		}
		current, firefox := 0, kinds["remember"][0]
		for _, d := range kinds["session"] {
			if d.Current {
				current++
			}
		}
		if current != 1 || firefox.Current || !strings.Contains(firefox.Name, "Firefox") {
			t.Errorf("%d are current; Firefox is %v", current, firefox)
		}
		other.Do("DELETE", "/devices/"+firefox.ID, "", "").Want(t, 404)
		c.Do("DELETE", "/devices/session-"+strings.Repeat("0", 32), "", "").Want(t, 404)
		remembered.Get("/me").Want(t, 200)
		c.Do("DELETE", "/devices/"+firefox.ID, "", "").Want(t, 204)
		// The device is logged out at once, and its remember-me cookie does not
		// log it in again.
		remembered.Get("/me").Want(t, 401)
		c.Do("DELETE", "/devices/"+firefox.ID, "", "").Want(t, 404)
		c.Do("DELETE", "/devices/"+kinds["refresh"][0].ID, "", "").Want(t, 204)
		a.Bearer(tokens.AccessToken).Get("/me").Want(t, 401)
		c.Get("/me").Want(t, 200)
		second.Get("/me").Want(t, 200)
	})
}

func TestRevokingCurrentDeviceLogsOut(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	c := a.LoggedIn(testapp.Alice)
	for _, d := range devicesOf(a, c)["session"] {
		c.Do("DELETE", "/devices/"+d.ID, "", "").Want(t, 204)
	}
	if c.Cookies[testapp.SessionCookie] != "" {
		t.Error("the cookie was not deleted")
	}
	c.Get("/me").Want(t, 401)
	testapp.WantEvents[events.CurrentDeviceLogout](a, 1)
}

func TestLogoutOtherDevicesEndsThem(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "no store lists them")
		a := newApp(t, b, setup{})
		c, other, remembered := a.LoggedIn(testapp.Alice), a.LoggedIn(testapp.Alice), a.Client()
		remembered.Post("/login", fields{"email": testapp.Alice, "password": testapp.Password, "remember": true}).Want(t, 200)
		tokens := a.Client().Post("/token", fields{"email": testapp.Alice, "password": testapp.Password}).Want(t, 200).Tokens(t)
		c.Call("DELETE", "/devices", fields{"password": "wrong"}).WantField(t, "password")
		c.Do("DELETE", "/devices", "", "").Want(t, 415)
		other.Get("/me").Want(t, 200)
		old := c.Cookies[testapp.SessionCookie]
		c.Call("DELETE", "/devices", fields{"password": testapp.Password}).Want(t, 204)
		c.Get("/me").Want(t, 200)
		a.WantReplaced(old, "/me")
		other.Get("/me").Want(t, 401)
		remembered.Get("/me").Want(t, 401)
		a.Bearer(tokens.AccessToken).Get("/me").Want(t, 401)
		if kinds := devicesOf(a, c); len(kinds["session"]) != 1 || len(kinds) != 1 {
			t.Errorf("devices %v", kinds)
		}
		testapp.WantEvents[events.OtherDeviceLogout](a, 1)
	})
}

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if part != "" && strings.Contains(text, part) {
			return true
		}
	}
	return false
}
