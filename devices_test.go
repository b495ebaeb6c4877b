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
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// fleet is one user's devices, one of each kind.
type fleet struct {
	here     *testapp.Client // a session
	there    *testapp.Client // the session that a remembered browser had before it was closed
	back     *testapp.Client // the same browser, opened again
	tokens   ginauth.TokenPair
	personal ginauth.PersonalToken
}

func newFleet(a *testapp.App, email string) fleet {
	a.Helper()
	f := fleet{here: a.Client().As(testapp.Firefox), there: a.Client()}
	f.here.LogIn(email, testapp.Password).Want(a, 200)
	a.Clock.Advance(time.Minute)
	f.there.As("curl/8.5.0").Post("/remember", testapp.Credentials(email, testapp.Password)).Want(a, 204)
	a.Clock.Advance(time.Minute)
	f.back = f.there.Only(testapp.RememberCookie).As(testapp.Firefox)
	f.back.Get("/me").Want(a, 200)
	a.Clock.Advance(time.Minute)
	f.tokens = a.Client().As("Fleet/2.0 (Android 14)").Post("/api/login", testapp.Credentials(email, testapp.Password)).Tokens(a)
	a.Clock.Advance(time.Minute)
	f.personal = f.here.CreateToken(ginauth.TokenSpec{Name: "Build server", Abilities: []string{"*"}})
	return f
}

func TestDevicesListsWhateverIsLoggedIn(t *testing.T) { // S16
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "no store lists them")
		a := testapp.New(t, b)
		alice, bob := newFleet(a, testapp.Alice), newFleet(a, testapp.Bob)
		// One device all the same.
		refreshed := a.Client().As("Fleet/2.1 (Android 14)").Post("/api/refresh", testapp.RefreshBody(alice.tokens.RefreshToken)).Tokens(t)
		a.Clock.Advance(time.Second)
		alice.here.Get("/me").Want(t, 200) // touches the session
		type shown struct{ kind, name string }
		list := func(c *testapp.Client) (devices []ginauth.Device, got []shown) {
			for _, d := range c.Devices() {
				devices, got = append(devices, d), append(got, shown{d.Kind, d.Name})
			}
			return devices, got
		}
		devices, got := list(alice.here)
		want := []shown{
			{"session", "Firefox on Linux"}, {"refresh", "Fleet on Android"}, {"personal", "Build server"},
			{"remember", "Firefox on Linux"},
		}
		byKind := func(a, b shown) int { return strings.Compare(a.kind+a.name, b.kind+b.name) }
		if !slices.Equal(slices.SortedFunc(slices.Values(got), byKind), slices.SortedFunc(slices.Values(want), byKind)) {
			t.Errorf("devices %v, want %v", got, want)
		}
		if !slices.IsSortedFunc(devices, func(a, b ginauth.Device) int { return b.LastSeen.Compare(a.LastSeen) }) {
			t.Errorf("not the most recently seen first: %+v", devices)
		}
		if first := devices[0]; first.Kind != "session" || !first.Current || !first.LastSeen.Equal(a.Clock.Now()) || !first.Created.Before(first.LastSeen) {
			t.Errorf("this device comes as %+v", first)
		}
		for _, d := range devices {
			if d.ID == "" || d.Created.IsZero() || d.LastSeen.Before(d.Created) || d.Kind != "personal" && d.Address != "127.0.0.1" {
				t.Errorf("device %+v", d)
			}
		}
		for name, c := range map[string]struct {
			c    *testapp.Client
			kind string
		}{
			"session": {alice.here, "session"}, "access token": {a.Bearer(refreshed.AccessToken), "refresh"},
			"personal token": {a.Bearer(alice.personal.Text), "personal"},
		} {
			for _, d := range c.c.Devices() {
				if d.Current != (d.Kind == c.kind && (name != "session" || d.ID == devices[0].ID)) {
					t.Errorf("by %s: %+v", name, d)
				}
			}
		}
		if n := len(bob.here.Devices()); n != 4 {
			t.Errorf("Bob has %d devices", n)
		}
	})
}

func TestRememberedDeviceIsCurrent(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	f := newFleet(a, testapp.Alice)
	current := map[string]int{}
	for _, d := range f.back.Devices() {
		if d.Current {
			current[d.Kind]++
		}
	}
	if current["remember"] != 1 || len(current) != 1 {
		t.Errorf("current: %v", current)
	}
}

