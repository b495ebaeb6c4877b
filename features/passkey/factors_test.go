package passkey_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/features/recovery"
	"github.com/ginauth/ginauth/internal/testapp"
)

// TestPasskeyBesideOtherFactors logs in a user who has recovery codes as well.
func TestPasskeyBesideOtherFactors(t *testing.T) {
	codes, keys := recovery.New(recovery.Options{}), passkey.New(passkey.Options{})
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Features = []ginauth.Feature{codes, keys}
	}), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		codes.Mount(r)
		keys.Mount(r)
		r.GET("/strong", a.Auth("web", "api"), a.RequireLevel(factor.LevelTwo, 10*time.Minute), testapp.Me)
	}))
	c, d := a.LoggedIn(testapp.Alice), device()
	c.Get("/strong").Want(t, 403)
	register(t, c, d)
	var made struct{ Codes []string }
	c.Post("/recovery-codes", nil).Want(t, 200).JSON(t, &made)
	c.Get("/strong").Want(t, 200) // the passkey was proved as it was registered
	a.Clock.Advance(10 * time.Minute)
	c.Get("/strong").Want(t, 403)
	c.Post("/passkeys/confirm", assertion(t, c, d, "/passkeys/confirm/options", nil)).Want(t, 200)
	c.Get("/strong").Want(t, 200)

	n := a.Client()
	var got struct{ Pending *ginauth.PendingLogin }
	n.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 200).JSON(t, &got)
	if got.Pending == nil || !slices.Equal(got.Pending.Factors, []string{"passkey", "recovery"}) {
		t.Fatalf("pending %+v", got.Pending)
	}
	n.Post("/login/recovery", map[string]string{"code": made.Codes[0]}).Want(t, 200)
	n.Get("/strong").Want(t, 200)

	n = a.Client() // the passkey alone, also for Basic and a remembered device
	n.Post(login, assertion(t, n, d, loginOptions, nil)).Want(t, 200)
	n.Get("/strong").Want(t, 200)
	testapp.WantEvents[events.LoginPending](a, 1)
	a.Clock.Advance(10 * time.Minute)
	n.Get("/strong").Want(t, 403)
	pair := a.Client().Post("/token/passkey", assertion(t, a.Client(), d, loginOptions, nil)).Want(t, 200).Tokens(t)
	bearer := a.Bearer(pair.AccessToken)
	bearer.Get("/strong").Want(t, 200)
	a.Clock.Advance(10 * time.Minute)
	bearer = a.Bearer(a.Refresh(pair.RefreshToken).Want(t, 200).Tokens(t).AccessToken)
	bearer.Get("/strong").Want(t, 403)
	bearer.Post("/passkeys/confirm", assertion(t, bearer, d, "/passkeys/confirm/options", nil)).Want(t, 204)
	bearer.Get("/strong").Want(t, 200)
}

// TestRememberedPasskeyLogin remembers a device that a passkey logged in.
func TestRememberedPasskeyLogin(t *testing.T) {
	a, d := start(t, testapp.Memory(t), passkey.Options{}), device()
	register(t, a.LoggedIn(testapp.Alice), d)
	c := a.Client()
	in := assertion(t, c, d, loginOptions, nil)
	in.Remember = true
	c.Post(login, in).Want(t, 200)
	if c.Remember() == "" {
		t.Fatal("the device is not remembered")
	}
	a.WithRemember(c.Remember()).Get("/me").Want(t, 403) // it skips the first proof, not the second
}

// TestTouchAlone lets a passkey without user verification be a second factor, and no login.
func TestTouchAlone(t *testing.T) {
	a, d := start(t, testapp.Memory(t), passkey.Options{UserVerification: passkey.Discouraged}), device()
	d.NotVerified = true
	register(t, a.LoggedIn(testapp.Alice), d)
	c := a.Client()
	c.Post(login, assertion(t, c, d, loginOptions, nil)).Want(t, 401)
	pending(t, c, "/login")
	c.Post(second, assertion(t, c, d, secondOptions, nil)).Want(t, 200)
	c.Get("/me").Want(t, 200)
	if e := testapp.WantEvents[passkey.Used](a.App, 1)[0]; e.Verified {
		t.Errorf("%+v", e)
	}
}

// TestGuessesAreCounted refuses a pending login after 5 wrong answers.
func TestGuessesAreCounted(t *testing.T) {
	a, d := start(t, testapp.Memory(t), passkey.Options{}), device()
	register(t, a.LoggedIn(testapp.Alice), d)
	c := a.Client()
	pending(t, c, "/login")
	for range 5 {
		in := assertion(t, c, d, secondOptions, nil)
		in.Credential = changed(t, in.Credential, "signature", flip)
		c.Post(second, in).Want(t, 401)
	}
	c.Post(secondOptions, nil).Want(t, 429)
	c.Post(second, assertion(t, a.Client(), d, loginOptions, nil)).Want(t, 429)
}

// TestScript serves the script, which has nothing inline.
func TestScript(t *testing.T) {
	a := start(t, testapp.Memory(t), passkey.Options{})
	r := a.Client().Get("/passkeys.js").Want(t, 200)
	if r.Text != string(passkey.Script()) || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/javascript") ||
		r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", r.Header)
	}
	for _, unsafe := range []string{"innerHTML", "eval(", "document.write", "http:", "https:"} {
		if strings.Contains(r.Text, unsafe) {
			t.Errorf("the script has %s", unsafe)
		}
	}
	for id, name := range passkey.ModelsForTest() {
		if len(id) != 32 || name == "" {
			t.Errorf("model %q %q", id, name)
		}
	}
}

// TestUsesAreBounded uses challenges, also by machines whose clocks differ.
func TestUsesAreBounded(t *testing.T) {
	var u passkey.UsesForTest
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for n := range byte(40) {
		at := start.Add(time.Duration(n) * time.Second)
		if !u.TakeForTest(n, at, at) || u.TakeForTest(n, at, at) {
			t.Fatalf("challenge %d", n)
		}
	}
	if u.SizeForTest() != 16 {
		t.Errorf("%d challenges are kept", u.SizeForTest())
	}
	for n := range byte(40) { // also those that are not kept
		if u.TakeForTest(n, start.Add(time.Duration(n)*time.Second), start.Add(time.Minute)) {
			t.Errorf("challenge %d was used again", n)
		}
	}
	later := start.Add(10 * time.Minute)
	if !u.TakeForTest(100, later, later) || u.SizeForTest() != 1 {
		t.Errorf("%d challenges are kept later", u.SizeForTest())
	}
	if u.TakeForTest(39, start.Add(39*time.Second), start.Add(time.Minute)) {
		t.Error("a machine whose clock is behind accepts a challenge again")
	}
}

// FuzzAnswer parses what clients send.
func FuzzAnswer(f *testing.F) {
	d := device()
	made, err := d.Create([]byte(`{"challenge":"AAAA","rp":{"id":"app.example"},"user":{"id":"AAAA"},"pubKeyCredParams":[{"alg":-7}]}`))
	if err != nil {
		f.Fatal(err)
	}
	signed, err := d.Get([]byte(`{"challenge":"AAAA","rpId":"app.example"}`))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(made), string(signed), `{}`, `null`, `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		assertion, attestation := passkey.ParseForTest(json.RawMessage(raw))
		if (assertion || attestation) && (!json.Valid(raw) || len(raw) > 32<<10) {
			t.Errorf("accepted %q", raw)
		}
	})
}
