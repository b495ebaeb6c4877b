package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/bench"
)

// figures are the results of one run of a benchmark, by unit.
type figures map[string]float64

// The standard units of go test.
const (
	unitTime   = "ns/op"
	unitAllocs = "allocs/op"
)

// binary is the compiled test binary.
type binary struct {
	path, benchtime string
	cpu             string // as printed by the binary
}

func (b *binary) build(ctx context.Context) error {
	c := exec.CommandContext(ctx, "go", "test", "-c", "-o", b.path, ".")
	c.Stderr = os.Stderr
	return c.Run()
}

// run runs one benchmark of a row in a new process. If a server is missing, it
// returns the environment variable for the server's address.
func (b *binary) run(ctx context.Context, row bench.Row, name string) (got figures, missing string, err error) {
	pattern := "^Benchmark(Job|Memory)$"
	for part := range strings.SplitSeq(name, "/") {
		pattern += "/^" + regexp.QuoteMeta(part) + "$"
	}
	c := exec.CommandContext(ctx, b.path, "-test.run=^$", "-test.bench="+pattern, "-test.benchtime="+cmp.Or(row.Benchtime, b.benchtime), "-test.benchmem", "-test.v")
	if row.GOGC != "" {
		c.Env = append(os.Environ(), "GOGC="+row.GOGC)
	}
	output, err := c.CombinedOutput()
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w\n%s", name, err, output)
	}
	if m := cpuLine.FindSubmatch(output); m != nil {
		b.cpu = string(m[1])
	}
	if got = parse(output); got != nil {
		return got, "", nil
	}
	if m := needs.Find(output); m != nil {
		return nil, string(m), nil
	}
	return nil, "", fmt.Errorf("%s: no benchmark ran\n%s", name, output)
}

var (
	cpuLine = regexp.MustCompile(`(?m)^cpu: (.*)$`)
	needs   = regexp.MustCompile(`GINAUTH_TEST_[A-Z]+`)
)

// parse returns the figures of the first line that contains figures.
func parse(output []byte) figures {
	for line := range bytes.Lines(output) {
		fields := strings.Fields(string(line))
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		got := make(figures)
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				break
			}
			got[fields[i+1]] = value
		}
		if _, ok := got[unitTime]; ok {
			return got
		}
	}
	return nil
}

// pair is the result of one pass for a row.
type pair struct{ ours, peer figures }

// measuredRow is a row with its results.
type measuredRow struct {
	bench.Row
	passes  []pair
	missing string // the environment variable of a missing server
}

// measure runs the benchmarks of the row once. Their order alternates between
// passes.
func (r *measuredRow) measure(ctx context.Context, b *binary, pass int) error {
	if r.missing != "" {
		return nil
	}
	var p pair
	runs := []struct {
		name string
		into *figures
	}{{r.Ours, &p.ours}, {r.Peer, &p.peer}}
	if pass%2 == 1 {
		slices.Reverse(runs)
	}
	for _, run := range runs {
		if run.name == "" {
			continue
		}
		got, missing, err := b.run(ctx, r.Row, run.name)
		if err != nil {
			return err
		}
		if missing != "" {
			r.missing = missing
			return nil
		}
		*run.into = got
	}
	r.passes = append(r.passes, p)
	return nil
}

// compared are the modules whose versions are printed.
var compared = []string{
	"github.com/gin-gonic/gin", "github.com/alexedwards/scs/v2", "github.com/alexedwards/scs/goredisstore",
	"github.com/gin-contrib/sessions", "github.com/appleboy/gin-jwt/v3", "github.com/golang-jwt/jwt/v5",
	"github.com/casbin/casbin/v3", "github.com/ulule/limiter/v3", "github.com/go-redis/redis_rate/v10",
	"github.com/redis/go-redis/v9", "gorm.io/gorm", "golang.org/x/crypto",
}

// describe prints the date, the machine and the versions of the measurement.
func (b *binary) describe(ctx context.Context, out io.Writer, begun time.Time, before string, passes int) error {
	// The build information of a test binary does not list its modules.
	list := exec.CommandContext(ctx, "go", append([]string{"list", "-m", "-f", "{{.Path}} {{.Version}}"}, compared...)...)
	list.Stderr = os.Stderr
	modules, err := list.Output()
	if err != nil {
		return err
	}
	versions := strings.ReplaceAll(strings.TrimSpace(string(modules)), "\n", ", ")
	fmt.Fprintf(out, "Measured on %s, in %d passes of %s: %s, %d processors (%s), %s/%s.", begun.Format("2 January 2006"),
		passes, b.benchtime, runtime.Version(), runtime.NumCPU(), b.cpu, runtime.GOOS, runtime.GOARCH)
	if before != "" {
		fmt.Fprintf(out, " Load average before %s, after %s.", before, loadAverage())
	}
	fmt.Fprintf(out, "\nWith %s.\n\n", strings.ReplaceAll(versions, "github.com/", ""))
	return nil
}

// loadAverage returns the load average of the last minute, or "" if it is
// unknown.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
