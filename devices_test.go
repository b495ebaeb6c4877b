package ginauth_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// fleet is one user's devices, one of each kind and a second session.
type fleet struct {
	here, there *client // sessions
	back        *client // has the session that a remember-me cookie began
	tokens      pair
	personal    madeToken
}

func (a *app) fleet(email string) fleet {
	a.Helper()
	f := fleet{here: a.client().as(firefox), there: a.client()}
	f.here.login(email, goodPass).want(a.T, 200)
	a.clock.advance(time.Minute)
	f.there.as("curl/8.5.0").post("/remember", loginForm{email, goodPass}).want(a.T, 204)
	a.clock.advance(time.Minute)
	f.back = f.there.only(rememberCookie).as(firefox)
	f.back.get("/me").want(a.T, 200)
	a.clock.advance(time.Minute)
	f.tokens = a.client().as("Fleet/2.0 (Android 14)").post("/api/login", loginForm{email, goodPass}).pair(a.T)
	a.clock.advance(time.Minute)
	f.personal = a.makeToken(f.here, ginauth.TokenSpec{Name: "Build server", Abilities: []string{"*"}})
	return f
}

// ownSession returns the client's session among its user's devices.
func (c *client) ownSession() ginauth.Device {
	c.a.Helper()
	devices := c.devices()
	i := slices.IndexFunc(devices, func(d ginauth.Device) bool { return d.Current && d.Kind == "session" })
	if i < 0 {
		c.a.Fatalf("no session is current: %+v", devices)
	}
	return devices[i]
}

func TestDevices(t *testing.T) { // S16
	eachBackend(t, func(t *testing.T, b *backend) {
		b.notInCookies(t, "no store lists them")
		a, _ := accounts(t, b)
		alice, bob := a.fleet(aliceEmail), a.fleet(bobEmail)
		// One device all the same.
		refreshed := a.client().as("Fleet/2.1 (Android 14)").post("/api/refresh", map[string]string{"refresh_token": alice.tokens.Refresh}).pair(t)
		a.clock.advance(time.Second)
		alice.here.get("/me").want(t, 200) // touches the session
		type shown struct{ kind, name string }
		list := func(c *client) (devices []ginauth.Device, got []shown) {
			for _, d := range c.devices() {
				devices, got = append(devices, d), append(got, shown{d.Kind, d.Name})
			}
			return devices, got
		}
		devices, got := list(alice.here)
		want := []shown{
			{"session", "Firefox on Linux"}, {"refresh", "Fleet on Android"}, {"personal", "Build server"},
			{"session", "Firefox on Linux"}, {"remember", "Firefox on Linux"}, {"session", "curl"},
		}
		byKind := func(a, b shown) int { return strings.Compare(a.kind+a.name, b.kind+b.name) }
		if !slices.Equal(slices.SortedFunc(slices.Values(got), byKind), slices.SortedFunc(slices.Values(want), byKind)) {
			t.Errorf("devices %v, want %v", got, want)
		}
		if !slices.IsSortedFunc(devices, func(a, b ginauth.Device) int { return b.LastSeen.Compare(a.LastSeen) }) {
			t.Errorf("not the most recently seen first: %+v", devices)
		}
		if first := devices[0]; first.Kind != "session" || !first.Current || !first.LastSeen.Equal(a.clock.Now()) || !first.Created.Before(first.LastSeen) {
			t.Errorf("this device comes as %+v", first)
		}
		for _, d := range devices {
			if d.ID == "" || d.Created.IsZero() || d.LastSeen.Before(d.Created) || d.Kind != "personal" && d.Address != "127.0.0.1" {
				t.Errorf("device %+v", d)
			}
		}
		for name, c := range map[string]struct {
			c    *client
			kind string
		}{
			"session": {alice.here, "session"}, "access token": {a.bearing(refreshed.Access), "refresh"},
			"personal token": {a.bearing(alice.personal.Token), "personal"},
		} {
			for _, d := range c.c.devices() {
				if d.Current != (d.Kind == c.kind && (name != "session" || d.ID == devices[0].ID)) {
					t.Errorf("by %s: %+v", name, d)
				}
			}
		}
		if n := len(bob.here.devices()); n != 6 {
			t.Errorf("Bob has %d devices", n)
		}
	})
}

