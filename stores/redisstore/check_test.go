package redisstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// refusal is an error that was returned by a server.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) RedisError()     {}

func TestCheck(t *testing.T) {
	const good = "maxmemory_policy:noeviction\r\naof_enabled:1\r\n"
	noPermission := refusal("NOPERM this user has no permissions")
	for _, c := range []struct {
		name, info string
		infoErr    error
		sync       string
		syncErr    error
		rewrite    string
		ahead      time.Duration
		want       []string
	}{
		{name: "good", info: good, sync: "always", rewrite: "no"},
		{name: "evicts", info: "maxmemory_policy:allkeys-lru\r\naof_enabled:1\r\n", sync: "always", want: []string{"allkeys-lru"}},
		{name: "no AOF", info: "maxmemory_policy:noeviction\r\naof_enabled:0\r\n", want: []string{"append-only file"}},
		{name: "never synced", info: good, sync: "no", want: []string{"appendfsync no"}},
		{name: "synced each second", info: good, sync: "everysec", want: []string{"appendfsync everysec"}},
		{name: "not synced during a rewrite", info: good, sync: "always", rewrite: "yes", want: []string{"no-appendfsync-on-rewrite"}},
		{name: "CONFIG refused", info: good, syncErr: noPermission, want: []string{"refuses CONFIG GET"}},
		{name: "INFO refused", infoErr: noPermission, want: []string{"evicts keys", "when it restarts"}},
		{name: "clock", info: good, sync: "always", ahead: 7 * time.Minute, want: []string{"differs from ours by 7m0s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := closing(t, redis.NewClient(&redis.Options{ContextTimeoutEnabled: true}))
			client.AddHook(&hook{before: func(cmd redis.Cmder) bool {
				switch cmd := cmd.(type) {
				case *redis.TimeCmd:
					cmd.SetVal(time.Now().Add(c.ahead))
				case *redis.MapStringStringCmd:
					cmd.SetVal(map[string]string{"appendfsync": c.sync, "no-appendfsync-on-rewrite": c.rewrite})
					cmd.SetErr(c.syncErr)
				case *redis.StringCmd:
					cmd.SetVal(c.info)
					cmd.SetErr(c.infoErr)
				}
				return true
			}})
			mentions(t, check(t, client), c.want)
		})
	}
}

func check(t *testing.T, client redis.UniversalClient) []string {
	t.Helper()
	warnings, err := redisstore.New(client).Limiter.(stores.Checker).Check(t.Context())
	if err != nil {
		t.Errorf("Check: %v", err)
	}
	return warnings
}

// mentions checks that there are as many warnings as texts, and that each warning contains
// the text at its index.
func mentions(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("Check: %q; want %d warnings", got, len(want))
	}
	for i := range got {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("%q does not mention %s", got[i], want[i])
		}
	}
}

// TestCheckClient checks clients whose options weaken a promise.
func TestCheckClient(t *testing.T) {
	o := options(t)
	for _, c := range []struct {
		name   string
		client func(t testing.TB) redis.UniversalClient
		want   []string
	}{
		{"deaf", func(testing.TB) redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: o.Addr}) },
			[]string{"ContextTimeoutEnabled"}},
		{"ring", func(testing.TB) redis.UniversalClient {
			return redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": o.Addr}})
		}, []string{"A Ring", "ContextTimeoutEnabled"}},
		{"replicas", func(t testing.TB) redis.UniversalClient {
			return redis.NewClusterClient(&redis.ClusterOptions{
				Addrs: strings.Split(variable(t, "GINAUTH_TEST_REDIS_CLUSTER"), ","), RouteByLatency: true,
			})
		}, []string{"ContextTimeoutEnabled", "reads from replicas"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, warning := range check(t, closing(t, c.client(t))) {
				if strings.Contains(warning, "client") || strings.Contains(warning, "Ring") {
					got = append(got, warning)
				}
			}
			mentions(t, got, c.want)
		})
	}
}

// TestCheckDurability checks servers with each setting for the flushes of the append-only
// file.
func TestCheckDurability(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings []string
		want     []string
	}{
		{"always", []string{"--appendfsync", "always"}, nil},
		{"everysec", []string{"--appendfsync", "everysec"}, []string{"appendfsync everysec"}},
		{"no", []string{"--appendfsync", "no"}, []string{"appendfsync no"}},
		{"rewrite", []string{"--no-appendfsync-on-rewrite", "yes"}, []string{"no-appendfsync-on-rewrite"}},
		{"no file", []string{"--appendonly", "no"}, []string{"append-only file"}},
		{"evicts", []string{"--maxmemory-policy", "volatile-lru"}, []string{"volatile-lru"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := testservers.NewRedisServer(t, c.settings...)
			client := closing(t, redis.NewClient(&redis.Options{Addr: server.Address, ContextTimeoutEnabled: true}))
			mentions(t, check(t, client), c.want)
		})
	}
}

func TestCheckDown(t *testing.T) {
	down := errors.New("down")
	client := closing(t, redis.NewClient(&redis.Options{}))
	client.AddHook(&hook{before: func(cmd redis.Cmder) bool { cmd.SetErr(down); return true }})
	if _, err := redisstore.New(client).Tokens.(stores.Checker).Check(t.Context()); !errors.Is(err, down) {
		t.Errorf("Check of a server that is down: %v", err)
	}
}

// TestCheckServers checks the servers of the tests, whatever their settings are.
func TestCheckServers(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		set, _ := fresh(t, client)
		for _, store := range []any{set.Sessions, set.Tokens, set.Limiter, set.Factors, set.Identities} {
			warnings, err := store.(stores.Checker).Check(t.Context())
			if err != nil {
				t.Error(err)
			}
			for _, warning := range warnings {
				if strings.Contains(warning, "client") || strings.Contains(warning, "does not say") || strings.Contains(warning, "unknown") {
					t.Errorf("unexpected: %s", warning)
				}
			}
		}
	})
}
