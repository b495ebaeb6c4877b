package passkey_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// patient gives requests that race for one record the time for it.
func patient(c *ginauth.Config) { c.StoreTimeout = 30 * time.Second }

// race sends a request on 200 goroutines at once, and returns how many had a status.
func (a *app) race(n int, send func(i int) (*testapp.Response, error), allowed ...int) map[int]int {
	var counts [600]atomic.Int32
	a.Race(n, func(i int) {
		r, err := send(i)
		if err != nil {
			a.Error(err)
			return
		}
		counts[r.StatusCode].Add(1)
	})
	got := make(map[int]int)
	for status := range counts {
		if n := int(counts[status].Load()); n > 0 {
			got[status] = n
		}
	}
	for status := range got {
		ok := false
		for _, a := range allowed {
			ok = ok || a == status
		}
		if !ok {
			a.Errorf("statuses %v", got)
		}
	}
	return got
}

// TestParallelUsesOfOneAnswer sends one answer 200 times at once: one wins (EXP-03).
func TestParallelUsesOfOneAnswer(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a, d := start(t, b, passkey.Options{}, testapp.Unlimited, patient), device()
		c := a.LoggedIn(testapp.Alice)
		in := registration(t, c, d)
		got := a.race(200, func(int) (*testapp.Response, error) { return c.Copy().TryPost("/passkeys", in) }, 201, 401, 403, 409, 422)
		if got[201] != 1 {
			t.Errorf("registration: %v", got)
		}
		c = a.Client()
		in = assertion(t, c, d, loginOptions, nil)
		if got := a.race(200, func(int) (*testapp.Response, error) { return a.Client().TryPost(login, in) }, 200, 401); got[200] != 1 {
			t.Errorf("login: %v", got)
		}
		const n = 5
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = pending(t, a.Client(), "/api/login")
		}
		in = assertion(t, a.Client(), d, secondOptions, body{Token: tokens[0]})
		got = a.race(200, func(i int) (*testapp.Response, error) {
			with := in
			with.Token = tokens[i%n]
			return a.Client().TryPost(second, with)
		}, 200, 401, 429)
		if got[200] != 1 {
			t.Errorf("second factor: %v", got)
		}
	})
}

// TestParallelLogins uses many challenges of one passkey at once, and more than are kept in its record: all win.
func TestParallelLogins(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a, d := start(t, b, passkey.Options{}, testapp.Unlimited, patient), device()
		register(t, a.LoggedIn(testapp.Alice), d)
		var first body
		for i := range 40 {
			c := a.Client()
			in := assertion(t, c, d, loginOptions, nil)
			c.Post(login, in).Want(t, 200)
			if i == 0 {
				first = in
			}
		}
		a.Client().Post(login, first).Want(t, 401) // it is still known to be used
		ins := make([]body, 12)
		for i := range ins {
			ins[i] = assertion(t, a.Client(), d, loginOptions, nil)
		}
		got := a.race(len(ins), func(i int) (*testapp.Response, error) { return a.Client().TryPost(login, ins[i]) }, 200)
		if got[200] != len(ins) {
			t.Errorf("logins: %v", got)
		}
	})
}

// TestParallelRegistrations fills a user's places for passkeys, exactly.
func TestParallelRegistrations(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a, d := start(t, b, passkey.Options{}, testapp.Unlimited, patient), device()
		c := a.LoggedIn(testapp.Alice)
		register(t, c, d)
		a.confirmed(t, c, d)
		ins := make([]body, 30)
		for i := range ins {
			ins[i] = registration(t, c, device())
		}
		got := a.race(len(ins), func(i int) (*testapp.Response, error) { return c.Copy().TryPost("/passkeys", ins[i]) }, 201, 409)
		if got[201] != passkey.Max-1 {
			t.Errorf("registrations: %v", got)
		}
		c.Post("/passkeys/options", nil).Want(t, 409)
		owner := "users:" + a.Alice.AuthID()
		found, err := b.Set.Factors.FactorsOf(t.Context(), owner, "passkey")
		if err != nil || len(found) != passkey.Max {
			t.Errorf("%d passkeys, %v", len(found), err)
		}
		identities, err := b.Set.Identities.IdentitiesOf(t.Context(), owner)
		if err != nil || len(identities) != passkey.Max+1 {
			t.Errorf("%d identities, %v", len(identities), err)
		}
		var list struct{ Passkeys []passkey.Passkey }
		c.Get("/passkeys").Want(t, 200).JSON(t, &list)
		names := make(map[string]bool)
		for _, p := range list.Passkeys {
			names[p.ID] = true
			c.Delete("/passkeys/"+p.ID).Want(t, 200)
		}
		if len(names) != passkey.Max {
			t.Errorf("passkeys %v", names)
		}
		if identities, _ = b.Set.Identities.IdentitiesOf(t.Context(), owner); len(identities) != 0 {
			t.Errorf("%d identities are left", len(identities))
		}
	})
}

// TestLastWayIn removes all passkeys of a user without a password at once: one stays. The first removal ends the other logins.
func TestLastWayIn(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a, d := start(t, b, passkey.Options{}, testapp.Unlimited, patient), device()
		c := a.LoggedIn(testapp.Alice)
		ids := []string{register(t, c, d)}
		for range 3 {
			ids = append(ids, register(t, a.confirmed(t, c, d), device()))
		}
		b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.Password = "" })
		users := make([]*testapp.Client, len(ids))
		for i := range users {
			users[i] = a.Client()
			users[i].Post(login, assertion(t, users[i], d, loginOptions, nil)).Want(t, 200)
		}
		got := a.race(len(ids), func(i int) (*testapp.Response, error) {
			return users[i].Try(context.Background(), "DELETE", "/passkeys/"+ids[len(ids)-1-i], "", "")
		}, 200, 401, 409)
		if got[200] < 1 {
			t.Errorf("removals: %v", got)
		}
		found, err := b.Set.Factors.FactorsOf(t.Context(), "users:"+a.Alice.AuthID(), "passkey")
		if err != nil || len(found) < 1 {
			t.Errorf("%d passkeys, %v", len(found), err)
		}
	})
}