func TestRememberedDeviceIsCurrent(t *testing.T) {
	a, _ := accounts(t, memoryBackend(t))
	f := a.fleet(aliceEmail)
	current := map[string]int{}
	for _, d := range f.back.devices() {
		if d.Current {
			current[d.Kind]++
		}
	}
	if current["session"] != 1 || current["remember"] != 1 || len(current) != 2 {
		t.Errorf("current: %v", current)
	}
}

func TestDevicesTellNoSecret(t *testing.T) { // S16
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		f := a.fleet(aliceEmail)
		body := f.here.get("/devices").want(t, 200).body
		var secrets []string
		for _, text := range []string{f.here.session(), f.there.session(), f.back.session()} {
			raw, _ := base64.RawURLEncoding.DecodeString(text)
			secrets = append(secrets, text, text[24:], hex.EncodeToString(raw[16:]), stores.DigestOf(raw[16:]).String())
		}
		for _, text := range []string{f.back.cookies[rememberCookie], f.tokens.Refresh} {
			raw, _ := base64.RawURLEncoding.DecodeString(text[4:])
			secrets = append(secrets, text[4:], hex.EncodeToString(raw[32:]), stores.DigestOf(raw[32:]).String())
		}
		secrets = append(secrets, f.tokens.Access, f.personal.Token, f.personal.Token[20:40], a.alice.SecurityStamp, a.alice.Password)
		for i, secret := range secrets {
			if secret == "" || strings.Contains(body, secret) {
				t.Errorf("the list tells secret %d, %q", i, secret)
			}
		}
		for _, d := range f.here.devices() {
			_, name, _ := strings.Cut(d.ID, "-")
			for _, id := range []string{d.ID, name} {
				a.client().with(id).get("/me").is401(t)
				a.withRemember(id).get("/me").is401(t)
				a.withRemember("grm_" + id).get("/me").is401(t)
				a.bearing(id).get("/any/me").is401(t)
			}
		}
	})
}

func TestRevokeDevice(t *testing.T) { // S16, M07
	alive := func(a *app, f fleet) map[string]bool {
		ok := func(c *client, path string) bool { return c.get(path).StatusCode == 200 }
		return map[string]bool{
			"here": ok(f.here.only(sessionCookie), "/me"), "there": ok(f.there.only(sessionCookie), "/me"),
			"back":   ok(f.back.only(sessionCookie), "/me"),
			"access": ok(a.bearing(f.tokens.Access), "/api/me"), "personal": ok(a.bearing(f.personal.Token), "/token/me"),
		}
	}
	// What ends with each: there and back are of one series.
	for device, ends := range map[string][]string{
		"here": {"here"}, "there": {"there", "back"}, "back": {"back"}, "remember": {"back"},
		"refresh": {"access"}, "personal": {"personal"},
	} {
		t.Run(device, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b *backend) {
				b.notInCookies(t, "no store lists them")
				a, _ := accounts(t, b)
				f := a.fleet(aliceEmail)
				var id string
				switch c := map[string]*client{"here": f.here, "there": f.there, "back": f.back}[device]; {
				case c != nil:
					id = c.ownSession().ID
				default:
					id = f.here.device(device).ID
				}
				remember, refresh := f.back.cookies[rememberCookie], f.tokens.Refresh
				f.here.do("DELETE", "/devices/"+id, "", "").want(t, 204)
				for name, lives := range alive(a, f) {
					if lives == slices.Contains(ends, name) {
						t.Errorf("%s lives: %v", name, lives)
					}
				}
				// Nothing begins another login in its place.
				if slices.Contains(ends, "back") {
					a.withRemember(remember).get("/me").is401(t)
				}
				if device == "refresh" {
					a.refresh(refresh).want(t, 401)
				}
				if device != "here" {
					if slices.ContainsFunc(f.here.devices(), func(d ginauth.Device) bool { return d.ID == id }) {
						t.Error("it is still listed")
					}
					f.here.do("DELETE", "/devices/"+id, "", "").want(t, 404)
				}
				current, revoked := eventsOf[events.CurrentDeviceLogout](a), eventsOf[events.TokenRevoked](a)
				if device == "here" {
					if len(current) != 1 || current[0].UserID != a.alice.AuthID() || len(revoked) != 0 {
						t.Errorf("events %+v, %+v", current, revoked)
					}
				} else if kind, _, _ := strings.Cut(id, "-"); len(current) != 0 || len(revoked) != 1 ||
					revoked[0].UserID != a.alice.AuthID() || revoked[0].Kind != kind || !strings.HasSuffix(id, revoked[0].TokenID) {
					t.Errorf("events %+v, %+v", current, revoked)
				}
			})
		})
	}
}

