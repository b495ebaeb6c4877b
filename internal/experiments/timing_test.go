package experiments_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
)

// What EXP-20 asks for.
const (
	warmUps     = 20
	timedPairs  = 200
	apart       = 0.05 // of one hash, how far the medians may be apart
	leastAbove  = 0.40 // the probability that a takes longer than b, at least
	mostAbove   = 0.60 // and at most
	timingTries = 3    // on a machine that does something else as well
)

// A secret is what two requests must not tell apart by how long they take: which
// of both was sent.
type secret struct {
	name string
	// locks leaves the limits that lock an account at their defaults.
	locks bool
	// hides hides which accounts exist.
	hides bool
	// unguessable says that the two tell no more than whether a random name of
	// 128 bits is that of a token. Whoever knows one has been shown the token.
	// Reading what is stored under it takes some microseconds, which may show.
	unguessable bool
	// requests prepares the two.
	requests func(a *timedApp) (first, second timedRequest)
}

// TestTiming measures whether the time of an answer tells what the answer does
// not, on a connection of the same machine. Where it does by chance, because the
// machine was busy, it measures again.
func TestTiming(t *testing.T) { // EXP-20
	if !testsize.Full() {
		t.Skip("takes minutes, and less of it finds nothing: set GINAUTH_LONG=1")
	}
	for name, open := range map[string]func(testing.TB) *testapp.Backend{
		"memory": testapp.Memory, "sqlite": testapp.SQLite, "postgres": testapp.Postgres,
	} {
		for _, s := range secrets {
			t.Run(name+"/"+s.name, func(t *testing.T) { s.measure(t, open(t)) })
		}
	}
}

// measure compares the two requests.
func (s secret) measure(t *testing.T, b *testapp.Backend) {
	a := newTimedApp(t, b, s)
	first, second := s.requests(a)
	hash := a.hashTime()
	var got timing
	for try := range timingTries {
		got = a.compare(first, second)
		t.Logf("try %d: %s", try+1, got.report(hash))
		if got.alike(hash, s.unguessable) {
			return
		}
	}
	t.Errorf("the two take different times: %s", got.report(hash))
}

// timing is what pairs of requests took.
type timing struct{ first, second []time.Duration }

// compare sends the two requests again and again, in an order that chance decides.
func (a *timedApp) compare(first, second timedRequest) timing {
	var got timing
	for i := range warmUps + timedPairs {
		if a.beforePair != nil {
			a.beforePair()
		}
		var took [2]time.Duration
		order := rand.IntN(2)
		for _, which := range []int{order, 1 - order} {
			if a.beforeEach != nil {
				a.beforeEach()
			}
			a.neutral() // so that neither meets what the other one left
			took[which] = a.time([]timedRequest{first, second}[which])
		}
		if i >= warmUps {
			got.first, got.second = append(got.first, took[0]), append(got.second, took[1])
		}
	}
	return got
}

// above returns the probability that the first takes longer than the second, as
// Mann and Whitney estimate it.
func (m timing) above() float64 {
	sum := 0.0
	for _, a := range m.first {
		for _, b := range m.second {
			switch {
			case a > b:
				sum++
			case a == b:
				sum += 0.5
			}
		}
	}
	return sum / float64(len(m.first)*len(m.second))
}

// apart returns how far the medians are apart, in hashes.
func (m timing) apart(hash time.Duration) float64 {
	return float64(quantile(m.first, 0.5)-quantile(m.second, 0.5)) / float64(hash)
}

// alike reports whether the two take the same time, or medians that are near
// enough to each other.
func (m timing) alike(hash time.Duration, medians bool) bool {
	p := m.above()
	return math.Abs(m.apart(hash)) <= apart && (medians || leastAbove <= p && p <= mostAbove)
}

func (m timing) report(hash time.Duration) string {
	text := fmt.Sprintf("medians %v and %v, apart by %+.2f %% of a hash of %v, P %.3f",
		quantile(m.first, 0.5), quantile(m.second, 0.5), 100*m.apart(hash), hash.Round(time.Microsecond), m.above())
	all := slices.Concat(m.first, m.second)
	if slow := float64(quantile(all, 0.9)) / float64(quantile(all, 0.5)); slow > 2 {
		text += fmt.Sprintf("; the machine was busy: one in ten took %.1f times the median", slow)
	}
	return text
}

// quantile returns the duration that a share of them all does not exceed.
func quantile(all []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[int(share*float64(len(sorted)-1))].Round(100 * time.Nanosecond)
}
