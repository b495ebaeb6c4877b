package experiments_test

import (
	"sync/atomic"
	"testing"

	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/internal/testsize"
)

// TestTwoProcesses changes something in one process of an application, and uses
// it in another: what has ended is refused there at once.
func TestTwoProcesses(t *testing.T) { // EXP-17
	_, prefix := testservers.Redis(t)
	s := spec{
		Postgres: testservers.PostgresDSN(t), Redis: testservers.Address(t, testservers.RedisVariable), Prefix: prefix,
	}
	if err := s.prepare(1); err != nil {
		t.Fatal(err)
	}
	a, b := s.start(t), s.start(t)
	endings := map[string]func(t *testing.T, in *testapp.Client){
		"logout": func(t *testing.T, in *testapp.Client) {
			a.client().With(in.Session()).Post("/logout", nil).Want(t, 204)
		},
		"revocation": func(t *testing.T, _ *testapp.Client) { a.client().Post("/owner/revoke?id=1", nil).Want(t, 204) },
		"disabled": func(t *testing.T, _ *testapp.Client) {
			a.client().Post("/owner/change?id=1&disabled=1", nil).Want(t, 204)
		},
	}
	times := testsize.Rounds(200, 10)
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			for range times {
				a.client().Post("/owner/change?id=1&role=admin", nil).Want(t, 204)
				in := b.mustLogIn(0)
				in.Get("/me").Want(t, 200)
				end(t, in)
				in.Get("/me").Want(t, 401)
				in.Get("/admin").Want(t, 401)
			}
		})
	}
	t.Run("role", func(t *testing.T) {
		a.client().Post("/owner/change?id=1&role=member", nil).Want(t, 204)
		in := a.mustLogIn(0)
		for range times {
			b.client().With(in.Session()).Get("/admin").Want(t, 403)
			a.client().Post("/owner/change?id=1&role=admin", nil).Want(t, 204)
			b.client().With(in.Session()).Get("/admin").Want(t, 204)
			a.client().Post("/owner/change?id=1&role=member", nil).Want(t, 204)
		}
	})
}

// TestThrottleOfTwoProcesses guesses at accounts in two processes at once.
func TestThrottleOfTwoProcesses(t *testing.T) { // EXP-17, EXP-04
	_, prefix := testservers.Redis(t)
	s := spec{
		Postgres: testservers.PostgresDSN(t), Redis: testservers.Address(t, testservers.RedisVariable), Prefix: prefix, Limit: true,
	}
	// An address may fail 30 times a minute, and here is only one.
	const accounts, guesses, limit = 6, 205, 5
	if err := s.prepare(accounts); err != nil {
		t.Fatal(err)
	}
	apps := []*process{s.start(t), s.start(t)}
	for user := range accounts {
		var checked, refused atomic.Int64
		testapp.Race(guesses, func(i int) {
			res, err := logIn(apps[i%2].client(), user, "wrong")
			switch {
			case err != nil:
				t.Error(err)
			case res.StatusCode == 401:
				checked.Add(1)
			case res.StatusCode == 429:
				refused.Add(1)
			default:
				t.Errorf("status %d", res.StatusCode)
			}
		})
		if checked.Load() != limit || refused.Load() != guesses-limit {
			t.Errorf("u%d: %d guesses were checked and %d refused, of %d with a limit of %d", user, checked.Load(), refused.Load(), guesses, limit)
		}
	}
}