// slowFactors holds a removal.
type slowFactors struct {
	stores.Factors
	hold *testapp.Hold
	on   atomic.Bool
}

func (s *slowFactors) DeleteFactor(ctx context.Context, owner, kind, id string) (bool, error) {
	if s.on.CompareAndSwap(true, false) {
		s.hold.Wait()
	}
	return s.Factors.DeleteFactor(ctx, owner, kind, id)
}

// TestLastWayInWhileAnotherGoes removes a passkey while the removal of the other one has begun.
func TestLastWayInWhileAnotherGoes(t *testing.T) {
	b := testapp.Memory(t)
	slow := &slowFactors{Factors: b.Set.Factors, hold: testapp.NewHold()}
	b.Set.Factors = slow
	a, d := start(t, b, passkey.Options{}, patient), device()
	c := a.LoggedIn(testapp.Alice)
	first := register(t, c, d)
	second := register(t, a.confirmed(t, c, d), device())
	b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.Password = "" })
	slow.on.Store(true)
	done := make(chan *testapp.Response)
	go func() { done <- c.Copy().Delete("/passkeys/" + second) }()
	slow.hold.Arrived()
	last := c.Delete("/passkeys/" + first)
	slow.hold.Release()
	last.Want(t, 409)
	(<-done).Want(t, 200)
	c = a.Client()
	c.Post(login, assertion(t, c, d, loginOptions, nil)).Want(t, 200)
	c.Delete("/passkeys/"+first).Want(t, 409)
}

// TestOtherWayIn asks the application whether a user without a password has another way in.
func TestOtherWayIn(t *testing.T) {
	for _, other := range []bool{false, true} {
		a, d := start(t, testapp.Memory(t), passkey.Options{
			OtherWayIn: func(context.Context, models.Authenticatable) (bool, error) { return other, nil },
		}), device()
		c := a.LoggedIn(testapp.Alice)
		id := register(t, c, d)
		a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.Password = "" })
		want := map[bool]int{false: 409, true: 200}[other]
		a.confirmed(t, c, d).Delete("/passkeys/"+id).Want(t, want)
	}
}

// TestNothingIsStoredForAnonymousClients begins ceremonies without end.
func TestNothingIsStoredForAnonymousClients(t *testing.T) {
	b := testapp.SQLite(t)
	a := start(t, b, passkey.Options{Users: b.Users}, testapp.Unlimited)
	register(t, a.LoggedIn(testapp.Alice), device())
	rows := func() (n int64) {
		tables, err := b.DB.Migrator().GetTables()
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			var rows int64
			if err := b.DB.Table(table).Count(&rows).Error; err != nil {
				t.Fatal(err)
			}
			n += rows
		}
		return n
	}
	c := a.Client()
	c.Post(loginOptions, body{Identifier: "x@example.com"}).Want(t, 200) // the seed of decoys, once
	before := rows()
	for i := range 50 {
		c.Post(loginOptions, body{Identifier: fmt.Sprintf("x%d@example.com", i)}).Want(t, 200)
		a.Client().Post(loginOptions, nil).Want(t, 200)
	}
	if after := rows(); after != before {
		t.Errorf("%d rows, and %d before", after, before)
	}
	if len(c.Cookies) > 0 {
		t.Errorf("cookies %v", c.Cookies)
	}
}

// brokenFactors fails on demand.
type brokenFactors struct {
	stores.Factors
	down atomic.Bool
}

func (b *brokenFactors) FactorsOf(ctx context.Context, owner string, kinds ...string) ([]stores.Factor, error) {
	if b.down.Load() {
		return nil, context.DeadlineExceeded
	}
	return b.Factors.FactorsOf(ctx, owner, kinds...)
}

type brokenIdentities struct {
	stores.Identities
	down atomic.Bool
}

func (b *brokenIdentities) FindIdentity(ctx context.Context, provider, subject string) (stores.Identity, bool, error) {
	if b.down.Load() {
		return stores.Identity{}, false, context.DeadlineExceeded
	}
	return b.Identities.FindIdentity(ctx, provider, subject)
}

// TestOutageIsNoWrongAnswer takes the stores away.
func TestOutageIsNoWrongAnswer(t *testing.T) {
	b := testapp.Memory(t)
	factors, identities := &brokenFactors{Factors: b.Set.Factors}, &brokenIdentities{Identities: b.Set.Identities}
	b.Set.Factors, b.Set.Identities = factors, identities
	a, d := start(t, b, passkey.Options{Users: b.Users}), device()
	user := a.LoggedIn(testapp.Alice)
	register(t, user, d)
	c := a.Client()
	in := assertion(t, c, d, loginOptions, nil)
	factors.down.Store(true)
	c.Post(login, in).Want(t, 503)
	c.Post(loginOptions, body{Identifier: testapp.Alice}).Want(t, 503)
	c.Post(loginOptions, body{Identifier: "nobody@example.com"}).Want(t, 503)
	c.Post("/login", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 503)
	for _, path := range []string{"/passkeys/options", "/passkeys/confirm/options"} {
		user.Post(path, nil).Want(t, 503)
	}
	user.Get("/passkeys").Want(t, 503)
	factors.down.Store(false)
	identities.down.Store(true)
	c.Post(login, in).Want(t, 503)
	identities.down.Store(false)
	c.Post(login, in).Want(t, 200)
}
