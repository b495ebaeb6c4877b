package bench_test

import (
	"fmt"
	"io"
	"log"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/bench"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	log.SetOutput(io.Discard) // gin-jwt logs its configuration
	m.Run()
}

// job is a task that several libraries can do.
type job struct {
	name  string
	sides []side
	// modes are additional to serial and parallel, or replace them if only is
	// set.
	modes []string
	only  bool
	// slow jobs are tested with fewer repetitions.
	slow bool
}

// side is one way to do a job.
type side struct {
	name string
	// open prepares everything that is not measured.
	open func(tb testing.TB) target
}

// target is an opened side.
type target struct {
	// worker returns a function that does the job once and reports whether the
	// response was correct. Each goroutine has its own worker.
	worker func() func() bool
	// prepare, if set, is called with the number of times the job will be done.
	prepare func(tb testing.TB, n int)
	// check, if set, tests responses in detail, including those that must be
	// refusals.
	check func(tb testing.TB)
	// report, if set, adds metrics to a benchmark.
	report func(b *testing.B)
}

func jobs() []job {
	return slices.Concat(sessionJobs(), storeJobs(), jwtJobs(), gateJobs(), throttleJobs(), hashJobs())
}

// modesOf returns the modes of a job.
func modesOf(j job) []string {
	if j.only {
		return j.modes
	}
	return append([]string{bench.Serial, bench.Parallel}, j.modes...)
}

// goroutinesOf returns the number of goroutines of a mode.
func goroutinesOf(tb testing.TB, mode string) int {
	switch mode {
	case bench.Serial:
		return 1
	case bench.Parallel:
		return runtime.GOMAXPROCS(0)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(mode, "goroutines-"))
	if err != nil {
		tb.Fatalf("unknown mode %q", mode)
	}
	return n
}

// growth are the modes of the hot paths.
var growth = []string{"goroutines-1", "goroutines-8", "goroutines-64", "goroutines-512"}

func BenchmarkJob(b *testing.B) {
	for _, j := range jobs() {
		b.Run(j.name, func(b *testing.B) {
			for _, s := range j.sides {
				b.Run(s.name, func(b *testing.B) {
					t := s.open(b)
					for _, mode := range modesOf(j) {
						b.Run(mode, func(b *testing.B) { run(b, t, goroutinesOf(b, mode)) })
					}
				})
			}
		})
	}
}

// run does the job b.N times, on goroutines that start together and do equal
// shares.
func run(b *testing.B, t target, goroutines int) {
	if t.prepare != nil {
		t.prepare(b, b.N)
	}
	workers := make([]func() bool, goroutines)
	for i := range workers {
		workers[i] = t.worker()
	}
	var wrong atomic.Int64
	var done sync.WaitGroup
	begin := make(chan struct{})
	for i, do := range workers {
		n := b.N / goroutines
		if i < b.N%goroutines {
			n++
		}
		done.Go(func() {
			<-begin
			for range n {
				if !do() {
					wrong.Add(1)
					return
				}
			}
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	close(begin)
	done.Wait()
	b.StopTimer()
	if wrong.Load() > 0 {
		b.Fatal("wrong response")
	}
	if t.report != nil {
		t.report(b)
	}
}

// TestJobs checks that each benchmark measures the job and not an error.
func TestJobs(t *testing.T) {
	for _, j := range jobs() {
		t.Run(j.name, func(t *testing.T) {
			for _, s := range j.sides {
				t.Run(s.name, func(t *testing.T) {
					opened := s.open(t)
					workers, times := 4, 3
					if j.slow {
						workers, times = 2, 1
					}
					if opened.prepare != nil {
						opened.prepare(t, workers*times)
					}
					var wrong atomic.Int64
					var done sync.WaitGroup
					for range workers {
						do := opened.worker()
						done.Go(func() {
							for range times {
								if !do() {
									wrong.Add(1)
								}
							}
						})
					}
					done.Wait()
					if n := wrong.Load(); n > 0 {
						t.Fatalf("%d wrong responses", n)
					}
					if opened.check != nil {
						opened.check(t)
					}
				})
			}
		})
	}
}

// TestRows finds rows of the table that name an unknown benchmark.
func TestRows(t *testing.T) {
	known := map[string]bool{"": true}
	for _, j := range jobs() {
		for _, s := range j.sides {
			for _, mode := range modesOf(j) {
				known[fmt.Sprintf("%s/%s/%s", j.name, s.name, mode)] = true
			}
		}
	}
	for _, name := range memoryBenchmarks() {
		known[name] = true
	}
	for _, row := range bench.Rows() {
		if !known[row.Ours] || !known[row.Peer] || row.Ours == "" {
			t.Errorf("%s: no benchmark is named %q or %q", row.Title, row.Ours, row.Peer)
		}
	}
}