func TestDevicesTellNoSecret(t *testing.T) { // S16
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		f := newFleet(a, testapp.Alice)
		body := f.here.Get("/devices").Want(t, 200).Text
		var secrets []string
		for _, text := range []string{f.here.Session(), f.there.Session(), f.back.Session()} {
			raw, _ := base64.RawURLEncoding.DecodeString(text)
			secrets = append(secrets, text, text[24:], hex.EncodeToString(raw[16:]), stores.DigestOf(raw[16:]).String())
		}
		for _, text := range []string{f.back.Cookies[testapp.RememberCookie], f.tokens.RefreshToken} {
			raw, _ := base64.RawURLEncoding.DecodeString(text[4:])
			secrets = append(secrets, text[4:], hex.EncodeToString(raw[32:]), stores.DigestOf(raw[32:]).String())
		}
		secrets = append(secrets, f.tokens.AccessToken, f.personal.Text, f.personal.Text[20:40], a.Alice.SecurityStamp, a.Alice.Password)
		for i, secret := range secrets {
			if secret == "" || strings.Contains(body, secret) {
				t.Errorf("the list tells secret %d, %q", i, secret)
			}
		}
		for _, d := range f.here.Devices() {
			_, name, _ := strings.Cut(d.ID, "-")
			for _, id := range []string{d.ID, name} {
				a.Client().With(id).Get("/me").Want401(t)
				a.WithRemember(id).Get("/me").Want401(t)
				a.WithRemember("grm_" + id).Get("/me").Want401(t)
				a.Bearer(id).Get("/any/me").Want401(t)
			}
		}
	})
}

func TestRevokeDeviceEndsIt(t *testing.T) { // S16, M07
	// What ends with each. The device that revokes is "here", but for "back", which revokes itself.
	for device, ends := range map[string]string{
		"here": "here", "back": "back", "remember": "back", "refresh": "access", "personal": "personal",
	} {
		t.Run(device, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				b.NotInCookies(t, "no store lists them")
				a := testapp.New(t, b)
				f := newFleet(a, testapp.Alice)
				by := f.here
				if device == "back" {
					by = f.back
				}
				revoked := deviceOf(by, device)
				remember := f.back.Cookies[testapp.RememberCookie]
				by.Do("DELETE", "/devices/"+revoked.ID, "", "").Want(t, 204)
				for name, lives := range f.alive(a) {
					if lives == (name == ends) {
						t.Errorf("%s lives: %v", name, lives)
					}
				}
				// Nothing begins another login in its place.
				if ends == "back" {
					a.WithRemember(remember).Get("/me").Want401(t)
				}
				if device == "refresh" {
					a.Refresh(f.tokens.RefreshToken).Want(t, 401)
				}
				wantRevoked(a, f, by, revoked)
			})
		})
	}
}

// deviceOf returns the current device for "here" and "back", or that of a kind.
func deviceOf(by *testapp.Client, device string) ginauth.Device {
	if device != "here" && device != "back" {
		return by.Device(device)
	}
	devices := by.Devices()
	return devices[slices.IndexFunc(devices, func(d ginauth.Device) bool { return d.Current })]
}

// alive returns which of the devices are logged in.
func (f fleet) alive(a *testapp.App) map[string]bool {
	ok := func(c *testapp.Client, path string) bool { return c.Get(path).StatusCode == 200 }
	return map[string]bool{
		"here": ok(f.here.Only(testapp.SessionCookie), "/me"), "back": ok(f.back.Only(testapp.SessionCookie), "/me"),
		"access": ok(a.Bearer(f.tokens.AccessToken), "/api/me"), "personal": ok(a.Bearer(f.personal.Text), "/token/me"),
	}
}

// wantRevoked fails the test unless a device is not listed and its end was told.
func wantRevoked(a *testapp.App, f fleet, by *testapp.Client, d ginauth.Device) {
	a.Helper()
	current, revoked := testapp.EventsOf[events.CurrentDeviceLogout](a), testapp.EventsOf[events.TokenRevoked](a)
	if d.Current {
		if len(current) != 1 || current[0].UserID != a.Alice.AuthID() || len(revoked) != 0 {
			a.Errorf("events %+v, %+v", current, revoked)
		}
		by.Get("/me").Want401(a)
		if by.Cookies[testapp.SessionCookie] != "" || by.Cookies[testapp.RememberCookie] != "" {
			a.Error("the cookies were not deleted")
		}
		return
	}
	if len(current) != 0 || len(revoked) != 1 || revoked[0].UserID != a.Alice.AuthID() || revoked[0].Kind != d.Kind ||
		!strings.HasSuffix(d.ID, revoked[0].TokenID) {
		a.Errorf("events %+v, %+v", current, revoked)
	}
	if slices.ContainsFunc(f.here.Devices(), func(other ginauth.Device) bool { return other.ID == d.ID }) {
		a.Error("it is still listed")
	}
	f.here.Do("DELETE", "/devices/"+d.ID, "", "").Want(a, 404)
}

