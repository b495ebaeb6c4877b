package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/ulule/limiter/v3"
	ululegin "github.com/ulule/limiter/v3/drivers/middleware/gin"
	ululememory "github.com/ulule/limiter/v3/drivers/store/memory"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// plenty is a limit that no benchmark reaches. few is a limit that a test
// reaches.
const (
	plenty = 1 << 30
	few    = 3
)

func throttleJobs() []job {
	inMemory := func(testing.TB) stores.Set { return stores.Set{} }
	inRedis := func(tb testing.TB) stores.Set {
		client, prefix := testservers.Redis(tb)
		return redisstore.New(client, redisstore.WithPrefix(prefix))
	}
	return []job{
		{name: "throttle", modes: growth, sides: []side{
			{"ginauth", openThrottle(inMemory, "/refused-early")},
			{"ginauth-behind", openThrottle(inMemory, "/behind/refused-early")},
			{"ginauth-without", openUnthrottled},
			{"ginauth-count", openThrottle(inMemory, "/counted")},
			{"ulule", throttled(ululeApp(1))},
			{"ulule-four", throttled(ululeApp(4))},
		}},
		{name: "throttle-redis", sides: []side{
			{"ginauth", openThrottle(inRedis, "/refused-early")},
			{"ginauth-count", openThrottle(inRedis, "/counted")},
			{"redis_rate", throttled(redisRateApp(1))},
			{"redis_rate-four", throttled(redisRateApp(4))},
			{"get", openGet},
		}},
	}
}

// throttled returns a target whose requests are all within the limit. Its check
// uses another application with a low limit.
func throttled(app func(tb testing.TB, limit int) http.Handler) func(testing.TB) target {
	return func(tb testing.TB) target {
		t := serve(app(tb, plenty), plainRequests("/counted", "hello"))
		t.check = func(tb testing.TB) { checkLimit(tb, app(tb, few), "/counted") }
		return t
	}
}

// checkLimit checks that only a few requests pass. ThrottleLogins refuses early what was refused
// before.
func checkLimit(tb testing.TB, handler http.Handler, path string) {
	tb.Helper()
	for range few {
		want(tb, handler, "GET", "/counted", nil, http.StatusOK, "hello")
	}
	want(tb, handler, "GET", "/counted", nil, http.StatusTooManyRequests, anyBody)
	want(tb, handler, "GET", path, nil, http.StatusTooManyRequests, anyBody)
}

// openThrottle measures a path of throttleApp.
func openThrottle(open func(testing.TB) stores.Set, path string) func(testing.TB) target {
	return func(tb testing.TB) target {
		t := serve(throttleApp(tb, open(tb), plenty), plainRequests(path, "hello"))
		t.check = func(tb testing.TB) { checkLimit(tb, throttleApp(tb, open(tb), few), path) }
		return t
	}
}

// openUnthrottled measures the same application without ThrottleLogins.
func openUnthrottled(tb testing.TB) target {
	return serve(throttleApp(tb, stores.Set{}, plenty), plainRequests("/behind/open", "hello"))
}

// throttleApp checks, below /refused-early, whether the client's address may
// attempt to log in. Below /counted it counts an attempt for the address, for
// the passwords that it makes the server hash, for the account, and for account
// and address together.
func throttleApp(tb testing.TB, set stores.Set, attempts int) http.Handler {
	limit := ginauth.Limit{Attempts: attempts, Per: time.Minute}
	auth := newAuth(tb, ginauth.Config{Stores: set, Throttle: ginauth.ThrottleConfig{
		Address: limit, Account: limit, AccountAddress: limit,
	}})
	r := newEngine()
	r.GET("/refused-early", auth.ThrottleLogins(), static)
	behind := r.Group("/behind", auth.StartSession())
	behind.GET("/refused-early", auth.ThrottleLogins(), static)
	behind.GET("/open", static)
	r.GET("/counted", auth.ThrottleLogins(), func(c *gin.Context) {
		email, _, _ := strings.Cut(c.Request.RemoteAddr, ":")
		if _, err := ginauth.From(c).Throttle(c.Request.Context(), "email", email+"@example.com"); err != nil {
			ginauth.Abort(c, err)
			return
		}
		static(c)
	})
	return r
}

// ululeApp counts in some windows, each a limiter of its own.
func ululeApp(windows int) func(testing.TB, int) http.Handler {
	return func(_ testing.TB, limit int) http.Handler {
		r := newEngine()
		for i := range windows {
			store := ululememory.NewStoreWithOptions(limiter.StoreOptions{Prefix: fmt.Sprint("bench", i), CleanUpInterval: time.Minute})
			r.Use(ululegin.NewMiddleware(limiter.New(store, limiter.Rate{Period: time.Minute, Limit: int64(limit)})))
		}
		r.GET("/counted", static)
		return r
	}
}

// redisRateApp counts in some windows, one after the other.
func redisRateApp(windows int) func(testing.TB, int) http.Handler {
	return func(tb testing.TB, limit int) http.Handler {
		client, prefix := testservers.Redis(tb)
		limits := redis_rate.NewLimiter(client)
		// The keys have their own prefix, and expire.
		key := fmt.Sprintf("%s%d:", prefix, limit)
		allowed := redis_rate.Limit{Rate: limit, Burst: limit, Period: time.Minute}
		r := newEngine()
		r.GET("/counted", func(c *gin.Context) {
			for i := range windows {
				got, err := limits.Allow(c.Request.Context(), key+strconv.Itoa(i)+c.ClientIP(), allowed)
				switch {
				case err != nil:
					c.AbortWithStatus(http.StatusServiceUnavailable)
					return
				case got.Allowed == 0:
					c.AbortWithStatus(http.StatusTooManyRequests)
					return
				}
			}
			static(c)
		})
		tb.Cleanup(func() { deleteRate(tb, client, key) })
		return r
	}
}

func deleteRate(tb testing.TB, client *redis.Client, key string) {
	ctx := context.Background()
	for _, name := range testservers.RedisKeys(tb, client, "rate:"+key) {
		if err := client.Unlink(ctx, name).Err(); err != nil {
			tb.Error(err)
		}
	}
}
