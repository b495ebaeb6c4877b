package routes_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
)

func (a *app) devices(c *client) map[string][]ginauth.Device {
	a.Helper()
	var body struct{ Devices []ginauth.Device }
	c.get("/devices").want(a, 200).json(a, &body)
	kinds := map[string][]ginauth.Device{}
	for _, d := range body.Devices {
		kinds[d.Kind] = append(kinds[d.Kind], d)
	}
	return kinds
}

// S16: a user lists their own devices and ends one of them at once.
func TestRevokedDeviceEndsAtOnce(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		b.NotInCookies(t, "no store lists them")
		a := newApp(t, b, setup{})
		c, second, remembered, other := a.loggedIn(alice), a.loggedIn(alice), a.client(), a.loggedIn(bob)
		remembered.header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		remembered.post("/login", fields{"email": alice, "password": pass, "remember": true}).want(t, 200)
		tokens := tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
		a.personalToken(c, fields{"name": "script"})

		kinds := a.devices(c)
		for kind, n := range map[string]int{"session": 3, "remember": 1, "refresh": 1, "personal": 1} {
			if len(kinds[kind]) != n {
				t.Errorf("%d devices of kind %s, want %d", len(kinds[kind]), kind, n)
			}
		}
		if r := c.get("/devices"); containsAny(r.body, c.cookies[sessionCookie], second.cookies[sessionCookie], tokens.RefreshToken) {
			t.Error("the list contains a secret")
		}
		current, firefox := 0, ginauth.Device{}
		for _, d := range kinds["session"] {
			if d.Current {
				current++
			}
			if strings.Contains(d.Name, "Firefox") {
				firefox = d
			}
		}
		if current != 1 || firefox.ID == "" {
			t.Errorf("%d are current; Firefox is %v", current, firefox)
		}
		other.do("DELETE", "/devices/"+firefox.ID, "", "").want(t, 404)
		c.do("DELETE", "/devices/session-"+strings.Repeat("0", 32), "", "").want(t, 404)
		remembered.get("/me").want(t, 200)
		c.do("DELETE", "/devices/"+firefox.ID, "", "").want(t, 204)
		// The device is logged out at once, and its remember-me cookie does not
		// log it in again.
		remembered.get("/me").want(t, 401)
		c.do("DELETE", "/devices/"+firefox.ID, "", "").want(t, 404)
		c.do("DELETE", "/devices/"+kinds["refresh"][0].ID, "", "").want(t, 204)
		a.bearer(tokens.AccessToken).get("/me").want(t, 401)
		c.get("/me").want(t, 200)
		second.get("/me").want(t, 200)
	})
}

func TestRevokingCurrentDeviceLogsOut(t *testing.T) {
	a := newApp(t, memory(t), setup{})
	c := a.loggedIn(alice)
	for _, d := range a.devices(c)["session"] {
		c.do("DELETE", "/devices/"+d.ID, "", "").want(t, 204)
	}
	if c.cookies[sessionCookie] != "" {
		t.Error("the cookie was not deleted")
	}
	c.get("/me").want(t, 401)
	wantEvents[events.CurrentDeviceLogout](a, 1)
}

func TestLogoutOtherDevices(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		b.NotInCookies(t, "no store lists them")
		a := newApp(t, b, setup{})
		c, other, remembered := a.loggedIn(alice), a.loggedIn(alice), a.client()
		remembered.post("/login", fields{"email": alice, "password": pass, "remember": true}).want(t, 200)
		tokens := tokensOf(t, a.client().post("/token", fields{"email": alice, "password": pass}).want(t, 200))
		c.call("DELETE", "/devices", fields{"password": "wrong"}).wantField(t, "password")
		c.do("DELETE", "/devices", "", "").want(t, 415)
		other.get("/me").want(t, 200)
		old := c.cookies[sessionCookie]
		c.call("DELETE", "/devices", fields{"password": pass}).want(t, 204)
		c.get("/me").want(t, 200)
		a.with(old).get("/me").want(t, 401)
		other.get("/me").want(t, 401)
		remembered.get("/me").want(t, 401)
		a.bearer(tokens.AccessToken).get("/me").want(t, 401)
		if kinds := a.devices(c); len(kinds["session"]) != 1 || len(kinds) != 1 {
			t.Errorf("devices %v", kinds)
		}
		wantEvents[events.OtherDeviceLogout](a, 1)
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
