package experiments_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
)

// TestRightPasswordsDoNotStarveTheHasher lets three addresses log into 24 accounts of
// their own as fast as they can, for five minutes of the application's time. Meanwhile an
// honest user logs in 20 times.
func TestRightPasswordsDoNotStarveTheHasher(t *testing.T) { // B04
	for _, tt := range []struct {
		name   string
		budget ginauth.Limit
	}{
		{"as configured by default", ginauth.Limit{}},
		{"without a budget", ginauth.Limit{Attempts: 1 << 30, Per: time.Minute}}, // the share alone
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.budget.Attempts > 0 && !testsize.Full() {
				t.Skip("takes as long as the other one")
			}
			a := testapp.New(t, testapp.Memory(t), testapp.Configure(testapp.AddressFromHeader, func(c *ginauth.Config) {
				c.Hashing = hashing.Config{
					Driver: hashing.Argon2id{Memory: 4096, Time: 1, Threads: 1}, Concurrency: 1, Queue: 16, // 4 MiB
					InsecureAllowWeakParameters: true,
				}
				c.Throttle.Passwords = tt.budget
			}))
			var accounts [24]string
			for i := range accounts {
				accounts[i] = fmt.Sprintf("own%d@example.com", i)
				a.AddUser(fmt.Sprint("Own", i), accounts[i], testapp.Password)
			}
			var over atomic.Bool
			var attackers sync.WaitGroup
			var busy, served atomic.Int64
			for i := range 3 * len(accounts) {
				attackers.Go(func() {
					c := a.Client().From(fmt.Sprintf("198.51.100.%d", i%3))
					for !over.Load() {
						c.Cookies = map[string]string{}
						switch c.LogIn(accounts[i/3], testapp.Password).StatusCode {
						case 200:
							served.Add(1)
						case 503:
							busy.Add(1)
						}
					}
				})
			}
			for busy.Load() < 20 && served.Load() < 200 { // the queue is full
				runtime.Gosched()
			}
			statuses := map[int]int{}
			for range 20 {
				a.Clock.Advance(15 * time.Second)
				c := a.Client().From("192.0.2.1")
				statuses[c.LogIn(testapp.Alice, testapp.Password).StatusCode]++
			}
			over.Store(true)
			attackers.Wait()
			if statuses[200] != 20 {
				t.Errorf("the honest user got %v", statuses)
			}
			t.Logf("the others got %d logins and %d times 503", served.Load(), busy.Load())
		})
	}
}
