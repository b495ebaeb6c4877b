package main

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth/bench"
)

func TestParse(t *testing.T) {
	output := `goos: linux
BenchmarkJob
BenchmarkJob/session-read/ginauth
BenchmarkJob/session-read/ginauth/serial
BenchmarkJob/session-read/ginauth/serial-2  	  2000	      1625.5 ns/op	  1.000 trips/op	    1625 B/op	      14 allocs/op
PASS
`
	got := parse([]byte(output))
	for unit, want := range map[string]float64{"ns/op": 1625.5, "trips/op": 1, "B/op": 1625, "allocs/op": 14} {
		if got[unit] != want {
			t.Errorf("%s: %v, want %v", unit, got[unit], want)
		}
	}
	if got := parse([]byte("--- SKIP: BenchmarkJob/session-read-redis/get\n")); got != nil {
		t.Errorf("figures of a benchmark that did not run: %v", got)
	}
}

func measured(ours, peer []float64) []pair {
	passes := make([]pair, len(ours))
	for i := range passes {
		passes[i] = pair{figures{unitTime: ours[i], unitAllocs: 3}, figures{unitTime: peer[i], unitAllocs: 9}}
	}
	return passes
}

func TestLine(t *testing.T) {
	passes := measured([]float64{100, 220, 90}, []float64{1000, 2000, 1000})
	for _, c := range []struct {
		name   string
		target bench.Target
		want   string
	}{
		// The ratios of the passes are 0.10, 0.11 and 0.09.
		{"met", bench.Target{Measure: bench.Ratio, Bound: 0.1}, "| 0.10 × (0.090–0.11) | ≤ 0.10 × | met |"},
		{"missed", bench.Target{Measure: bench.Ratio, Bound: 0.08}, "| ≤ 0.080 × | missed by 25 % |"},
		{"speedup met", bench.Target{Measure: bench.Speedup, Bound: 10}, "| 10.0 × (9.09–11.1) | ≥ 10.0 × | met |"},
		{"speedup missed", bench.Target{Measure: bench.Speedup, Bound: 20}, "| ≥ 20.0 × | missed by 50 % |"},
		{"difference", bench.Target{Measure: bench.Difference, Bound: 300}, "| -910 ns (-1780–-900) | ≤ 300 ns | met |"},
		{"time", bench.Target{Measure: bench.Time, Bound: 80}, "| 100 ns (90.0–220) | ≤ 80.0 ns | missed by 25 % |"},
		{"allocations", bench.Target{Measure: bench.Allocs, Bound: 0}, "| 3 allocs | ≤ 0 allocs | missed by 3 |"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := measuredRow{Row: bench.Row{Title: "job", Ours: "a/ginauth/serial", Peer: "a/scs/serial", Targets: []bench.Target{c.target}}, passes: passes}
			line := r.line()
			if !strings.HasPrefix(line, "| job | 100 ns | 3 | scs | 1.00 µs | 9 |") || !strings.HasSuffix(line, c.want) {
				t.Errorf("%s, want … %s", line, c.want)
			}
		})
	}
}

func TestLineWithoutServer(t *testing.T) {
	r := measuredRow{Row: bench.Row{Title: "job"}, missing: "GINAUTH_TEST_REDIS"}
	if line := r.line(); !strings.Contains(line, "not run: needs GINAUTH_TEST_REDIS") {
		t.Error(line)
	}
}
