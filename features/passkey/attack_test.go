package passkey_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/features/passkey/passkeytest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// changed returns a credential of which a part of the response is changed.
func changed(t *testing.T, credential json.RawMessage, field string, change func([]byte) []byte) json.RawMessage {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(credential, &all); err != nil {
		t.Fatal(err)
	}
	response := all["response"].(map[string]any)
	raw, err := base64.RawURLEncoding.DecodeString(response[field].(string))
	if err != nil {
		t.Fatal(err)
	}
	response[field] = base64.RawURLEncoding.EncodeToString(change(raw))
	made, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func flip(b []byte) []byte { b[len(b)-1] ^= 1; return b }

// TestWrongAnswersLogNobodyIn tries every answer that is not right, as first and as second factor.
func TestWrongAnswersLogNobodyIn(t *testing.T) {
	for name, attack := range map[string]struct {
		before func(d *passkeytest.Device)                            // changes the device
		after  func(t *testing.T, in json.RawMessage) json.RawMessage // changes its answer
	}{
		"another origin":    {before: func(d *passkeytest.Device) { d.Origin, d.RPID = "https://app.example.evil.test", "app.example" }},
		"another scheme":    {before: func(d *passkeytest.Device) { d.Origin = "http://app.example" }},
		"another port":      {before: func(d *passkeytest.Device) { d.Origin = "https://app.example:8443" }},
		"a subdomain":       {before: func(d *passkeytest.Device) { d.Origin = "https://evil.app.example" }},
		"another domain":    {before: func(d *passkeytest.Device) { d.Keys()[0].RPID = "evil.test"; d.RPID = "evil.test" }},
		"not verified":      {before: func(d *passkeytest.Device) { d.NotVerified = true }},
		"not present":       {before: func(d *passkeytest.Device) { d.NotPresent = true }},
		"not to be copied":  {before: func(d *passkeytest.Device) { d.BackupEligible = true }},
		"copied, but not":   {before: func(d *passkeytest.Device) { d.BackedUp = true }},
		"handle of another": {before: func(d *passkeytest.Device) { d.Keys()[0].User = bytes.Repeat([]byte{1}, 64) }},
		"signature":         {after: func(t *testing.T, in json.RawMessage) json.RawMessage { return changed(t, in, "signature", flip) }},
		"counter": {after: func(t *testing.T, in json.RawMessage) json.RawMessage {
			return changed(t, in, "authenticatorData", flip)
		}},
		"challenge": {after: func(t *testing.T, in json.RawMessage) json.RawMessage {
			return changed(t, in, "clientDataJSON", func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"challenge":"`), []byte(`"challenge":"AAAA`), 1)
			})
		}},
		"type": {after: func(t *testing.T, in json.RawMessage) json.RawMessage {
			return changed(t, in, "clientDataJSON", func(b []byte) []byte { return bytes.Replace(b, []byte("webauthn.get"), []byte("webauthn.create"), 1) })
		}},
		"another site's frame": {after: func(t *testing.T, in json.RawMessage) json.RawMessage {
			return changed(t, in, "clientDataJSON", func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"crossOrigin":false`), []byte(`"crossOrigin":true`), 1)
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a, d := start(t, testapp.Memory(t), passkey.Options{}, testapp.Unlimited), device()
			register(t, a.LoggedIn(testapp.Alice), d)
			if attack.before != nil {
				attack.before(d)
			}
			try := func(path string, c *testapp.Client) {
				t.Helper()
				begun := begin(t, c, path+"/options", nil)
				var options struct{ Challenge string }
				if err := json.Unmarshal(begun.PublicKey, &options); err != nil {
					t.Fatal(err)
				}
				challenge, _ := base64.RawURLEncoding.DecodeString(options.Challenge)
				credential, err := d.Sign(d.Keys()[0], challenge)
				if err != nil {
					t.Fatal(err)
				}
				if attack.after != nil {
					credential = attack.after(t, credential)
				}
				c.Post(path, body{Ceremony: begun.Ceremony, Credential: credential}).Want(t, 401)
				c.Get("/me").Want(t, 401)
			}
			try(login, a.Client())
			c := a.Client()
			pending(t, c, "/login")
			try(second, c)
			testapp.WantEvents[passkey.Used](a.App, 0)
		})
	}
}

