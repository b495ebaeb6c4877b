package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/ginauth/ginauth/bench"
)

// printRows prints the tables.
func printRows(out io.Writer, rows []*measuredRow) {
	for _, growth := range []bool{false, true} {
		first := true
		for _, r := range rows {
			if r.Growth != growth {
				continue
			}
			if first {
				if growth {
					fmt.Fprint(out, "\nGrowth, ginauth beside itself:\n\n")
				}
				fmt.Fprintln(out, "| job | ginauth | allocs | compared with | | allocs | median (spread) | target | |")
				fmt.Fprintln(out, "| --- | ---: | ---: | --- | ---: | ---: | --- | --- | --- |")
				first = false
			}
			fmt.Fprintln(out, r.line())
		}
	}
}

// line returns the row as Markdown.
func (r *measuredRow) line() string {
	if len(r.passes) == 0 {
		return fmt.Sprintf("| %s | | | | | | | | not run: needs %s |", r.Title, r.missing)
	}
	targets := r.Targets
	if len(targets) == 0 {
		targets = []bench.Target{{Measure: bench.Ratio}}
	}
	var measured, asked, results []string
	for _, t := range targets {
		s := summarize(r.passes, t)
		measured = append(measured, s.text(t))
		if t.Bound > 0 || t.Measure == bench.Allocs {
			asked = append(asked, boundText(t))
			results = append(results, s.result(t))
		}
	}
	if !slices.ContainsFunc(results, func(s string) bool { return s != "met" }) {
		results = slices.Compact(results)
	}
	own, ownAllocs := r.figure(ours)
	peer, peerAllocs := r.figure(peers)
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s | %s | %s |", r.Title,
		own, ownAllocs, r.peerName(), peer, peerAllocs,
		strings.Join(measured, "; "), strings.Join(asked, "; "), strings.Join(results, "; "))
}

// peerName returns the name of the peer: its side, or its mode if both have the
// same side.
func (r *measuredRow) peerName() string {
	a, b := strings.Split(r.Ours, "/"), strings.Split(r.Peer, "/")
	switch {
	case len(b) < 3:
		return ""
	case a[0] == b[0] && a[1] == b[1]:
		return b[2]
	}
	return b[1]
}

func ours(p pair) figures  { return p.ours }
func peers(p pair) figures { return p.peer }

// figure returns the median time and allocations of one side. If the row has a
// target for another unit, it returns the median of that unit.
func (r *measuredRow) figure(side func(pair) figures) (value, allocs string) {
	if side(r.passes[0]) == nil {
		return "", ""
	}
	middle := func(unit string) float64 {
		return median(each(r.passes, func(p pair) float64 { return side(p)[unit] }))
	}
	if len(r.Targets) > 0 {
		if t := r.Targets[0]; t.Measure == bench.Unit || t.Measure == bench.UnitRatio {
			return digits(middle(t.Unit)) + " " + t.Unit, ""
		}
	}
	return duration(middle(unitTime)), fmt.Sprint(middle(unitAllocs))
}

func each(passes []pair, f func(pair) float64) []float64 {
	values := make([]float64, len(passes))
	for i, p := range passes {
		values[i] = f(p)
	}
	return values
}

// summary is the summary of all passes for one measure.
type summary struct{ median, min, max float64 }

func summarize(passes []pair, t bench.Target) summary {
	values := each(passes, func(p pair) float64 { return value(p, t) })
	return summary{median(values), slices.Min(values), slices.Max(values)}
}

// value returns the result of one pass for a measure.
func value(p pair, t bench.Target) float64 {
	switch t.Measure {
	case bench.Ratio:
		return p.ours[unitTime] / p.peer[unitTime]
	case bench.Speedup:
		return p.peer[unitTime] / p.ours[unitTime]
	case bench.Difference:
		return p.ours[unitTime] - p.peer[unitTime]
	case bench.Time:
		return p.ours[unitTime]
	case bench.Allocs:
		return p.ours[unitAllocs]
	case bench.UnitRatio:
		return p.ours[t.Unit] / p.peer[t.Unit]
	}
	return p.ours[t.Unit]
}

// median returns the median of the values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// write formats a value with the unit of its measure.
func write(v float64, t bench.Target) string {
	switch t.Measure {
	case bench.Ratio, bench.Speedup:
		return digits(v) + " ×"
	case bench.Difference, bench.Time:
		return duration(v)
	case bench.Allocs:
		return fmt.Sprintf("%.0f allocs", v)
	case bench.UnitRatio:
		return digits(v) + " × " + t.Unit
	}
	return digits(v) + " " + t.Unit
}

func (s summary) text(t bench.Target) string {
	if s.min == s.max {
		return write(s.median, t)
	}
	return fmt.Sprintf("%s (%s–%s)", write(s.median, t), digits(s.min), digits(s.max))
}

func boundText(t bench.Target) string {
	sign := "≤"
	if t.Measure == bench.Speedup {
		sign = "≥"
	}
	return sign + " " + write(t.Bound, t)
}

// result returns "met" if the median meets the target, and otherwise by how
// much it misses it.
func (s summary) result(t bench.Target) string {
	over := s.median - t.Bound
	if t.Measure == bench.Speedup {
		over = -over
	}
	switch {
	case over <= 0:
		return "met"
	case t.Measure == bench.Allocs:
		return fmt.Sprintf("missed by %.0f", over)
	}
	return fmt.Sprintf("missed by %.0f %%", max(1, math.Round(100*over/t.Bound)))
}

// duration formats nanoseconds.
func duration(ns float64) string {
	switch abs := math.Abs(ns); {
	case abs >= 1e6:
		return digits(ns/1e6) + " ms"
	case abs >= 1e3:
		return digits(ns/1e3) + " µs"
	}
	return digits(ns) + " ns"
}

// digits formats a number with three significant digits, or with all digits
// before the point.
func digits(v float64) string {
	switch abs := math.Abs(v); {
	case abs >= 100:
		return fmt.Sprintf("%.0f", v)
	case abs >= 10:
		return fmt.Sprintf("%.1f", v)
	case abs >= 0.1 || abs == 0:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