func TestRevokeDeviceOfAnother(t *testing.T) { // S16
	eachBackend(t, func(t *testing.T, b *backend) {
		b.notInCookies(t, "no store lists them")
		a, _ := accounts(t, b)
		alice, bob := a.fleet(aliceEmail), a.fleet(bobEmail)
		nothing := bob.here.do("DELETE", "/devices/session-"+strings.Repeat("0", 32), "", "").want(t, 404)
		ids := []string{"x", "session-", "-", "session", "remember-x", "%00", strings.Repeat("a", 5000)}
		for _, d := range alice.here.devices() {
			ids = append(ids, d.ID, strings.Replace(d.ID, d.Kind, "session", 1), strings.Replace(d.ID, d.Kind, "refresh", 1))
		}
		for _, id := range ids {
			if own := slices.ContainsFunc(bob.here.devices(), func(d ginauth.Device) bool { return d.ID == id }); own {
				t.Fatalf("%s is Bob's", id)
			}
			same(t, id, nothing, bob.here.do("DELETE", "/devices/"+id, "", "").want(t, 404))
		}
		if n := len(alice.here.devices()); n != 6 {
			t.Errorf("%d devices are left", n)
		}
		alice.there.get("/me").want(t, 200)
		// A program may not end what a person uses; nobody may end anything.
		id := alice.here.device("remember").ID
		a.bearing(alice.personal.Token).do("DELETE", "/devices/"+id, "", "").want(t, 403)
		a.client().do("DELETE", "/devices/"+id, "", "").is401(t)
		a.client().get("/devices").is401(t)
		a.bearing(alice.tokens.Access).do("DELETE", "/devices/"+id, "", "").want(t, 204)
		alice.back.only(sessionCookie).get("/me").is401(t)
	})
}

func TestWhatIsNoDevice(t *testing.T) {
	for name, end := range map[string]func(a *app, f fleet){
		"logged out": func(a *app, f fleet) {
			f.there.post("/logout", nil).want(a.T, 204)
			a.bearing(f.tokens.Access).post("/api/logout", nil).want(a.T, 204)
			f.here.do("DELETE", "/tokens/"+f.personal.ID, "", "").want(a.T, 204)
			f.back.post("/logout", nil).want(a.T, 204)
		},
		"expired": func(a *app, f fleet) {
			for range 366 * 24 {
				a.clock.advance(time.Hour)
			}
			f.here.login(aliceEmail, goodPass).want(a.T, 200)
		},
		"other stamp": func(a *app, f fleet) {
			f.here.do("DELETE", "/tokens/"+f.personal.ID, "", "").want(a.T, 204)
			a.newStamp(a.alice)
			f.here.login(aliceEmail, goodPass).want(a.T, 200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b *backend) {
				b.notInCookies(t, "no store lists them")
				a, _ := accounts(t, b)
				f := a.fleet(aliceEmail)
				end(a, f)
				devices := f.here.devices()
				if len(devices) != 1 || !devices[0].Current {
					t.Errorf("devices %+v", devices)
				}
			})
		})
	}
}

func TestDevicesOfTwoGuards(t *testing.T) {
	a := guards(t)
	c := a.client()
	c.post("/in/web", nil).want(t, 204)
	c.post("/in/staff", nil).want(t, 204)
	if err := a.m.RevokeUser(t.Context(), "web", "1"); err != nil {
		t.Fatal(err)
	}
	c.get("/in/web").is401(t)
	c.get("/in/staff").want(t, 200)
	mustPanic(t, `no guard is named "typo"`, func() { _ = a.m.RevokeUser(t.Context(), "typo", "1") })
}

