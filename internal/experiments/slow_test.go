package experiments_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/internal/testsize"
)

// TestSlowStore lets requests come at a steady rate while the way to the store is
// slow, or its connections are reset.
func TestSlowStore(t *testing.T) { // EXP-16
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	t.Run("postgres", func(t *testing.T) {
		p, dsn := testservers.Behind(t, testservers.PostgresDSN(t))
		slowStore(t, spec{Postgres: dsn}, p)
	})
	t.Run("redis", func(t *testing.T) {
		_, prefix := testservers.Redis(t)
		p := testservers.NewProxy(t, testservers.RedisOptions(t).Addr)
		through, err := url.Parse(testservers.Address(t, testservers.RedisVariable))
		if err != nil {
			t.Fatal(err)
		}
		through.Host = p.Address()
		slowStore(t, spec{SQLite: filepath.Join(t.TempDir(), "users.db"), Redis: through.String(), Prefix: prefix}, p)
	})
}

const (
	rate         = 200 // requests a second
	storeTimeout = time.Second
)

func slowStore(t *testing.T, s spec, p *testservers.Proxy) {
	if err := s.prepare(writers); err != nil {
		t.Fatal(err)
	}
	b, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	app := s.serve(t, b, testapp.StoreTime(storeTimeout))
	sessions := make([]string, writers)
	for i := range sessions {
		sessions[i] = app.mustLogIn(i).Session()
	}
	each, rest := time.Duration(testsize.Rounds(75, 1))*time.Second, 1500*time.Millisecond
	before := goroutines(app, p)
	for _, phase := range slowPhases() {
		p.SetDelay(phase.delay)
		p.SetShare(phase.share)
		p.Set(phase.mode)
		during := app.load(each, sessions)
		p.Set(testservers.Forward)
		lifted := time.Now()
		after := app.load(rest, sessions)
		t.Logf("%s for %v: %s; afterwards %s", phase.name, each, during, after)
		for _, o := range slices.Concat(during, after) {
			o.check(t, phase.name, lifted)
		}
	}
	if after := goroutines(app, p); after > before+10 {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

// A slowPhase is what is wrong on the way to the store for some time.
type slowPhase struct {
	name  string
	mode  testservers.Mode
	delay time.Duration
	share float64
}

func slowPhases() []slowPhase {
	phases := []slowPhase{
		{"2 s late", testservers.Slow, 2 * time.Second, 0},
		{"5 % reset", testservers.Flaky, 0, 0.05},
		{"200 ms late", testservers.Slow, 200 * time.Millisecond, 0},
		{"1 % reset", testservers.Flaky, 0, 0.01},
	}
	if !testsize.Full() {
		return phases[:2]
	}
	return phases
}

// goroutines counts goroutines once those of requests and of connections have
// ended.
func goroutines(app *app, p *testservers.Proxy) int {
	app.transport.CloseIdleConnections()
	p.Set(testservers.Refuse)
	p.Set(testservers.Forward)
	n := runtime.NumGoroutine()
	for end := time.Now().Add(time.Second); time.Now().Before(end); runtime.Gosched() {
		n = min(n, runtime.NumGoroutine())
	}
	return n
}

// An outcome is one request and its answer.
type outcome struct {
	sent   time.Time
	took   time.Duration
	status int
	err    error
	// stall is the longest time that this process did not run although it
	// should have, because the machine did something else.
	stall time.Duration
}

// check asserts that the answer came in time, was 200, 204 or 503, and was no
// outage from a second after the store was well again.
func (o outcome) check(t *testing.T, phase string, lifted time.Time) {
	t.Helper()
	switch {
	case o.err != nil:
		t.Errorf("%s: %v", phase, o.err)
	case o.took > storeTimeout+500*time.Millisecond+o.stall:
		t.Errorf("%s: an answer, %d, took %v", phase, o.status, o.took)
	case o.status != 200 && o.status != 204 && o.status != 503:
		t.Errorf("%s: status %d", phase, o.status)
	case o.status == 503 && o.sent.Sub(lifted) > time.Second+o.stall:
		t.Errorf("%s: an outage %v after it ended", phase, o.sent.Sub(lifted))
	}
}

type outcomes []outcome

// String says how the requests went.
func (all outcomes) String() string {
	took := make([]time.Duration, len(all))
	outages := 0
	for i, o := range all {
		took[i] = o.took
		if o.status == 503 {
			outages++
		}
	}
	slices.Sort(took)
	return fmt.Sprintf("%d answers, %d of them 503, median %v, slowest %v, stall %v", len(all), outages,
		took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), all[0].stall.Round(time.Millisecond))
}

// load sends requests at the rate, whether or not earlier ones were answered,
// and returns what became of them all.
func (a *app) load(d time.Duration, sessions []string) outcomes {
	all := make(outcomes, int(d.Seconds()*rate))
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	var group sync.WaitGroup
	var stall time.Duration
	last := time.Now()
	for i := range all {
		<-tick.C
		stall, last = max(stall, time.Since(last)), time.Now()
		group.Go(func() {
			c := a.client().With(sessions[i%len(sessions)])
			o := outcome{sent: time.Now()}
			method, path := "GET", "/me"
			if i%4 == 0 {
				method, path = "POST", "/set?k=k&v=1"
			}
			var res *testapp.Response
			res, o.err = ask(c, method, path, "")
			o.status, o.took = statusOf(res), time.Since(o.sent)
			all[i] = o
		})
	}
	group.Wait()
	for i := range all {
		all[i].stall = stall
	}
	return all
}
