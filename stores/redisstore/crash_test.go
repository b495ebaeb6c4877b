package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// startServer starts a server with an append-only file that is flushed before
// each answer, and waits until it answers.
func startServer(t *testing.T, client *redis.Client, addr, dir string) *exec.Cmd {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	server := exec.Command("redis-server", "--bind", host, "--port", port, "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for client.Ping(ctx).Err() != nil { // which pauses between its own tries
		if ctx.Err() != nil {
			t.Fatal("the server does not answer")
		}
	}
	return server
}

// TestKilledServer kills a server amid revocations. None that was acknowledged
// is lost.
func TestKilledServer(t *testing.T) { // EXP-13
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("needs redis-server")
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, dir := lis.Addr().String(), t.TempDir()
	lis.Close()
	client := closing(t, redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true}))
	server := startServer(t, client, addr, dir)
	tokens := redisstore.New(client).Tokens
	revoked := revokeUntil(t, tokens, 500, func() { _ = server.Process.Kill() })
	_ = server.Wait()
	startServer(t, client, addr, dir)
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

// revokeUntil makes and revokes families, calls enough after n of them, and goes
// on until there is an error. It returns those that were acknowledged.
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
