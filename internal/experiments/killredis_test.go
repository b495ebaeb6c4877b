package experiments_test

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/stores"
)

// TestKilledRedis kills the Redis server, which flushes its append-only file
// before each answer, amid logins, changes, logouts and revocations, starts it again,
// and asks for all that was acknowledged.
func TestKilledRedis(t *testing.T) { // EXP-13
	server := testservers.NewRedisServer(t)
	s := spec{SQLite: filepath.Join(t.TempDir(), "app.db"), Redis: "redis://" + server.Address, Prefix: "test:", Limit: true}
	if err := s.prepare(writers + 1); err != nil {
		t.Fatal(err)
	}
	b, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	app := s.serve(t, b, func(c *ginauth.Config) {
		many := ginauth.Limit{Attempts: 1 << 30, Per: time.Hour}
		few := ginauth.Limit{Attempts: 20, Per: time.Hour}
		c.Throttle = ginauth.ThrottleConfig{Address: many, Account: few, AccountAddress: few}
	})
	const locked = writers // a user that does not write
	lock(t, app, locked)
	l, f := new(ledger), &families{tokens: b.set.Tokens}
	cycles := testsize.Rounds(50, 2)
	for range cycles {
		before := len(l.logins)
		stop := f.revoke(t)
		l.write(t, app.client, 1+rand.IntN(600), server.Kill)
		stop()
		server.Start(t)
		app.recovers(t)
		l.check(t, app.client, before)
		f.check(t)
		if res, err := logIn(app.client(), locked, testapp.Password); err != nil || res.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("an account that was locked: status %d, error %v", statusOf(res), err)
		}
	}
	l.check(t, app.client, 0)
	t.Logf("%d cycles, acknowledged: %+v and %d revocations", cycles, l.counts(), len(f.revoked))
}

// lock guesses at an account until it is locked.
func lock(t *testing.T, app *app, user int) {
	t.Helper()
	for range 30 {
		res, err := logIn(app.client(), user, "wrong")
		switch {
		case err != nil:
			t.Fatal(err)
		case res.StatusCode == http.StatusTooManyRequests:
			return
		case res.StatusCode != http.StatusUnauthorized:
			t.Fatalf("a guess: status %d", res.StatusCode)
		}
	}
	t.Fatal("30 guesses do not lock an account")
}

// families are families of tokens whose revocation was acknowledged.
type families struct {
	tokens  stores.Tokens
	mu      sync.Mutex
	revoked []stores.Token
}

// revoke makes and revokes families until it is stopped.
func (f *families) revoke(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				token := newToken(stores.Refresh)
				if made, err := f.tokens.Create(ctx, token); err != nil || !made {
					continue
				}
				if _, err := f.tokens.RevokeFamily(ctx, time.Now(), token.Family); err != nil {
					continue
				}
				f.mu.Lock()
				f.revoked = append(f.revoked, token)
				f.mu.Unlock()
			}
		})
	}
	return func() { cancel(); group.Wait() }
}

func (f *families) check(t *testing.T) {
	t.Helper()
	lost := 0
	for _, token := range f.revoked {
		got, found, err := f.tokens.Find(t.Context(), token.Family, token.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !found || got.FamilyRevoked.IsZero() {
			lost++
		}
	}
	if lost > 0 {
		t.Fatalf("%d of %d revocations are lost", lost, len(f.revoked))
	}
}

// newToken returns the first token of a new family.
func newToken(kind stores.Kind) stores.Token {
	now := time.Now().UTC().Truncate(time.Microsecond)
	id := newID()
	return stores.Token{
		ID: id, Family: newID(), Kind: kind, Owner: "1", Digest: stores.DigestOf([]byte(id)),
		Created: now, Expires: now.Add(time.Hour), FamilyExpires: now.Add(time.Hour),
	}
}

func newID() string {
	b := make([]byte, 16)
	crand.Read(b)
	return hex.EncodeToString(b)
}
