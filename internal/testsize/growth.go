package testsize

import (
	"testing"
	"time"
)

// growth is how many times the larger of two inputs is the smaller. Work that grows with the
// square of its input takes growth² as long, so the limit is far from both.
const (
	growth      = 8
	growthLimit = 3 * growth
)

// Linear fails the test if the work of run grows faster than its input. It compares the
// fastest of several runs with inputs of n and of 8n, and tries again where another process
// may have disturbed it. Setup is not measured. With the race detector it skips the test,
// because its checks read whole slices where the code reads one byte.
func Linear(t *testing.T, n int, setup func(n int) (run func())) {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector has work of its own, which grows faster")
	}
	var ratio float64
	for range 15 {
		small, large := fastest(n, setup), fastest(growth*n, setup)
		if ratio = float64(large) / float64(max(small, 1)); ratio < growthLimit {
			return
		}
	}
	t.Errorf("%d times the input takes %.0f times as long: the work does not grow linearly", growth, ratio)
}

// fastest returns the time of the fastest of several runs.
func fastest(n int, setup func(n int) func()) time.Duration {
	var best time.Duration
	for i := range 5 {
		run := setup(n)
		began := time.Now()
		run()
		if d := time.Since(began); i == 0 || d < best {
			best = d
		}
	}
	return best
}
