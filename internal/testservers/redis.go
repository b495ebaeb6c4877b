package testservers

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// RedisOptions returns the options of a client of the single server. Its
// deadlines are those of the contexts.
func RedisOptions(t testing.TB) *redis.Options {
	t.Helper()
	options, err := redis.ParseURL(Address(t, RedisVariable))
	if err != nil {
		t.Fatal(err)
	}
	options.ContextTimeoutEnabled = true
	return options
}

// Redis opens a client of the single server and returns a prefix for keys. Keys
// with this prefix are deleted when the test ends.
func Redis(t testing.TB) (client *redis.Client, prefix string) {
	t.Helper()
	client = redis.NewClient(RedisOptions(t))
	prefix = "ginauth-test-" + strings.ToLower(rand.Text()[:12]) + ":"
	t.Cleanup(func() {
		defer client.Close()
		for _, key := range RedisKeys(t, client, prefix) {
			if err := client.Unlink(context.Background(), key).Err(); err != nil {
				t.Error(err)
			}
		}
	})
	return client, prefix
}

// RedisBehind returns a proxy for the single server, a client that uses the proxy, and a prefix
// for keys as Redis does.
func RedisBehind(t testing.TB) (p *Proxy, client *redis.Client, prefix string) {
	t.Helper()
	_, prefix = Redis(t)
	options := RedisOptions(t)
	p = NewProxy(t, options.Addr)
	options.Addr = p.Address()
	client = redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return p, client, prefix
}

// RedisKeys returns the keys that begin with a prefix.
func RedisKeys(t testing.TB, client *redis.Client, prefix string) []string {
	t.Helper()
	ctx := context.Background()
	var keys []string
	found := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for found.Next(ctx) {
		keys = append(keys, found.Val())
	}
	if err := found.Err(); err != nil {
		t.Error(err)
	}
	return keys
}
