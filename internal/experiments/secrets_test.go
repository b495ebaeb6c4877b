package experiments_test

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ginauth/ginauth/features/passkey/passkeytest"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
)

// secrets are what the routes must not tell, named by the case that says so.
var secrets = []secret{
	{name: "E02 unknown account or wrong password", requests: func(a *timedApp) (first, second timedRequest) {
		return a.login(nobody, "wrong"), a.login(known, "wrong")
	}},
	{name: "E03 link for an unknown or a known address", requests: func(a *timedApp) (first, second timedRequest) {
		return a.mailed("/forgot-password")
	}},
	{name: "E07 link again for an unknown or a known address", requests: func(a *timedApp) (first, second timedRequest) {
		return a.mailed("/verify-email/resend")
	}},
	{name: "E04 registration of a free or a taken address", hides: true, requests: func(a *timedApp) (first, second timedRequest) {
		return a.registrations()
	}},
	{name: "E05 reset of an unknown or a known account, unknown token", requests: func(a *timedApp) (first, second timedRequest) {
		return a.reset(opaque.New().Text("gpr_"))
	}},
	{name: "E05 reset of an unknown or a known account, known token with a wrong secret", requests: func(a *timedApp) (first, second timedRequest) {
		return a.reset(a.stored(stores.Reset).Text("gpr_"))
	}},
	{name: "E08 locked: unknown or known account", locks: true, requests: func(a *timedApp) (first, second timedRequest) {
		a.lock()
		return a.locked(nobody, "wrong"), a.locked(known, "wrong")
	}},
	{name: "E08 locked: right or wrong password", locks: true, requests: func(a *timedApp) (first, second timedRequest) {
		a.lock()
		return a.locked(known, testapp.Password), a.locked(known, "wrong "+testapp.Password[6:])
	}},
	{name: "E03 login by mail for an unknown or a known address", requests: func(a *timedApp) (first, second timedRequest) {
		return a.mailed("/magic-link")
	}},
	{name: "E03 wrong code for an unknown or a known address", requests: func(a *timedApp) (first, second timedRequest) {
		return a.guessedCodes()
	}},
	{name: "E03 options of a passkey for an unknown or a known account", requests: func(a *timedApp) (first, second timedRequest) {
		a.registerPasskey()
		return a.post(200, "/login/passkey/options", map[string]string{"identifier": "x" + testapp.Alice[1:]}),
			a.post(200, "/login/passkey/options", map[string]string{"identifier": testapp.Alice})
	}},
	// Only who was sent a link has one with a right signature. That of a user who
	// is gone takes as long as it takes to look for the user.
	{name: "E10 link of an unknown user or with a wrong signature", requests: func(a *timedApp) (first, second timedRequest) {
		link := a.link()
		other := strings.Replace(link, "/"+a.user.AuthID()+"/", "/7/", 1)
		return a.post(403, other, map[string]string{}), a.post(403, link[:len(link)-1]+"_", map[string]string{})
	}},
	{name: "M08 unknown device or known one with a wrong secret", unguessable: true, requests: func(a *timedApp) (first, second timedRequest) {
		return a.remembered(opaque.New()), a.remembered(a.stored(stores.Remember))
	}},
	{name: "Z02 unknown token or own one with a wrong secret", unguessable: true, requests: func(a *timedApp) (first, second timedRequest) {
		unknown, own := opaque.NewPersonal("gat"), opaque.NewPersonal("gat")
		a.store(stores.Personal, own.ID, own.ID)
		return a.get(401, "/me", "Authorization: Bearer "+unknown.Text()), a.get(401, "/me", "Authorization: Bearer "+own.Text())
	}},
}

func (a *timedApp) login(email, password string) timedRequest {
	return a.post(401, "/login", map[string]string{"email": email, "password": password})
}

// lock locks both accounts.
func (a *timedApp) lock() {
	for range 5 {
		a.time(a.login(known, "wrong"))
		a.time(a.login(nobody, "wrong"))
	}
}

func (a *timedApp) locked(email, password string) timedRequest {
	r := a.login(email, password)
	r.status = 429
	return r
}

