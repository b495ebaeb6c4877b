package redisstore_test

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
	"github.com/ginauth/ginauth/stores/storetest"
)

// A server opens a client of one kind of server.
type server struct {
	name string
	open func(t testing.TB) redis.UniversalClient
}

// servers are a single server, a cluster, and a server behind Sentinel. The tests run on
// those that environment variables name.
var servers = []server{
	{"single", openSingle},
	{"cluster", func(t testing.TB) redis.UniversalClient {
		return closing(t, redis.NewClusterClient(&redis.ClusterOptions{
			Addrs:                 strings.Split(variable(t, "GINAUTH_TEST_REDIS_CLUSTER"), ","),
			ContextTimeoutEnabled: true,
		}))
	}},
	// The variable holds the name of the master and the addresses of Sentinels.
	{"sentinel", func(t testing.TB) redis.UniversalClient {
		names := strings.Split(variable(t, "GINAUTH_TEST_REDIS_SENTINEL"), ",")
		return closing(t, redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName:            names[0],
			SentinelAddrs:         names[1:],
			ContextTimeoutEnabled: true,
		}))
	}},
}

// variable returns an environment variable. It skips the test if the variable is not set.
func variable(t testing.TB, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Skipf("needs %s", name)
	}
	return value
}

func closing[C redis.UniversalClient](t testing.TB, client C) C {
	t.Cleanup(func() { client.Close() })
	return client
}

// options returns the recommended options for the single server.
func options(t testing.TB) *redis.Options {
	t.Helper()
	o, err := redis.ParseURL(variable(t, "GINAUTH_TEST_REDIS"))
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled = true
	return o
}

func openSingle(t testing.TB) redis.UniversalClient {
	t.Helper()
	return closing(t, redis.NewClient(options(t)))
}

// onServers runs a test on each server that is available.
func onServers(t *testing.T, test func(t *testing.T, client redis.UniversalClient)) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) { test(t, s.open(t)) })
	}
}

// fresh returns empty stores and their prefix. It deletes their records when the test ends.
func fresh(t testing.TB, client redis.UniversalClient) (set stores.Set, prefix string) {
	prefix = newPrefix()
	t.Cleanup(func() { clean(t, client, prefix) })
	return redisstore.New(client, redisstore.WithPrefix(prefix)), prefix
}

func newPrefix() string { return "ginauth-test-" + strings.ToLower(rand.Text()[:12]) + ":" }

// keysOf returns the keys with a prefix.
func keysOf(t testing.TB, client redis.UniversalClient, prefix string) (keys []string) {
	t.Helper()
	ctx := context.Background()
	list := func(ctx context.Context, node *redis.Client) error {
		found := node.Scan(ctx, 0, prefix+"*", 1000).Iterator()
		for found.Next(ctx) {
			keys = append(keys, found.Val())
		}
		return found.Err()
	}
	var err error
	switch client := client.(type) {
	case *redis.Client:
		err = list(ctx, client)
	case *redis.ClusterClient:
		masters := make(chan *redis.Client, 100)
		err = client.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			masters <- node
			return nil
		})
		close(masters)
		for node := range masters {
			if err == nil {
				err = list(ctx, node)
			}
		}
	}
	if err != nil {
		t.Error(err)
	}
	return keys
}

func clean(t testing.TB, client redis.UniversalClient, prefix string) {
	pipe := client.Pipeline()
	for _, key := range keysOf(t, client, prefix) {
		pipe.Unlink(context.Background(), key)
	}
	if _, err := pipe.Exec(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestSessions(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		storetest.Sessions(t, func(t *testing.T) stores.Sessions {
			set, _ := fresh(t, client)
			return set.Sessions
		})
	})
}

func TestTokens(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		storetest.Tokens(t, func(t *testing.T) stores.Tokens {
			set, _ := fresh(t, client)
			return set.Tokens
		})
	})
}

func TestFactors(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		storetest.Factors(t, func(t *testing.T) stores.Factors {
			set, _ := fresh(t, client)
			return set.Factors
		})
	})
}

func TestIdentities(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		storetest.Identities(t, func(t *testing.T) stores.Identities {
			set, _ := fresh(t, client)
			return set.Identities
		})
	})
}

func TestLimiter(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		storetest.Limiter(t, func(t *testing.T) stores.Limiter {
			set, _ := fresh(t, client)
			return set.Limiter
		})
	})
}

const (
	row    = "0123456789abcdef0123456789abcdef"
	family = "fedcba9876543210fedcba9876543210"
	second = "00000000000000000000000000000002"
)

// present returns the time now, to the precision that stores keep.
func present() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func newSession() stores.Session {
	now := present()
	return stores.Session{
		Row: row, Digest: stores.DigestOf([]byte("1")), Owners: []string{"ann"},
		Values:  stores.NewValues(map[string][]byte{"color": []byte("red")}),
		Created: now, LastSeen: now, Expires: now.Add(time.Hour),
	}
}

func newToken() stores.Token {
	now := present()
	return stores.Token{
		ID: row, Family: family, Kind: stores.Refresh, Owner: "ann", Digest: stores.DigestOf([]byte("1")),
		Created: now, Expires: now.Add(time.Hour), FamilyExpires: now.Add(24 * time.Hour),
	}
}

func windows(n int) []stores.Window {
	list := make([]stores.Window, n)
	for i := range list {
		list[i] = stores.Window{Key: stores.DigestOf([]byte(rand.Text())), Limit: 5, Period: time.Minute}
	}
	return list
}
