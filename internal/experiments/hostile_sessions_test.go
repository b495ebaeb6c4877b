package experiments_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/seal"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/cookiestore"
)

func TestPlantedSessionIDIsNotAdopted(t *testing.T) { // S01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		deleted := a.LoggedIn(testapp.Alice)
		old := deleted.Session()
		deleted.Post("/logout", nil).Want(t, 204)
		anonymous := a.Client()
		anonymous.Post("/set?k=cart&v=1", nil).Want(t, 204)
		for name, planted := range map[string]string{
			"never issued": base64.RawURLEncoding.EncodeToString(make([]byte, 48)),
			"deleted":      old,
			"anonymous":    anonymous.Session(),
		} {
			t.Run(name, func(t *testing.T) {
				c := a.Client().With(planted)
				c.Get("/").Want(t, 200)
				c.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
				if c.Session() == planted {
					t.Fatal("the login kept the planted id")
				}
				a.Client().With(planted).Get("/me").Want401(t)
				if got := c.Get("/me").Want(t, 200).UserName(t); got != "Alice" {
					t.Fatalf("user %q", got)
				}
			})
		}
	})
}

func TestTwoCookiesOfOneNameLogNobodyIn(t *testing.T) { // S15
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice, bob := a.LoggedIn(testapp.Alice).Session(), a.LoggedIn(testapp.Bob).Session()
		for _, order := range [][2]string{{alice, bob}, {bob, alice}} {
			c := a.Client()
			c.Header.Set("Cookie", testapp.SessionCookie+"="+order[0]+"; "+testapp.SessionCookie+"="+order[1])
			c.Get("/me").Want401(t)
		}
		c := a.Client()
		c.Header["Cookie"] = []string{testapp.SessionCookie + "=" + alice, testapp.SessionCookie + "=" + bob}
		c.Get("/me").Want401(t)
		c.Header["Cookie"] = []string{testapp.SessionCookie + "=" + alice + ";" + testapp.SessionCookie + "=" + alice}
		c.Get("/me").Want(t, 200)
	})
}

func TestTamperedCookiesLogNobodyIn(t *testing.T) { // C04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice, bob := a.LoggedIn(testapp.Alice).Session(), a.LoggedIn(testapp.Bob).Session()
		want := a.Client().With("A" + alice[1:]).Get("/me")
		if alice[0] == 'A' {
			want = a.Client().With("B" + alice[1:]).Get("/me")
		}
		want.Want401(t)
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		var tampered []string
		for i := range alice {
			at := strings.IndexByte(alphabet, alice[i])
			tampered = append(tampered, alice[:i]+string(alphabet[(at+1)%64])+alice[i+1:], alice[:i]+string(alphabet[at^32])+alice[i+1:])
		}
		tampered = append(tampered, alice[:len(alice)-1], alice+"A", alice+"=", alice+"==", alice[:32]+bob[32:], bob[:32]+alice[32:],
			strings.NewReplacer("-", "+", "_", "/").Replace(alice)+"x", "", "x", strings.Repeat("A", 64), strings.Repeat("A", 4096))
		for _, value := range tampered {
			c := a.Client()
			c.Cookies[testapp.SessionCookie] = value
			res := c.Get("/me")
			res.Want401(t)
			delete(res.Header, "Set-Cookie") // a value that is no id is deleted
			w := *want
			delete(w.Header, "Set-Cookie")
			testapp.Same(t, &w, res, fmt.Sprintf("%.70q", value))
		}
	})
}

func TestOddCookieHeadersLogNobodyIn(t *testing.T) { // C08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice := a.LoggedIn(testapp.Alice).Session()
		for _, header := range []string{
			"=", ";;;", strings.Repeat("a", 64<<10), strings.Repeat("a=b; ", 5000), testapp.SessionCookie + "=%zz",
			testapp.SessionCookie + `="` + alice + `"`, "\u2000" + testapp.SessionCookie + "=" + alice, testapp.SessionCookie, testapp.SessionCookie + "==" + alice,
			strings.ToLower(testapp.SessionCookie) + "=" + alice, "x" + testapp.SessionCookie + "=" + alice, "ginauth=" + alice,
			testapp.SessionCookie + " =" + alice, testapp.SessionCookie + "=" + alice + "\u00a0",
		} {
			c := a.Client()
			c.Header.Set("Cookie", header)
			res, err := c.Try(context.Background(), "GET", "/me", "", "")
			if err != nil {
				t.Errorf("%.40q: %v", header, err)
			} else if res.StatusCode != 401 && res.StatusCode != 431 && res.StatusCode != 400 {
				t.Errorf("%.40q: status %d", header, res.StatusCode)
			}
		}
		c := a.Client()
		c.Header.Set("Cookie", strings.Repeat("a=b; ", 2900)+testapp.SessionCookie+"="+alice)
		c.Get("/me").Want(t, 200)
	})
}