// mailed asks for a mail that only the known address gets. Each request comes
// after such a mail, so that what sending one leaves behind is before both.
func (a *timedApp) mailed(path string) (first, second timedRequest) {
	first = a.post(202, path, map[string]string{"email": nobody})
	second = a.post(202, path, map[string]string{"email": known})
	second.settled = func() { a.Outbox.Any(a) }
	a.beforeEach = func() { a.time(second) }
	return first, second
}

// registrations are with an address that is free, another one each time, and with one that is
// taken. Both of them are told by mail.
func (a *timedApp) registrations() (first, second timedRequest) {
	n := 0
	register := func(email string) timedRequest {
		r := a.post(202, "/register", map[string]string{"name": "Ann", "email": email, "password": "an entirely different pass phrase"})
		r.settled = func() { a.Outbox.Any(a) }
		return r
	}
	free := func() timedRequest {
		n++
		return register(fmt.Sprintf("%0*d@example.com", len(known)-len("@example.com"), n))
	}
	first, second = free(), register(known)
	a.beforePair = func() { copy(first.text, free().text) }
	return first, second
}

// guessedCodes are wrong codes for logins that were asked for. Each takes five guesses, so each pair is
// for others, whose texts have the same length.
func (a *timedApp) guessedCodes() (first, second timedRequest) {
	ask := func(email string) string {
		var r struct{ Request string }
		a.Client().Post("/magic-link", map[string]string{"email": email}).Want(a, 202).JSON(a, &r)
		if email == known {
			a.Outbox.Any(a)
		}
		return r.Request
	}
	guess := func(request string) timedRequest {
		return a.post(401, "/magic-link/code", map[string]string{"request": request, "code": "ABCD-EFGH"})
	}
	first, second = guess(ask(nobody)), guess(ask(known))
	a.beforePair = func() {
		copy(first.text, guess(ask(nobody)).text)
		copy(second.text, guess(ask(known)).text)
	}
	return first, second
}

// reset shows a token that is wrong. Five of those are let in, so time has to
// pass.
func (a *timedApp) reset(token string) (first, second timedRequest) {
	a.beforePair = func() { a.Clock.Advance(15 * time.Minute) }
	body := func(email string) map[string]string {
		return map[string]string{"email": email, "token": token, "password": "an entirely different pass phrase"}
	}
	return a.post(422, "/reset-password", body(nobody)), a.post(422, "/reset-password", body(known))
}

// registerPasskey gives Alice a passkey.
func (a *timedApp) registerPasskey() {
	var in ceremony
	c := a.LoggedIn(testapp.Alice)
	c.Post("/passkeys/options", nil).Want(a, 200).JSON(a, &in)
	credential, err := passkeytest.New(testapp.BaseURL).Create(in.PublicKey)
	if err != nil {
		a.Fatal(err)
	}
	c.Post("/passkeys", ceremony{Ceremony: in.Ceremony, Credential: credential}).Want(a, 201)
}

// link returns the path of a link that verifies the known address.
func (a *timedApp) link() string {
	link, err := a.VerificationURL(a.user)
	if err != nil {
		a.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		a.Fatal(err)
	}
	return u.RequestURI()
}

// remembered is from a device that shows a token as what it is remembered by.
func (a *timedApp) remembered(token opaque.Token) timedRequest {
	return a.get(401, "/me", "Cookie: "+testapp.RememberCookie+"="+token.Text("grm_"))
}

// stored returns a token that is stored with another secret.
func (a *timedApp) stored(kind stores.Kind) opaque.Token {
	token := opaque.New()
	a.store(kind, token.Family, token.ID)
	return token
}

func (a *timedApp) store(kind stores.Kind, family, id string) {
	now := a.Clock.Now()
	end := now.Add(24 * 365 * time.Hour)
	created, err := a.Backend.Set.Tokens.Create(a.Context(), stores.Token{
		ID: id, Family: family, Kind: kind, Owner: "users:" + a.user.AuthID(), Digest: stores.DigestOf([]byte("another")),
		Name: "Firefox on Linux", Abilities: []string{"web"}, Data: make([]byte, 64), Created: now, Expires: end, FamilyExpires: end,
	})
	if err != nil || !created {
		a.Fatalf("created %v, error %v", created, err)
	}
}