// TestAnswersWorkOnce replays answers, and gives them where they do not belong.
func TestAnswersWorkOnce(t *testing.T) {
	a, d := start(t, testapp.Memory(t), passkey.Options{}, testapp.Unlimited), device()
	register(t, a.LoggedIn(testapp.Alice), d)
	c := a.Client()
	in := assertion(t, c, d, loginOptions, nil)
	c.Post(login, in).Want(t, 200)
	for _, path := range []string{login, "/token/passkey"} {
		a.Client().Post(path, in).Want(t, 401)
	}
	a.Client().Post(second, in).Want(t, 401) // there is no pending login
	n := a.Client()
	pending(t, n, "/login")
	n.Post(second, in).WantField(t, "ceremony") // the challenge is for a login
	c.Post("/passkeys/confirm", in).WantField(t, "ceremony")
	registered := registration(t, a.confirmed(t, c, d), device())
	n.Post(second, body{Ceremony: registered.Ceremony, Credential: in.Credential}).WantField(t, "ceremony")

	again := assertion(t, n, d, secondOptions, nil)
	a.Client().Post(login, again).WantField(t, "ceremony")
	other := a.Client() // the same user, in another session
	pending(t, other, "/login")
	other.Post(second, again).WantField(t, "ceremony")
	n.Post(second, again).Want(t, 200)
	n.Get("/me").Want(t, 200)
	n.Post(second, again).Want(t, 401)

	confirm := assertion(t, n, d, "/passkeys/confirm/options", nil)
	c.Post("/passkeys/confirm", confirm).WantField(t, "ceremony") // another session of the user
	n.Post("/passkeys/confirm", confirm).Want(t, 200)
	n.Post("/passkeys/confirm", confirm).Want(t, 401)

	late := assertion(t, n, d, loginOptions, nil)
	a.Clock.Advance(5 * time.Minute)
	n.Post(login, late).WantField(t, "ceremony")
}

// TestSecondFactor completes logins by a password, in a session and by tokens.
func TestSecondFactor(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a, d := start(t, b, passkey.Options{}), device()
		register(t, a.LoggedIn(testapp.Alice), d)
		c := a.Client()
		pending(t, c, "/login")
		c.Get("/me").Want(t, 401)
		options := begin(t, c, secondOptions, nil).PublicKey
		if !bytes.Contains(options, []byte(`"transports":["internal"]`)) || !bytes.Contains(options, []byte(`"userVerification":"required"`)) {
			t.Errorf("options %s", options)
		}
		c.Post(second, assertion(t, c, d, secondOptions, nil)).Want(t, 200)
		c.Get("/me").Want(t, 200)
		if text := c.Get("/proved").Text; !strings.Contains(text, `"pwd","swk","user","mfa"`) {
			t.Error(text)
		}
		n := a.Client()
		token := pending(t, n, "/api/login")
		in := assertion(t, n, d, secondOptions, body{Token: token})
		n.Post(second, in).Want(t, 401) // without the token
		in.Token = token
		pair := n.Post(second, in).Want(t, 200).Tokens(t)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)
	})
}

// TestTrustedDevice trusts a browser when a passkey completes its login.
func TestTrustedDevice(t *testing.T) {
	a, d := start(t, testapp.Memory(t), passkey.Options{}), device()
	register(t, a.LoggedIn(testapp.Alice), d)
	c := a.Client()
	pending(t, c, "/login")
	in := assertion(t, c, d, secondOptions, nil)
	in.Trust = true
	c.Post(second, in).Want(t, 200)
	c.Post("/logout", nil).Want(t, 204)
	c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 200)
	c.Get("/me").Want(t, 200) // by the password alone
	pending(t, a.Client(), "/login")
}

// TestPasskeyOfSomebodyElse uses the passkeys of Alice and Carol for each other.
func TestPasskeyOfSomebodyElse(t *testing.T) {
	a := start(t, testapp.Memory(t), passkey.Options{}, testapp.Unlimited)
	alice, carol := device(), device()
	a.AddUser("Carol", "carol@example.com", testapp.Password)
	c := a.LoggedIn(testapp.Alice)
	in := registration(t, c, alice)
	o := a.LoggedIn("carol@example.com")
	o.Post("/passkeys", in).WantField(t, "ceremony") // begun by Alice
	c.Post("/passkeys", in).Want(t, 201)

	// Carol's browser says that it made the passkey that Alice has.
	theirs := registration(t, o, carol)
	stolen := carol.Keys()[0]
	stolen.ID = alice.Keys()[0].ID
	begun := begin(t, o, "/passkeys/options", nil)
	forged, err := carol.Attest(stolen, challengeOf(t, begun))
	if err != nil {
		t.Fatal(err)
	}
	o.Post("/passkeys", body{Ceremony: begun.Ceremony, Credential: forged}).Want(t, 409)
	o.Post("/passkeys", theirs).Want(t, 201)

	// Carol signs as Alice, with her own key and with the handle of Alice.
	stolen.User = alice.Keys()[0].User
	n := a.Client()
	n.Post(login, assertion(t, n, carol, loginOptions, nil)).Want(t, 401)
	p := a.Client()
	pending(t, p, "/login") // of Alice
	begun = begin(t, p, secondOptions, nil)
	signed, err := carol.Sign(stolen, challengeOf(t, begun))
	if err != nil {
		t.Fatal(err)
	}
	p.Post(second, body{Ceremony: begun.Ceremony, Credential: signed}).Want(t, 401)
	testapp.WantEvents[events.FactorFailed](a.App, 3)
}

