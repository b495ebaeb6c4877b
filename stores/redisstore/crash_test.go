package redisstore_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// TestKilledServer kills a server during revocations. No acknowledged revocation may be
// lost with the settings with which Redis writes before it answers.
func TestKilledServer(t *testing.T) { // EXP-13
	for _, sync := range []string{"always", "no"} {
		t.Run(sync, func(t *testing.T) { killedServer(t, testservers.NewRedisServer(t, "--appendfsync", sync)) })
	}
}

func killedServer(t *testing.T, server *testservers.RedisServer) {
	open := func() stores.Tokens {
		return redisstore.New(closing(t, redis.NewClient(&redis.Options{Addr: server.Address, ContextTimeoutEnabled: true}))).Tokens
	}
	revoked := revokeUntil(t, open(), 500, server.Kill)
	server.Start(t)
	tokens := open() // because the first client would wait before it tries again
	for _, token := range revoked {
		got, found, err := tokens.Find(t.Context(), token.Family, token.ID)
		if err != nil || !found || got.FamilyRevoked.IsZero() {
			t.Fatalf("an acknowledged revocation of %d: found %v, revoked %v, error %v", len(revoked), found, got.FamilyRevoked, err)
		}
	}
	if len(revoked) < 500 {
		t.Errorf("only %d revocations", len(revoked))
	}
}

// revokeUntil creates and revokes families until there is an error. It calls enough after n
// of them, and returns the families whose revocations were acknowledged.
func revokeUntil(t *testing.T, tokens stores.Tokens, n int, enough func()) (revoked []stores.Token) {
	var group sync.WaitGroup
	var mu sync.Mutex
	for writer := range 8 {
		group.Go(func() {
			for i := 0; ; i++ {
				token := newToken()
				token.Family = fmt.Sprintf("%016x%016x", writer, i)
				if made, err := tokens.Create(t.Context(), token); err != nil || !made {
					return
				}
				if _, err := tokens.RevokeFamily(t.Context(), token.Created, token.Family); err != nil {
					return
				}
				mu.Lock()
				if revoked = append(revoked, token); len(revoked) == n {
					enough()
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return revoked
}
