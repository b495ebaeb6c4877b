// Command table runs the benchmarks of this module in several passes and prints
// the results as Markdown. For each job it prints the figures of ginauth and of
// the peer, the median and the spread of their ratio within a pass, and whether
// the target is met.
//
//	go -C bench run ./table [-passes n] [-benchtime t] [-run pattern] [-load=false]
//
// Each benchmark runs in its own process, so that none uses the heap of an
// earlier one. The benchmarks of a row run directly after each other, in
// alternating order. GINAUTH_TEST_REDIS and GINAUTH_TEST_POSTGRES contain the
// addresses of the servers. Rows without a server are marked as not run.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/ginauth/ginauth/bench"
)

func main() {
	passes := flag.Int("passes", 7, "number of `times` to repeat all measurements")
	benchtime := flag.String("benchtime", "250ms", "duration of one measurement, as for go test")
	pattern := flag.String("run", "", "measure only the rows whose title or benchmarks match this `regexp`")
	load := flag.Bool("load", true, "also measure a whole process; not with -run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *passes, *benchtime, *pattern, *load); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, passes int, benchtime, pattern string, load bool) error {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	var rows []*measuredRow
	for _, row := range bench.Rows() {
		if wanted.MatchString(row.Title) || wanted.MatchString(row.Ours) || wanted.MatchString(row.Peer) {
			rows = append(rows, &measuredRow{Row: row})
		}
	}
	if len(rows) == 0 || passes < 1 {
		return fmt.Errorf("nothing to measure: no row matches -run, or -passes is less than 1")
	}
	dir, err := os.MkdirTemp("", "ginauth-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := binary{path: filepath.Join(dir, "bench.test"), benchtime: benchtime}
	if err := b.build(ctx); err != nil {
		return err
	}
	begun := time.Now()
	before := loadAverage()
	for pass := range passes {
		for i, row := range rows {
			fmt.Fprintf(os.Stderr, "\rpass %d of %d, row %d of %d, %v ", pass+1, passes, i+1, len(rows), time.Since(begun).Round(time.Second))
			if err := row.measure(ctx, &b, pass); err != nil {
				return fmt.Errorf("%s: %w", row.Title, err)
			}
		}
	}
	fmt.Fprintln(os.Stderr)
	if err := b.describe(ctx, out, begun, before, passes); err != nil {
		return err
	}
	printRows(out, rows)
	if !load || pattern != "" {
		return nil
	}
	fmt.Fprintln(out)
	whole := exec.CommandContext(ctx, "go", "run", "./load")
	whole.Stdout, whole.Stderr = out, os.Stderr
	return whole.Run()
}