func challengeOf(t *testing.T, c ceremony) []byte {
	t.Helper()
	var options struct{ Challenge string }
	if err := json.Unmarshal(c.PublicKey, &options); err != nil {
		t.Fatal(err)
	}
	challenge, err := base64.RawURLEncoding.DecodeString(options.Challenge)
	if err != nil || len(challenge) != 32 {
		t.Fatal(challenge, err)
	}
	return challenge
}

// TestCopiedPasskey signs with a copy, whose sign count does not rise.
func TestCopiedPasskey(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		a, d := start(t, testapp.Memory(t), passkey.Options{InsecureAllowCounterBack: insecure}), device()
		d.Counts = true
		register(t, a.LoggedIn(testapp.Alice), d)
		for range 3 {
			c := a.Client()
			c.Post(login, assertion(t, c, d, loginOptions, nil)).Want(t, 200)
		}
		d.Keys()[0].Count -= 2
		want := 401
		if insecure {
			want = 200
		}
		c := a.Client()
		c.Post(login, assertion(t, c, d, loginOptions, nil)).Want(t, want)
		e := testapp.WantEvents[passkey.CounterWentBack](a.App, 1)[0]
		if e.Stored != 3 || e.Sent != 2 || e.UserID != a.Alice.AuthID() {
			t.Errorf("%+v", e)
		}
		d.Keys()[0].Count = 3
		c.Post(login, assertion(t, c, d, loginOptions, nil)).Want(t, 200) // the count did not fall
	}
}

// TestDisabledAndFormerUsers have no login by their passkeys.
func TestDisabledAndFormerUsers(t *testing.T) {
	a, d := start(t, testapp.Memory(t), passkey.Options{}), device()
	register(t, a.LoggedIn(testapp.Alice), d)
	a.NewStamp(a.Alice) // as a new password does
	c := a.Client()
	c.Post(login, assertion(t, c, d, loginOptions, nil)).Want(t, 200)
	a.Disable(a.Alice)
	c = a.Client()
	c.Post(login, assertion(t, c, d, loginOptions, nil)).Want(t, 401)
	c.Get("/me").Want(t, 401)

	a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.DisabledAt, u.SecurityStamp = nil, "CANARY-of-somebody-else" })
	c.Post(login, assertion(t, c, d, loginOptions, nil)).Want(t, 401)
	later := a.LoggedIn(testapp.Alice) // no passkey is asked for
	if text := later.Get("/passkeys").Want(t, 200).Text; !strings.Contains(text, `"passkeys":[]`) {
		t.Error(text)
	}
	own := device()
	register(t, later, own)
	c.Post(login, assertion(t, c, own, loginOptions, nil)).Want(t, 200)
	c = a.Client()
	c.Post(login, assertion(t, c, d, loginOptions, nil)).Want(t, 401)
}

// TestBodies sends what is no answer.
func TestBodies(t *testing.T) {
	a, d := start(t, testapp.Memory(t), passkey.Options{}, testapp.Unlimited), device()
	c := a.LoggedIn(testapp.Alice)
	register(t, c, d)
	begun := begin(t, c, loginOptions, nil)
	for _, credential := range []string{
		`null`, `{}`, `[]`, `"x"`, `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`,
		`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA"}}`,
		`"` + strings.Repeat("x", 33<<10) + `"`,
	} {
		in := body{Ceremony: begun.Ceremony, Credential: json.RawMessage(credential)}
		c.Post(login, in).WantField(t, "credential")
		c.Post("/passkeys/confirm", in).WantField(t, "credential")
		registered := begin(t, a.confirmed(t, c, d), "/passkeys/options", nil)
		c.Post("/passkeys", body{Ceremony: registered.Ceremony, Credential: json.RawMessage(credential)}).WantField(t, "credential")
	}
	c.Do("POST", login, "application/json", `{"ceremony":"`+strings.Repeat("x", 70<<10)+`"}`).Want(t, 413)
	c.Do("POST", login, "text/plain", `{}`).Want(t, 415)
	c.Do("POST", login, "application/json", `{"ceremony":"a","ceremony":"b"}`).Want(t, 422)
	c.Post(login, body{Ceremony: "x"}).WantField(t, "ceremony")
	in := registration(t, c, device())
	in.Name = strings.Repeat("x", 101)
	c.Post("/passkeys", in).WantField(t, "name")
}