func TestDeviceOutage(t *testing.T) { // F01
	eachBackend(t, func(t *testing.T, b *backend) {
		b.notInCookies(t, "no store lists them")
		b, onTokens := b.faultyTokens()
		onSessions := newFaults()
		b.set.Sessions = indexFaults{faultySessions{b.set.Sessions, onSessions}, b.set.Sessions.(stores.SessionIndex)}
		a, _ := accounts(t, b, func(c *ginauth.Config) { c.StoreTimeout = 200 * time.Millisecond })
		f := a.fleet(aliceEmail)
		id := f.here.device("remember").ID
		other := a.loggedIn(aliceEmail)
		session, plain := f.there.ownSession().ID, other.ownSession().ID
		for _, mode := range outages(b) {
			for _, row := range []struct {
				f            *faults
				op           string
				method, path string
			}{
				{onTokens, "tokens of", "GET", "/devices"}, {onSessions, "index", "GET", "/devices"},
				{onTokens, "tokens of", "DELETE", "/devices/" + id}, {onTokens, "revoke family", "DELETE", "/devices/" + id},
				{onTokens, "revoke family", "DELETE", "/devices/" + session}, {onSessions, "delete", "DELETE", "/devices/" + plain},
			} {
				row.f.set(row.op, mode)
				if res := f.here.do(row.method, row.path, "", ""); res.StatusCode != 503 {
					t.Errorf("%s, mode %d: %s %s: status %d", row.op, mode, row.method, row.path, res.StatusCode)
				}
				row.f.set("", faultNone)
			}
		}
		if n := len(eventsOf[events.TokenRevoked](a)); n != 0 {
			t.Errorf("%d events of what did not happen", n)
		}
		other.get("/me").want(t, 200)
		f.there.only(sessionCookie).get("/me").want(t, 200)
		f.back.only(sessionCookie).get("/me").want(t, 200)
	})
}

// indexFaults is a store of sessions that knows whose they are, with faults.
type indexFaults struct {
	faultySessions
	stores.SessionIndex
}

func (s indexFaults) SessionsOf(ctx context.Context, owner string) ([]stores.Session, error) {
	if err := s.f.meet(ctx, "index"); err != nil {
		return nil, err
	}
	return s.SessionIndex.SessionsOf(ctx, owner)
}

func (s indexFaults) DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (int, error) {
	if err := s.f.meet(ctx, "index"); err != nil {
		return 0, err
	}
	return s.SessionIndex.DeleteSessionsOf(ctx, owner, exceptRow)
}

// A store that does not know whose sessions are lists none of them, and what is
// to end ends by the stamp.
func TestDevicesWithoutAnIndex(t *testing.T) {
	b := memoryBackend(t)
	b.set.Sessions = struct{ stores.Sessions }{b.set.Sessions}
	a, _ := accounts(t, b)
	f := a.fleet(aliceEmail)
	for _, d := range f.here.devices() {
		if d.Kind == "session" {
			t.Errorf("listed: %+v", d)
		}
	}
	f.here.post("/logout-others", passwordForm{Password: goodPass}).want(t, 204)
	f.there.only(sessionCookie).get("/me").is401(t)
	f.here.get("/me").want(t, 200)
}

func TestLogoutOtherDevices(t *testing.T) { // M07
	eachBackend(t, func(t *testing.T, b *backend) {
		b.notInCookies(t, "no store lists them")
		a, _ := accounts(t, b)
		f, bob := a.fleet(aliceEmail), a.fleet(bobEmail)
		f.here.post("/logout-others", passwordForm{Password: "wrong"}).want(t, 422)
		f.here.post("/logout-others", passwordForm{}).want(t, 422)
		a.bearing(f.personal.Token).post("/logout-others", passwordForm{Password: goodPass}).want(t, 403)
		a.client().post("/logout-others", passwordForm{Password: goodPass}).is401(t)
		if n := len(f.here.devices()); n != 6 {
			t.Errorf("%d devices are left of 6", n)
		}
		f.here.post("/logout-others", passwordForm{Password: goodPass}).want(t, 204)
		var kinds []string
		for _, d := range f.here.devices() {
			kinds = append(kinds, d.Kind)
		}
		if slices.Sort(kinds); !slices.Equal(kinds, []string{"personal", "session"}) {
			t.Errorf("devices %v", kinds)
		}
		if n := len(bob.here.devices()); n != 6 {
			t.Errorf("Bob has %d devices", n)
		}
		out := eventsOf[events.OtherDeviceLogout](a)
		if len(out) != 1 || out[0].UserID != a.alice.AuthID() || out[0].Guard != "web" {
			t.Errorf("events %+v", out)
		}
	})
}

