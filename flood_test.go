package ginauth_test

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/hashing"
)

// residentMiB returns a figure of this process from /proc, in MiB.
func residentMiB(t *testing.T, field string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib / 1024
		}
	}
	t.Fatalf("no %s in /proc/self/status", field)
	return 0
}

// TestHashFlood sends many logins at once. What they may cost is bounded: the
// hashes that run, those that wait, and 503 for the rest. With GINAUTH_LONG=1
// it is the whole experiment, with production costs, and prints its figures.
func TestHashFlood(t *testing.T) { // EXP-05, P06
	driver, logins, concurrency := hashing.Argon2id{Memory: 19 * 1024, Time: 2}, 200, 1
	long := os.Getenv("GINAUTH_LONG") == "1"
	if long {
		driver, logins = hashing.Argon2id{Memory: 64 * 1024, Time: 1}, 500
	} else if testing.Short() {
		driver.Memory = 64
	}
	a := newApp(t, memoryBackend(t), func(c *ginauth.Config) {
		c.Throttle.InsecureDisable = true
		c.Hashing = hashing.Config{Driver: driver, Concurrency: concurrency, InsecureAllowWeakParameters: testing.Short()}
	}, nil)
	reader := a.loggedIn(aliceEmail)
	idle := latencies(t, 200, reader, nil)
	debug.FreeOSMemory()
	base, before := residentMiB(t, "VmRSS"), a.m.Hasher().Computations()

	var served, busy atomic.Int64
	var slowest atomic.Int64
	done := make(chan struct{})
	var under []time.Duration
	var wg sync.WaitGroup
	wg.Go(func() { under = latencies(t, 1_000_000, reader, done) })
	together(logins, func(int) {
		began := time.Now()
		res, err := a.client().try(context.Background(), "POST", "/login", "application/json",
			fmt.Sprintf(`{"email":%q,"password":"wrong"}`, aliceEmail))
		switch {
		case err != nil:
			t.Error(err)
		case res.StatusCode == 401:
			served.Add(1)
		case res.StatusCode == 503 && res.Header.Get("Retry-After") != "":
			busy.Add(1)
			slowest.Store(max(slowest.Load(), int64(time.Since(began))))
		default:
			t.Errorf("status %d %s", res.StatusCode, res.body)
		}
	})
	close(done)
	wg.Wait()
	peak := residentMiB(t, "VmRSS")
	if n := int64(a.m.Hasher().Computations() - before); n != served.Load() || served.Load() < 65 || busy.Load() == 0 {
		t.Errorf("%d hashes for %d answers of 401, and %d of 503", n, served.Load(), busy.Load())
	}
	if limit := base + (concurrency+1)*64 + 64; long && peak > limit {
		t.Errorf("%d MiB resident, %d before", peak, base)
	}
	t.Logf("%d logins: %d hashed, %d refused (slowest %v); resident %d MiB, %d before; GET /me p99 %v, idle %v",
		logins, served.Load(), busy.Load(), time.Duration(slowest.Load()), peak, base, p99(under), p99(idle))
	reader.get("/me").want(t, 200)
}

// latencies measures GET /me, n times or until done is closed.
func latencies(t *testing.T, n int, c *client, done <-chan struct{}) []time.Duration {
	var took []time.Duration
	for range n {
		select {
		case <-done:
			return took
		default:
		}
		began := time.Now()
		if res, err := c.try(context.Background(), "GET", "/me", "", ""); err != nil || res.StatusCode != 200 {
			t.Errorf("%v %v", res, err)
			return took
		}
		took = append(took, time.Since(began))
	}
	return took
}

func p99(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)*99/100]
}