// TestRegistrationIsRefused tries registrations that are not right.
func TestRegistrationIsRefused(t *testing.T) {
	a := start(t, testapp.Memory(t), passkey.Options{}, testapp.Unlimited)
	a.Client().Post("/passkeys/options", nil).Want(t, 401)
	a.LoggedIn(testapp.Bob).Post("/passkeys/options", nil).Want(t, 403) // the address is not verified
	c := a.LoggedIn(testapp.Alice)
	for name, change := range map[string]func(d *passkeytest.Device){
		"another origin": func(d *passkeytest.Device) { d.Origin, d.RPID = "https://evil.test", "app.example" },
		"another domain": func(d *passkeytest.Device) { d.RPID = "evil.test" },
		"not verified":   func(d *passkeytest.Device) { d.NotVerified = true },
		"not present":    func(d *passkeytest.Device) { d.NotPresent = true },
	} {
		d := device()
		change(d)
		if r := c.Post("/passkeys", registration(t, c, d)); r.StatusCode != 422 {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.Text)
		}
	}
	d := device()
	in := registration(t, c, d)
	in.Credential = changed(t, in.Credential, "clientDataJSON", flip)
	c.Post("/passkeys", in).Want(t, 422)
	other := a.LoggedIn(testapp.Alice)
	other.Post("/passkeys", registration(t, c, d)).WantField(t, "ceremony") // of another session
	d.Packed = true
	late := registration(t, c, d)
	made := registration(t, c, d)
	c.Post("/passkeys", made).Want(t, 201)
	c.Post("/passkeys", made).Want(t, 409)
	other.Post("/passkeys/options", nil).Want(t, 401) // the other login has ended
	a.Clock.Advance(5 * time.Minute)
	c.Post("/passkeys", late).WantField(t, "ceremony")
	a.Clock.Advance(10 * time.Minute)
	c.Post("/passkeys/options", nil).Want(t, 403) // the proof is old
	personal := a.Bearer(a.LoggedInBy(t, d).Personal("read").Text)
	for _, path := range []string{"/passkeys/options", "/passkeys/confirm/options"} {
		personal.Post(path, nil).Want(t, 401) // no guard of the feature reads such tokens
	}
}

// LoggedInBy returns a client that a passkey has logged in.
func (a *app) LoggedInBy(t *testing.T, d *passkeytest.Device) *testapp.Client {
	t.Helper()
	c := a.Client()
	c.Post(login, assertion(t, c, d, loginOptions, nil)).Want(t, 200)
	return c
}

// TestConfiguration reports what cannot be right.
func TestConfiguration(t *testing.T) {
	for want, o := range map[string]passkey.Options{
		"is not https":              {Origins: []string{"http://app.example"}},
		"is not one":                {Origins: []string{"https://app.example/path"}},
		"is not of the domain":      {Origins: []string{"https://example.com"}},
		"cannot have passkeys":      {RPID: "192.0.2.1"},
		"UserVerification":          {UserVerification: "sometimes"},
		`of the domain "else.test"`: {RPID: "else.test"},
		`not looked up by "nick"`:   {Users: testapp.Memory(t).Users, IdentifierField: "nick"},
	} {
		_, err := ginauth.New(ginauth.Config{
			Key: testapp.Key, Mail: ginauth.MailConfig{BaseURL: testapp.BaseURL}, Features: []ginauth.Feature{passkey.New(o)},
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for base, o := range map[string]passkey.Options{
		"":                      {},
		"https://192.0.2.1":     {},
		"http://app.example":    {},
		"https://x.example.com": {RPID: "com.example"},
	} {
		if _, err := ginauth.New(ginauth.Config{
			Key: testapp.Key, Mail: ginauth.MailConfig{BaseURL: base}, Features: []ginauth.Feature{passkey.New(o)},
		}); err == nil {
			t.Errorf("%q %+v: accepted", base, o)
		}
	}
	for base, o := range map[string]passkey.Options{
		"http://localhost:8080":     {},
		"https://x.example.com":     {RPID: "example.com", Origins: []string{"https://example.com", "android:apk-key-hash:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}},
		"https://x.example.com/app": {},
	} {
		m, err := ginauth.New(ginauth.Config{
			Key: testapp.Key, Mail: ginauth.MailConfig{BaseURL: base}, Features: []ginauth.Feature{passkey.New(o)},
		})
		if err != nil {
			t.Errorf("%q %+v: %v", base, o, err)
			continue
		}
		_ = m.Close(t.Context())
	}
}