func TestLogoutOtherDevicesByToken(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		f := a.fleet(aliceEmail)
		next := a.bearing(f.tokens.Access).post("/logout-others", passwordForm{Password: goodPass}).pair(t)
		a.bearing(f.tokens.Access).get("/api/me").isBadToken(t)
		a.refresh(f.tokens.Refresh).want(t, 401)
		f.here.get("/me").is401(t)
		a.bearing(next.Access).get("/api/me").want(t, 200)
		a.refresh(next.Refresh).pair(t)
	})
}

func TestRevokeUser(t *testing.T) { // S17
	eachBackend(t, func(t *testing.T, b *backend) {
		b.notInCookies(t, "no store lists them")
		a, _ := accounts(t, b)
		f, bob := a.fleet(aliceEmail), a.fleet(bobEmail)
		if err := a.m.RevokeUser(t.Context(), "web", a.alice.AuthID()); err != nil {
			t.Fatal(err)
		}
		f.here.get("/me").is401(t)
		f.back.get("/me").is401(t)
		a.bearing(f.tokens.Access).get("/api/me").isBadToken(t)
		a.bearing(f.personal.Token).get("/token/me").isBadToken(t)
		f.here.login(aliceEmail, goodPass).want(t, 200)
		if devices := f.here.devices(); len(devices) != 1 {
			t.Errorf("devices %+v", devices)
		}
		if n := len(bob.here.devices()); n != 6 {
			t.Errorf("Bob has %d devices", n)
		}
		if err := a.m.RevokeUser(t.Context(), "web", "4711"); err != nil {
			t.Errorf("nobody: %v", err)
		}
		if err := a.m.RevokeUser(t.Context(), "web", ""); ginauth.StatusOf(err) != 422 {
			t.Errorf("no id: %v", err)
		}
	})
}

func TestRevokeUserOutage(t *testing.T) {
	b, f := memoryBackend(t).faultyTokens()
	onSessions := newFaults()
	b.set.Sessions = indexFaults{faultySessions{b.set.Sessions, onSessions}, b.set.Sessions.(stores.SessionIndex)}
	a, _ := accounts(t, b)
	c := a.loggedIn(aliceEmail)
	f.set("revoke owner", faultRefuse)
	if err := a.m.RevokeUser(t.Context(), "web", a.alice.AuthID()); !errors.Is(err, ginauth.ErrUnavailable) {
		t.Errorf("tokens cannot be revoked: %v", err)
	}
	c.get("/me").is401(t) // what could be ended is
	f.set("", faultNone)
	onSessions.set("index", faultRefuse) // they end with the stamp
	if err := a.m.RevokeUser(t.Context(), "web", a.alice.AuthID()); err != nil {
		t.Errorf("sessions cannot be deleted: %v", err)
	}
	c.get("/me").is401(t)
}

// stampless users cannot have all they were issued ended at once.
type stampless struct{ models.UserProvider }

func TestRevokeUserUnsupported(t *testing.T) {
	a, _ := accounts(t, memoryBackend(t), func(c *ginauth.Config) { c.Users = stampless{c.Users} })
	if err := a.m.RevokeUser(t.Context(), "web", "1"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	c := a.loggedIn(aliceEmail)
	c.post("/logout-others", passwordForm{Password: goodPass}).want(t, 500)
	c.post("/password", passwordForm{goodPass, nextPass}).want(t, 500)
	c.get("/me").want(t, 200)
}