func TestRevokeDeviceOfAnotherUserIs404(t *testing.T) { // S16
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "no store lists them")
		a := testapp.New(t, b)
		alice, bob := newFleet(a, testapp.Alice), newFleet(a, testapp.Bob)
		nothing := bob.here.Do("DELETE", "/devices/session-"+strings.Repeat("0", 32), "", "").Want(t, 404)
		ids := []string{"x", "session-", "-", "session", "remember-x", "%00", strings.Repeat("a", 5000)}
		for _, d := range alice.here.Devices() {
			ids = append(ids, d.ID, strings.Replace(d.ID, d.Kind, "session", 1), strings.Replace(d.ID, d.Kind, "refresh", 1))
		}
		for _, id := range ids {
			if own := slices.ContainsFunc(bob.here.Devices(), func(d ginauth.Device) bool { return d.ID == id }); own {
				t.Fatalf("%s is Bob's", id)
			}
			testapp.Same(t, nothing, bob.here.Do("DELETE", "/devices/"+id, "", "").Want(t, 404), id)
		}
		if n := len(alice.here.Devices()); n != 4 {
			t.Errorf("%d devices are left", n)
		}
		alice.back.Get("/me").Want(t, 200)
		// A program may not end what a person uses; nobody may end anything.
		id := alice.here.Device("remember").ID
		a.Bearer(alice.personal.Text).Do("DELETE", "/devices/"+id, "", "").Want(t, 403)
		a.Client().Do("DELETE", "/devices/"+id, "", "").Want401(t)
		a.Client().Get("/devices").Want401(t)
		a.Bearer(alice.tokens.AccessToken).Do("DELETE", "/devices/"+id, "", "").Want(t, 204)
		alice.back.Only(testapp.SessionCookie).Get("/me").Want401(t)
	})
}

func TestEndedLoginsAreNotListed(t *testing.T) {
	for name, end := range map[string]func(a *testapp.App, f fleet){
		"logged out": func(a *testapp.App, f fleet) {
			f.there.Post("/logout", nil).Want(a, 204)
			a.Bearer(f.tokens.AccessToken).Post("/api/logout", nil).Want(a, 204)
			f.here.Do("DELETE", "/tokens/"+f.personal.ID, "", "").Want(a, 204)
			f.back.Post("/logout", nil).Want(a, 204)
		},
		"expired": func(a *testapp.App, f fleet) {
			for range 366 * 24 {
				a.Clock.Advance(time.Hour)
			}
			f.here.LogIn(testapp.Alice, testapp.Password).Want(a, 200)
		},
		"other stamp": func(a *testapp.App, f fleet) {
			f.here.Do("DELETE", "/tokens/"+f.personal.ID, "", "").Want(a, 204)
			a.NewStamp(a.Alice)
			f.here.LogIn(testapp.Alice, testapp.Password).Want(a, 200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				b.NotInCookies(t, "no store lists them")
				a := testapp.New(t, b)
				f := newFleet(a, testapp.Alice)
				end(a, f)
				devices := f.here.Devices()
				if len(devices) != 1 || !devices[0].Current {
					t.Errorf("devices %+v", devices)
				}
			})
		})
	}
}

// A store that does not know whose sessions are lists none of them, and what is
// to end ends by the stamp.
func TestDevicesEndWithoutAnIndex(t *testing.T) {
	b := testapp.Memory(t)
	b.Set.Sessions = struct{ stores.Sessions }{b.Set.Sessions}
	a := testapp.New(t, b)
	f := newFleet(a, testapp.Alice)
	for _, d := range f.here.Devices() {
		if d.Kind == "session" {
			t.Errorf("listed: %+v", d)
		}
	}
	f.here.Post("/logout-others", testapp.Passwords("", testapp.Password)).Want(t, 204)
	f.there.Only(testapp.SessionCookie).Get("/me").Want401(t)
	f.here.Get("/me").Want(t, 200)
}

