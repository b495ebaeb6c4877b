package experiments_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ginauth/ginauth/internal/testservers"
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
	endings := map[string]func(t *testing.T, in *client){
		"logout":     func(t *testing.T, in *client) { in.on(a).want(t, "POST", "/logout", 204) },
		"revocation": func(t *testing.T, _ *client) { a.client().want(t, "POST", "/owner/revoke?id=1", 204) },
		"disabled":   func(t *testing.T, _ *client) { a.client().want(t, "POST", "/owner/change?id=1&disabled=1", 204) },
	}
	times := size(200, 10)
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			for range times {
				a.client().want(t, "POST", "/owner/change?id=1&role=admin", 204)
				in := b.client()
				if status, err := in.login(0, password); err != nil || status != 204 {
					t.Fatalf("login: status %d, error %v", status, err)
				}
				in.want(t, "GET", "/me", 200)
				end(t, in)
				in.want(t, "GET", "/me", 401)
				in.want(t, "GET", "/admin", 401)
			}
		})
	}
	t.Run("role", func(t *testing.T) {
		a.client().want(t, "POST", "/owner/change?id=1&role=member", 204)
		in := a.client()
		if status, err := in.login(0, password); err != nil || status != 204 {
			t.Fatalf("login: status %d, error %v", status, err)
		}
		for range times {
			in.on(b).want(t, "GET", "/admin", 403)
			a.client().want(t, "POST", "/owner/change?id=1&role=admin", 204)
			in.on(b).want(t, "GET", "/admin", 204)
			a.client().want(t, "POST", "/owner/change?id=1&role=member", 204)
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
		start := make(chan struct{})
		var group sync.WaitGroup
		for i := range guesses {
			group.Go(func() {
				<-start
				status, err := apps[i%2].client().login(user, "wrong")
				switch {
				case err != nil:
					t.Error(err)
				case status == 401:
					checked.Add(1)
				case status == 429:
					refused.Add(1)
				default:
					t.Errorf("status %d", status)
				}
			})
		}
		close(start)
		group.Wait()
		if checked.Load() != limit || refused.Load() != guesses-limit {
			t.Errorf("u%d: %d guesses were checked and %d refused, of %d with a limit of %d", user, checked.Load(), refused.Load(), guesses, limit)
		}
	}
}

// on returns the client's session in a client of another process.
func (c *client) on(p *process) *client {
	other := p.client()
	other.session = c.session
	return other
}

// want fails the test unless a request has the status.
func (c *client) want(t *testing.T, method, path string, status int) {
	t.Helper()
	got, body, err := c.do(method, path, "")
	if err != nil || got != status {
		t.Fatalf("%s %s: status %d, want %d; body %s, error %v", method, path, got, status, body, err)
	}
}
