package passkey_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/features/passkey/passkeytest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
)

// allowed returns the ids of the options of a login.
func allowed(t *testing.T, c ceremony) (ids []string) {
	t.Helper()
	var options struct {
		AllowCredentials []map[string]any
	}
	if err := json.Unmarshal(c.PublicKey, &options); err != nil {
		t.Fatal(err)
	}
	for _, x := range options.AllowCredentials {
		if len(x) != 2 || x["type"] != "public-key" {
			t.Errorf("%v", x)
		}
		ids = append(ids, x["id"].(string))
	}
	return ids
}

// TestOptionsTellNothing begins logins of users who have passkeys, who have none, and whom nobody knows.
func TestOptionsTellNothing(t *testing.T) {
	b := testapp.Memory(t)
	a, d := start(t, b, passkey.Options{Users: b.Users}, testapp.Unlimited), device()
	d.WithoutHandle = true
	register(t, a.LoggedIn(testapp.Alice), d)
	c := a.Client()
	if ids := allowed(t, begin(t, c, loginOptions, nil)); len(ids) != 0 {
		t.Errorf("without an identifier: %v", ids)
	}
	seen := make(map[string]bool)
	tokens := make(map[int]bool)
	for _, who := range []string{testapp.Alice, testapp.Bob, "nobody@example.com"} {
		begun := begin(t, c, loginOptions, body{Identifier: who})
		tokens[len(begun.Ceremony)] = true
		ids := allowed(t, begun)
		if len(ids) != passkey.Max || !slices.IsSorted(decoded(t, ids)) {
			t.Errorf("%s: %v", who, ids)
		}
		again := allowed(t, begin(t, a.Client(), loginOptions, body{Identifier: " " + strings.ToUpper(who)}))
		if !slices.Equal(ids, again) {
			t.Errorf("%s: other ids at the second time", who)
		}
		for _, id := range ids {
			if seen[id] {
				t.Errorf("%s: %s was seen before", who, id)
			}
			seen[id] = true
		}
	}
	if len(tokens) != 1 {
		t.Errorf("sizes of ceremonies: %v", tokens)
	}
	c.Post(loginOptions, body{Identifier: "a b"}).WantField(t, "identifier")

	// The id of a passkey, as a client finds it among decoys, gets what the id of a decoy gets.
	var bodies []string
	for _, who := range []string{testapp.Alice, "nobody@example.com"} {
		begun := begin(t, c, loginOptions, body{Identifier: who})
		for _, id := range allowed(t, begun) {
			signed, err := d.Sign(forged(t, id), challengeOf(t, begun))
			if err != nil {
				t.Fatal(err)
			}
			r := c.Post(login, body{Ceremony: begun.Ceremony, Credential: signed, Identifier: who}).Want(t, 401)
			bodies = append(bodies, r.Text)
		}
	}
	slices.Sort(bodies)
	if bodies = slices.Compact(bodies); len(bodies) != 1 || strings.Contains(bodies[0], "signals") {
		t.Errorf("answers %v", bodies)
	}

	begun := begin(t, c, loginOptions, body{Identifier: testapp.Alice})
	signed, err := d.Get(begun.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	c.Post(login, body{Ceremony: begun.Ceremony, Credential: signed}).Want(t, 401) // of whom?
	c.Post(login, body{Ceremony: begun.Ceremony, Credential: signed, Identifier: testapp.Bob}).Want(t, 401)
	c.Post(login, body{Ceremony: begun.Ceremony, Credential: signed, Identifier: testapp.Alice}).Want(t, 200)
}

// forged returns a passkey with the id of another one.
func forged(t *testing.T, id string) *passkeytest.Key {
	t.Helper()
	d := device()
	if _, err := d.Create([]byte(`{"rp":{"id":"app.example"},"pubKeyCredParams":[{"alg":-7}]}`)); err != nil {
		t.Fatal(err)
	}
	key := d.Keys()[0]
	key.ID = unbase64(t, id)
	return key
}

func unbase64(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// decoded returns ids as the bytes that they are sorted by.
func decoded(t *testing.T, ids []string) (list []string) {
	t.Helper()
	for _, id := range ids {
		list = append(list, string(unbase64(t, id)))
	}
	return list
}

// TestDecoysOutliveProcessAndKeys starts another process of the application, and one with other keys.
func TestDecoysOutliveProcessAndKeys(t *testing.T) {
	b := testapp.Memory(t)
	o := passkey.Options{Users: b.Users}
	a := start(t, b, o)
	ids := func(a *app) []string {
		return allowed(t, begin(t, a.Client(), loginOptions, body{Identifier: "nobody@example.com"}))
	}
	first := ids(a)
	next := ginauth.NewKey()
	if !slices.Equal(first, ids(sibling(t, a, o, testapp.Key))) || !slices.Equal(first, ids(sibling(t, a, o, next, testapp.Key))) {
		t.Error("decoys differ between processes")
	}
	if lost := ids(sibling(t, a, o, ginauth.NewKey())); len(lost) != passkey.Max || slices.Equal(first, lost) {
		t.Error("decoys are not made anew without their key")
	}
}

// sibling starts another process of the application, with other keys.
func sibling(t *testing.T, a *app, o passkey.Options, key ginauth.Key, previous ...ginauth.Key) *app {
	t.Helper()
	f := passkey.New(o)
	s := a.Sibling(func(c *ginauth.Config) { c.Key, c.PreviousKeys, c.Features = key, previous, []ginauth.Feature{f} })
	engine := gin.New()
	engine.Use(s.StartSession())
	engine.POST("/login", testapp.Login)
	engine.GET("/me", s.Auth(), testapp.Me)
	f.Mount(engine)
	s.Serve(engine)
	return &app{s, f}
}

// TestStoredIsNoSecret looks at what is stored, which opens nothing.
func TestStoredIsNoSecret(t *testing.T) {
	b := testapp.Memory(t)
	a, d := start(t, b, passkey.Options{}), device()
	c := a.LoggedIn(testapp.Alice)
	in := registration(t, c, d)
	c.Post("/passkeys", in).Want(t, 201)
	owner := "users:" + a.Alice.AuthID()
	found, err := b.Set.Factors.FactorsOf(t.Context(), owner)
	if err != nil || len(found) != 2 {
		t.Fatal(found, err)
	}
	for _, f := range found {
		for _, personal := range []string{testapp.Alice, "Alice", a.Alice.SecurityStamp} {
			if strings.Contains(string(f.Data), personal) {
				t.Errorf("%s has %q: %s", f.Kind, personal, f.Data)
			}
		}
		if len(f.Data) > stores.MaxFactorData/2 {
			t.Errorf("%s has %d bytes", f.Kind, len(f.Data))
		}
	}
	if text := a.Logs.String(); strings.Contains(text, in.Ceremony) {
		t.Error("the ceremony is in the log")
	}
	if handle := d.Keys()[0].User; len(handle) != 64 {
		t.Errorf("handle of %d bytes", len(handle))
	}
}

// TestNamesOfPasskeys names passkeys by their kind.
func TestNamesOfPasskeys(t *testing.T) {
	a := start(t, testapp.Memory(t), passkey.Options{})
	c, d := a.LoggedIn(testapp.Alice), device()
	register(t, c, d)
	for i, synced := range []bool{false, true} {
		more := device()
		more.BackupEligible = synced
		in := registration(t, a.confirmed(t, c, d), more)
		if i == 1 {
			in.Name = "  Café phone "
		}
		c.Post("/passkeys", in).Want(t, 201)
	}
	var list struct{ Passkeys []passkey.Passkey }
	c.Get("/passkeys").Want(t, 200).JSON(t, &list)
	var names []string
	for _, p := range list.Passkeys {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	if got := fmt.Sprint(names); got != "[Café phone Security key Security key 2]" {
		t.Error(got)
	}
}
