// Command load measures a whole process over TCP on this machine. It reports
// the number of requests per second and their latency for a route that returns
// the logged-in user, with sessions in memory, in Redis and in PostgreSQL, and
// for the same route without ginauth. It also measures the example of this
// repository.
//
//	go -C bench run ./load [-connections n] [-duration t] [-passes n] [-run pattern]
//	go -C bench run ./load -distances 0s,1ms,5ms,20ms,40ms
//
// The second form delays all data on the way to PostgreSQL, and measures a read, a
// login and a refresh, beside a handler that only loads a user.
//
// Server and client share the processors. A connection sends its next request
// when the last one was answered. GINAUTH_TEST_REDIS and GINAUTH_TEST_POSTGRES
// contain the addresses of the servers. Measurements without a server are
// marked as not run.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"
)

func main() {
	connections := flag.Int("connections", 16, "number of `connections` that send requests in parallel")
	duration := flag.Duration("duration", 3*time.Second, "duration of one measurement")
	passes := flag.Int("passes", 3, "number of `times` to repeat all measurements")
	pattern := flag.String("run", "", "measure only the servers whose name matches this `regexp`")
	distances := flag.String("distances", "", "measure with PostgreSQL these `delays` away instead, as in 0s,1ms,5ms,20ms,40ms")
	serve := flag.String("serve", "", "run the server of this `kind`; used by the command itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := error(nil)
	switch {
	case *serve != "":
		err = runServer(ctx, os.Stdout, *serve)
	case *distances != "":
		err = runDistances(ctx, os.Stdout, *distances, *connections, *duration)
	default:
		err = run(ctx, os.Stdout, *connections, *passes, *duration, *pattern)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, connections, passes int, duration time.Duration, pattern string) error {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	setup, err := prepare(ctx)
	if err != nil {
		return err
	}
	defer setup.close()
	all := slices.DeleteFunc(contestants(), func(c contestant) bool { return !wanted.MatchString(c.name) })
	results := make([][]result, len(all))
	for pass := range passes {
		for i, c := range all {
			fmt.Fprintf(os.Stderr, "\rpass %d of %d, server %d of %d ", pass+1, passes, i+1, len(all))
			if setup.missing(c) != "" {
				continue
			}
			got, err := setup.measure(ctx, c, connections, duration)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			results[i] = append(results[i], got)
		}
	}
	fmt.Fprintln(os.Stderr)
	fmt.Fprintf(out, "A whole process, GET /me over %d connections on loopback, %d times %v, medians:\n\n", connections, passes, duration)
	fmt.Fprintln(out, "| server | requests/s | median | p99 |")
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: |")
	for i, c := range all {
		fmt.Fprintln(out, line(c.name, setup.missing(c), results[i]))
	}
	return nil
}

// line returns the medians of a server as a line of Markdown.
func line(name, missing string, results []result) string {
	if missing != "" {
		return fmt.Sprintf("| %s | not run: needs %s | | |", name, missing)
	}
	middle := func(f func(result) time.Duration) time.Duration {
		values := make([]time.Duration, len(results))
		for i, r := range results {
			values[i] = f(r)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	each := middle(func(r result) time.Duration { return r.each })
	return fmt.Sprintf("| %s | %.0f | %v | %v |", name, float64(time.Second)/float64(each),
		middle(func(r result) time.Duration { return r.median }).Round(time.Microsecond),
		middle(func(r result) time.Duration { return r.p99 }).Round(time.Microsecond))
}