func TestLogoutOtherDevicesEndsThem(t *testing.T) { // M07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "no store lists them")
		a := testapp.New(t, b)
		f, bob := newFleet(a, testapp.Alice), newFleet(a, testapp.Bob)
		f.here.Post("/logout-others", testapp.Passwords("", "wrong")).Want(t, 422)
		f.here.Post("/logout-others", testapp.Passwords("", "")).Want(t, 422)
		a.Bearer(f.personal.Text).Post("/logout-others", testapp.Passwords("", testapp.Password)).Want(t, 403)
		a.Client().Post("/logout-others", testapp.Passwords("", testapp.Password)).Want401(t)
		if n := len(f.here.Devices()); n != 4 {
			t.Errorf("%d devices are left of 4", n)
		}
		f.here.Post("/logout-others", testapp.Passwords("", testapp.Password)).Want(t, 204)
		var kinds []string
		for _, d := range f.here.Devices() {
			kinds = append(kinds, d.Kind)
		}
		if slices.Sort(kinds); !slices.Equal(kinds, []string{"personal", "session"}) {
			t.Errorf("devices %v", kinds)
		}
		if n := len(bob.here.Devices()); n != 4 {
			t.Errorf("Bob has %d devices", n)
		}
		out := testapp.EventsOf[events.OtherDeviceLogout](a)
		if len(out) != 1 || out[0].UserID != a.Alice.AuthID() || out[0].Guard != "web" {
			t.Errorf("events %+v", out)
		}
	})
}

func TestLogoutOtherDevicesByTokenIssuesTokens(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		f := newFleet(a, testapp.Alice)
		next := a.Bearer(f.tokens.AccessToken).Post("/logout-others", testapp.Passwords("", testapp.Password)).Tokens(t)
		a.Bearer(f.tokens.AccessToken).Get("/api/me").WantBadToken(t)
		a.Refresh(f.tokens.RefreshToken).Want(t, 401)
		f.here.Get("/me").Want401(t)
		a.Bearer(next.AccessToken).Get("/api/me").Want(t, 200)
		a.Refresh(next.RefreshToken).Tokens(t)
	})
}

func TestRevokeUserEndsAllLogins(t *testing.T) { // S17
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "no store lists them")
		a := testapp.New(t, b)
		f, bob := newFleet(a, testapp.Alice), newFleet(a, testapp.Bob)
		if err := a.RevokeUser(t.Context(), "web", a.Alice.AuthID()); err != nil {
			t.Fatal(err)
		}
		f.here.Get("/me").Want401(t)
		f.back.Get("/me").Want401(t)
		a.Bearer(f.tokens.AccessToken).Get("/api/me").WantBadToken(t)
		a.Bearer(f.personal.Text).Get("/token/me").WantBadToken(t)
		f.here.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		if devices := f.here.Devices(); len(devices) != 1 {
			t.Errorf("devices %+v", devices)
		}
		if n := len(bob.here.Devices()); n != 4 {
			t.Errorf("Bob has %d devices", n)
		}
		if err := a.RevokeUser(t.Context(), "web", "4711"); err != nil {
			t.Errorf("nobody: %v", err)
		}
		if err := a.RevokeUser(t.Context(), "web", ""); ginauth.StatusOf(err) != 422 {
			t.Errorf("no id: %v", err)
		}
	})
}

// stampless users cannot have all they were issued ended at once.
type stampless struct{ models.UserProvider }

func TestRevokeUserNeedsAStamp(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) { c.Users = stampless{c.Users} }))
	if err := a.RevokeUser(t.Context(), "web", "1"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	c := a.LoggedIn(testapp.Alice)
	c.Post("/logout-others", testapp.Passwords("", testapp.Password)).Want(t, 500)
	c.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(t, 500)
	c.Get("/me").Want(t, 200)
}

// unlistedTokens and unlistedSessions are stores that panic when something is listed.
type (
	unlistedTokens   struct{ stores.Tokens }
	unlistedSessions struct {
		stores.Sessions
		stores.SessionIndex
	}
)

func (unlistedTokens) TokensOf(context.Context, string, int, ...stores.Kind) ([]stores.Token, error) {
	panic("tokens are not listed")
}

func (unlistedSessions) SessionsOf(context.Context, string, int) ([]stores.Session, error) {
	panic("sessions are not listed")
}

// Stores are asked at the same time. What panics there is met by the middleware of the request.
func TestDevicesOfAStoreThatPanics(t *testing.T) {
	for name, spoil := range map[string]func(*stores.Set){
		"tokens":   func(s *stores.Set) { s.Tokens = unlistedTokens{s.Tokens} },
		"sessions": func(s *stores.Set) { s.Sessions = unlistedSessions{s.Sessions, s.Sessions.(stores.SessionIndex)} },
	} {
		t.Run(name, func(t *testing.T) {
			b := testapp.SQLite(t)
			spoil(&b.Set)
			a := testapp.New(t, b)
			c := a.LoggedIn(testapp.Alice)
			c.Get("/devices").Want(t, 500)
			c.Get("/me").Want(t, 200)
		})
	}
}