func TestCorruptedSessionsLogNobodyIn(t *testing.T) { // S13
	payloads := map[string][]byte{
		"random bytes": []byte("\xff\x00\x17random"), "truncated": {1, 5, 'a'}, "10 MB": make([]byte, 10<<20),
		"wrong type":   withLogin([]byte(`{"id":{"a":1}}`)).Encoded(),
		"login of 1":   withLogin(loginRecord("1")).Encoded(),
		"empty":        {},
		"user in json": stores.NewValues(map[string][]byte{"user": []byte("s1")}).Encoded(),
	}
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NeedsAtRest(t)
		a := testapp.New(t, b)
		for name, payload := range payloads {
			t.Run(name, func(t *testing.T) {
				c := a.LoggedIn(testapp.Bob)
				b.Overwrite(t, payload)
				answersNobody(t, c)
				if _, err := b.Set.Sessions.Delete(context.Background(), testapp.RowOf(t, c)); err != nil {
					t.Fatal(err)
				}
				c.Get("/me").Want401(t)
			})
		}
	})
}

// answersNobody asserts that a session that cannot be right is nobody's, or an
// outage.
func answersNobody(t *testing.T, c *testapp.Client) {
	t.Helper()
	res := c.Get("/me")
	if (res.StatusCode != 401 && res.StatusCode != 503) || strings.Contains(res.Text, "Alice") {
		t.Fatalf("status %d: %s", res.StatusCode, res.Text)
	}
	if res := c.Post("/set?k=a&v=b", nil); res.StatusCode == 500 {
		t.Errorf("a change of it: status 500, %s", res.Text)
	}
}

// TestLoginsOfImpossibleUsersLogNobodyIn gives Bob's session a login that he never made:
// all of his own but the user's id, or no login at all.
func TestLoginsOfImpossibleUsersLogNobodyIn(t *testing.T) { // S14
	ids := map[string]string{
		"empty": "", "zero": "0", "Alice's": "1", "condition": "1=1", "or": "1 OR 1=1", "quoted": "1' OR '1'='1",
		"percent": "%", "long": strings.Repeat("1", 3000), "null": "null", "spaces": " 1 ", "sign": "+1", "hexadecimal": "0x1",
	}
	records := map[string][]byte{
		"no record": {}, "JSON": []byte(`{"id":"1"}`), "a map": []byte(`{"id":{"a":1}}`), "old and unbound": loginRecord("1"),
	}
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "there is no row to change, and a changed cookie does not open")
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Bob)
		row, found, err := b.Set.Sessions.Load(context.Background(), testapp.RowOf(t, c))
		own, ok := strings.CutSuffix(row.Principals, a.Bob.AuthID())
		if !found || err != nil || !ok {
			t.Fatalf("Bob's login is %q, error %v", row.Principals, err)
		}
		logins := maps.Clone(records)
		for name, id := range ids {
			logins[name] = principalsOf(own[:len("\x02\x03web")], own[len("\x02\x03web\x00"):]+id)
		}
		for name, login := range logins {
			t.Run(name, func(t *testing.T) {
				c := a.LoggedIn(testapp.Bob)
				row, _, err := b.Set.Sessions.Load(context.Background(), testapp.RowOf(t, c))
				if err != nil {
					t.Fatal(err)
				}
				delta := stores.Delta{
					Generation: row.Generation,
					Principals: &stores.Principals{Data: string(login), Owners: row.Owners, Generation: row.Generation},
					Rename:     &stores.Rename{Old: row.Digest, New: row.Digest},
				}
				if outcome, err := b.Set.Sessions.Update(context.Background(), row.Row, delta); outcome != stores.Updated || err != nil {
					t.Fatalf("%v, error %v", outcome, err)
				}
				answersNobody(t, c)
			})
		}
	})
}

// principalsOf encodes one login as a session holds it: what comes before the record's length,
// and the record.
func principalsOf(before, record string) []byte {
	return append(binary.AppendUvarint([]byte(before), uint64(len(record))), record...)
}

// loginKey is where sessions of former versions kept the login of the guard "web".
const loginKey = "_ginauth.login.web"

// withLogin returns the values of a session with a login as former versions kept it.
func withLogin(record []byte) stores.Values {
	return stores.NewValues(map[string][]byte{loginKey: record})
}

// loginRecord encodes a login as a session holds it, with a fingerprint of
// nothing.
func loginRecord(id string) []byte {
	return append(append([]byte{1}, make([]byte, 40)...), id...)
}

