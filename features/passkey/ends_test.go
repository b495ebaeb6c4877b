package passkey_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/token"
)

// TestRemovalEndsOtherLogins removes a passkey that a thief has: the logins that the thief made by it end.
func TestRemovalEndsOtherLogins(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a, d := start(t, b, passkey.Options{}, testapp.Unlimited), device()
		c := a.LoggedIn(testapp.Alice)
		stolen := register(t, c, d)
		other := device()
		last := register(t, c, other)
		thief := a.Client()
		thief.Post(login, assertion(t, thief, d, loginOptions, nil)).Want(t, 200)
		pair := a.Client().Post("/token/passkey", assertion(t, a.Client(), d, loginOptions, nil)).Want(t, 200).Tokens(t)
		c.Delete("/passkeys/"+stolen).Want(t, 200)
		c.Get("/me").Want(t, 200)
		thief.Get("/me").Want(t, 401)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 401)
		a.Refresh(pair.RefreshToken).Want(t, 401)

		own := a.Client().Post("/token/passkey", assertion(t, a.Client(), other, loginOptions, nil)).Want(t, 200).Tokens(t)
		var left struct {
			Signals *passkey.Signals
			Tokens  token.Pair
		}
		a.Bearer(own.AccessToken).Post("/passkeys/"+last+"/delete", nil).Want(t, 200).JSON(t, &left)
		if left.Signals == nil {
			t.Error("no signals")
		}
		a.Bearer(left.Tokens.AccessToken).Get("/api/me").Want(t, 200)
		c.Get("/me").Want(t, 401)
		a.wantIdentities(t, 0)
	})
}

// wantIdentities counts what is left of Alice's passkeys among the identities.
func (a *app) wantIdentities(t *testing.T, n int) {
	t.Helper()
	all, err := a.Backend.Set.Identities.IdentitiesOf(t.Context(), a.Owner("web", a.Alice.AuthID()))
	if err != nil || len(all) != n {
		t.Errorf("%d identities, want %d: %v", len(all), n, err)
	}
}

// TestRegistrationWhileTheLastGoes registers a passkey while the removal of the only one has looked what else there is: the new
// passkey logs in.
func TestRegistrationWhileTheLastGoes(t *testing.T) {
	b := testapp.Memory(t)
	slow := &slowIdentities{Identities: b.Set.Identities, hold: testapp.NewHold()}
	b.Set.Identities = slow
	a, d, next := start(t, b, passkey.Options{}, patient), device(), device()
	c := a.LoggedIn(testapp.Alice)
	id := register(t, c, d)
	other := a.Client()
	other.Post(login, assertion(t, other, d, loginOptions, nil)).Want(t, 200)
	in := registration(t, other, next)
	slow.on.Store(true)
	done := make(chan *testapp.Response)
	go func() { done <- c.Copy().Delete("/passkeys/" + id) }()
	slow.hold.Arrived() // and would delete the handle next
	// It is a first passkey again, which ends the login of the removal.
	other.Post("/passkeys", in).Want(t, 201)
	slow.hold.Release()
	(<-done).Want(t, 401)
	n := a.Client()
	n.Post(login, assertion(t, n, next, loginOptions, nil)).Want(t, 200)
	a.wantIdentities(t, 2)
}

// slowIdentities holds the removal of a handle.
type slowIdentities struct {
	stores.Identities
	hold *testapp.Hold
	on   atomic.Bool
}

func (s *slowIdentities) DeleteIdentity(ctx context.Context, owner, provider, subject string, others ...string) (bool, error) {
	if provider == "passkey" && s.on.CompareAndSwap(true, false) {
		s.hold.Wait()
	}
	return s.Identities.DeleteIdentity(ctx, owner, provider, subject, others...)
}

// heldFactors holds the storing of a passkey.
type heldFactors struct {
	stores.Factors
	hold *testapp.Hold
	on   atomic.Bool
}

func (h *heldFactors) CreateFactor(ctx context.Context, f stores.Factor) error {
	if f.Kind == "passkey" && h.on.CompareAndSwap(true, false) {
		h.hold.Wait()
	}
	return h.Factors.CreateFactor(ctx, f)
}

// TestNoPasskeyAfterReset registers a first and a second passkey while the factors of the user are reset: none is left.
func TestNoPasskeyAfterReset(t *testing.T) {
	for _, before := range []int{0, 1} {
		b := testapp.Memory(t)
		held := &heldFactors{Factors: b.Set.Factors, hold: testapp.NewHold()}
		b.Set.Factors = held
		a := start(t, b, passkey.Options{}, patient)
		c := a.LoggedIn(testapp.Alice)
		for range before {
			register(t, c, device())
		}
		a.Clock.Advance(time.Second)
		in := registration(t, c, device())
		held.on.Store(true)
		done := make(chan *testapp.Response)
		go func() { done <- c.Copy().Post("/passkeys", in) }()
		held.hold.Arrived()
		if err := a.ResetFactors(t.Context(), "web", a.Alice.AuthID()); err != nil {
			t.Fatal(err)
		}
		held.hold.Release()
		(<-done).Want(t, 401)
		found, err := b.Set.Factors.FactorsOf(t.Context(), a.Owner("web", a.Alice.AuthID()), "passkey")
		if err != nil || len(found) != 0 {
			t.Errorf("after %d: %d passkeys are left, %v", before, len(found), err)
		}
		a.wantIdentities(t, 0)
		a.LoggedIn(testapp.Alice)
	}
}

// TestNamedCeremoniesAreLimited asks for the passkeys of users without end. Pages of logins, which name nobody, go on.
func TestNamedCeremoniesAreLimited(t *testing.T) {
	b := testapp.Memory(t)
	a := start(t, b, passkey.Options{Users: b.Users})
	c := a.Client()
	for range 30 {
		c.Post(loginOptions, body{Identifier: testapp.Alice}).Want(t, 200)
	}
	c.Post(loginOptions, body{Identifier: testapp.Bob}).Want(t, 429)
	c.Post(loginOptions, nil).Want(t, 200)
	a.Clock.Advance(time.Minute)
	c.Post(loginOptions, body{Identifier: testapp.Alice}).Want(t, 200)
}
