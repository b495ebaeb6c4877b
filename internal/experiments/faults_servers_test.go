package experiments_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"gorm.io/driver/postgres"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// behindProxy runs a test on stores whose server is behind a proxy. The
// backend's own view at rest goes around it.
func behindProxy(t *testing.T, test func(t *testing.T, b *testapp.Backend, p *testservers.Proxy)) {
	t.Run("postgres", func(t *testing.T) {
		p, dsn := testservers.Behind(t, testservers.PostgresDSN(t))
		test(t, testapp.SQL(t, "postgres", testservers.Connect(t, postgres.Open(dsn))), p)
	})
	t.Run("redis", func(t *testing.T) {
		b := testapp.Redis(t)
		options := testservers.RedisOptions(t)
		p := testservers.NewProxy(t, options.Addr)
		options.Addr = p.Address()
		client := redis.NewClient(options)
		t.Cleanup(func() { _ = client.Close() })
		b.Set = redisstore.New(client, redisstore.WithPrefix(b.Prefix))
		test(t, b, p)
	})
}

// serverRequests are requests that each need the server.
var serverRequests = []string{
	"GET /me", "GET /verified", "GET /guest", "GET /all", "POST /set?k=a&v=b", "POST /login", "POST /logout",
}

func TestServerFaults(t *testing.T) { // EXP-15
	const timeout = 200 * time.Millisecond
	modes := map[string]testservers.Mode{
		"refuse": testservers.Refuse, "reset": testservers.Reset, "hang": testservers.Hang, "slow": testservers.Slow,
	}
	if testing.Short() {
		delete(modes, "refuse")
		delete(modes, "slow")
	}
	behindProxy(t, func(t *testing.T, b *testapp.Backend, p *testservers.Proxy) {
		p.SetDelay(2 * time.Second)
		a := testapp.New(t, b, testapp.Configure(testapp.StoreTime(timeout)))
		cookie := a.Sibling(func(*ginauth.Config) {}).LoggedIn(testapp.Alice).Session() // which has more time
		bodies := map[string]bool{}
		var slowest time.Duration
		before := idleGoroutines(a, p)
		for name, mode := range modes {
			for _, request := range serverRequests {
				what := name + ", " + request
				p.Set(mode)
				credentials := fmt.Sprintf(`{"email":%q,"password":%q}`, testapp.Alice, testapp.Password)
				res := outage(t, a.Client().With(cookie), what, request, credentials, timeout+500*time.Millisecond)
				bodies[res.Text] = true
				p.Set(testservers.Refuse) // what is still on its way does not arrive later
				p.Set(testservers.Forward)
				slowest = max(slowest, recovers(a, what, cookie))
			}
		}
		if len(bodies) != 1 {
			t.Errorf("outages have %d bodies: %v", len(bodies), slices.Collect(maps.Keys(bodies)))
		}
		t.Logf("the slowest recovery took %v", slowest)
		deadline := time.Now().Add(5 * time.Second)
		for idleGoroutines(a, p) > before+5 && time.Now().Before(deadline) {
			runtime.Gosched()
		}
		if after := idleGoroutines(a, p); after > before+5 {
			t.Errorf("%d goroutines, %d before", after, before)
		}
	})
}

// idleGoroutines counts goroutines while there are no connections.
func idleGoroutines(a *testapp.App, p *testservers.Proxy) int {
	p.Set(testservers.Refuse)
	a.Server.Client().CloseIdleConnections()
	p.Set(testservers.Forward)
	return runtime.NumGoroutine()
}