// sealedSession seals a session as the application under test does.
func sealedSession(t *testing.T, name string, key ginauth.Key, purpose string, s stores.Session) string {
	t.Helper()
	raw, err := keys.Parse(string(key))
	if err != nil {
		t.Fatal(err)
	}
	text, err := cookiestore.New().Seal(seal.New(keys.NewRing(raw).Derive(purpose)), name, s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestForgedCookieSessionsLogNobodyIn(t *testing.T) { // S13, S14, S19
	a := testapp.New(t, testapp.Cookie(t))
	now := a.Clock.Now()
	session := func(login []byte) stores.Session {
		s := stores.Session{
			Row: strings.Repeat("ab", 16), Created: now, LastSeen: now, Expires: now.Add(time.Hour),
			Values: stores.NewValues(map[string][]byte{loginKey: login, "k": []byte("sv")}),
		}
		if login != nil {
			s.Principals = string(principalsOf("\x02\x03web", string(login)))
		}
		return s
	}
	c := a.Client().With(sealedSession(t, testapp.SessionCookie, testapp.Key, "session cookie", session(nil)))
	if c.Get("/all").Text == "{}" {
		t.Fatal("this test does not seal as the manager does")
	}
	for name, login := range map[string][]byte{
		"json": []byte(`{"id":{"a":1}}`), "no id": loginRecord(""), "0": loginRecord("0"), "1=1": loginRecord("1=1"),
		"or": loginRecord("1 OR 1=1"), "other fingerprint": loginRecord("1"), "nothing": nil,
	} {
		res := a.Client().With(sealedSession(t, testapp.SessionCookie, testapp.Key, "session cookie", session(login))).Get("/me")
		if (res.StatusCode != 401 && res.StatusCode != 503) || strings.Contains(res.Text, "Alice") {
			t.Errorf("%s: status %d: %s", name, res.StatusCode, res.Text)
		}
	}
	for name, text := range map[string]string{
		"other cookie":  sealedSession(t, "__Host-other", testapp.Key, "session cookie", session(nil)),
		"other purpose": sealedSession(t, testapp.SessionCookie, testapp.Key, "known device", session(nil)),
		"other key":     sealedSession(t, testapp.SessionCookie, ginauth.NewKey(), "session cookie", session(nil)),
	} {
		res := a.Client().With(text).Get("/all")
		if res.Text != "{}" || len(res.Header["Set-Cookie"]) > 0 {
			t.Errorf("%s: %s %v", name, res.Text, res.Header)
		}
	}
	alice := a.LoggedIn(testapp.Alice)
	swapped := a.Client().With(alice.Cookies[testapp.DeviceCookie])
	swapped.Cookies[testapp.DeviceCookie] = alice.Session()
	swapped.Get("/me").Want401(t)
	swapped.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
}

func TestBadRememberCookiesEndNothing(t *testing.T) { // M08, C04, S19, J10
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b)
		alice, bob := a.Remembered(testapp.Alice).Cookies[testapp.RememberCookie], a.Remembered(testapp.Bob).Cookies[testapp.RememberCookie]
		tokens := a.IssueTokens(testapp.Alice)
		personal := a.LoggedIn(testapp.Alice).Personal("*")
		raw := func(text string) []byte {
			data, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, "grm_"))
			return data
		}
		mix := func(parts ...[]byte) string {
			var all []byte
			for _, p := range parts {
				all = append(all, p...)
			}
			return "grm_" + base64.RawURLEncoding.EncodeToString(all)
		}
		av, bv := raw(alice), raw(bob)
		bad := map[string]string{
			"Bob's series, Alice's secret":           mix(bv[:32], av[32:]),
			"Bob's family alone":                     mix(bv[:16], av[16:]),
			"Bob's token alone":                      mix(av[:16], bv[16:32], av[32:]),
			"no secret":                              mix(av[:32]),
			"a secret of one byte":                   mix(av[:32], av[32:33]),
			"a secret of 10000 bytes":                mix(av[:32], make([]byte, 10000)),
			"no prefix":                              alice[4:],
			"a refresh token":                        tokens.RefreshToken,
			"a refresh token under the prefix":       "grm_" + strings.TrimPrefix(tokens.RefreshToken, "grt_"),
			"an access token":                        tokens.AccessToken,
			"a personal token":                       personal.Text,
			"Alice's with padding":                   alice + "=",
			"nobody's":                               mix(make([]byte, 64)),
			"the user's id":                          a.Alice.AuthID(),
			"an injection":                           "grm_' OR 1=1 --",
			"one more character":                     alice + "A",
			"the cookie's own name before the value": testapp.RememberCookie + alice,
		}
		step := 1
		if testing.Short() || b.Name != "memory" {
			step = 9
		}
		for i := 4; i < len(alice); i += step {
			flipped := []byte(alice)
			flipped[i] = map[bool]byte{true: 'B', false: 'A'}[flipped[i] == 'A']
			bad["flipped at "+string(rune('0'+i))] = string(flipped)
		}
		var first *testapp.Response
		for name, value := range bad {
			before := f.Count(testapp.FindToken)
			res := a.WithRemember(value).Get("/me")
			res.Want401(t)
			if line := res.SetCookie(t, testapp.RememberCookie); !strings.Contains(line, "Max-Age=0") || !strings.Contains(line, "; Secure") {
				t.Errorf("%s: %q", name, line)
			}
			if reads := f.Count(testapp.FindToken) - before; reads > 1 {
				t.Errorf("%s: %d reads", name, reads)
			}
			if first == nil {
				first = res
			}
			testapp.Same(t, first, res, name)
		}
		// None of it has ended anything.
		if n := len(testapp.EventsOf[events.TokenReused](a)); n != 0 {
			t.Errorf("%d events of theft", n)
		}
		a.WithRemember(alice).Get("/me").Want(t, 200)
		if name := a.WithRemember(bob).Get("/me").Want(t, 200).UserName(t); name != "Bob" {
			t.Errorf("Bob's cookie is %q's", name)
		}
	})
}
