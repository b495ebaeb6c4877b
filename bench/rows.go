package bench

import "slices"

// Measure is the quantity that a Target limits.
type Measure uint8

// The measures. Ours is ginauth, and the peer is what it is compared with.
const (
	// Ratio is the time of ours divided by that of the peer.
	Ratio Measure = iota
	// Speedup is the time of the peer divided by that of ours.
	Speedup
	// Difference is the time of ours minus that of the peer, in ns.
	Difference
	// Time is the time of ours, in ns.
	Time
	// Allocs is the number of allocations of ours.
	Allocs
	// UnitRatio is another metric of ours, named by Target.Unit, divided by
	// that of the peer.
	UnitRatio
	// Unit is another metric of ours, named by Target.Unit.
	Unit
)

// Target is a limit for a measure. It is the minimum for Speedup and the
// maximum for all others.
type Target struct {
	Measure Measure
	Bound   float64
	Unit    string // the metric of Unit and UnitRatio
}

// Row is a line of the table: two benchmarks and their targets.
type Row struct {
	Title string
	// Ours and Peer are names of benchmarks: job/side/mode. Peer may be empty.
	Ours, Peer string
	// Targets may be empty if the row is only informative.
	Targets []Target
	// Growth says that the row compares ginauth with itself.
	Growth bool
	// Benchtime is the duration of a measurement, as for go test -benchtime. If
	// it is empty, the flag of the command is used.
	Benchtime string
	// GOGC is the value of the environment variable GOGC. If it is empty, the
	// variable is not set.
	GOGC string
}

// Modes of a benchmark.
const (
	Serial   = "serial"   // one goroutine
	Parallel = "parallel" // one goroutine for each processor
)

// Rows returns the lines of the table in order.
func Rows() []Row {
	return slices.Concat(sessionRows(), storeRows(), tokenRows(), gateRows(), throttleRows(), hashRows(), growthRows())
}

func atMost(m Measure, bound float64) Target { return Target{Measure: m, Bound: bound} }

// compare returns the serial and the parallel row of a job.
func compare(title, job, ours, peer string, targets ...Target) []Row {
	var rows []Row
	for _, mode := range []string{Serial, Parallel} {
		rows = append(rows, Row{
			Title: title + ", " + mode,
			Ours:  job + "/" + ours + "/" + mode, Peer: job + "/" + peer + "/" + mode,
			Targets: targets,
		})
	}
	return rows
}

func sessionRows() []Row {
	// The floor is a middleware that sets three keys, replaces the writer and
	// defers a call.
	return slices.Concat(
		compare("StartSession, session not touched, no cookie", "untouched", "ginauth", "floor",
			atMost(Ratio, 1.5), atMost(Allocs, 4)),
		compare("StartSession, session not touched, valid cookie", "untouched", "ginauth-cookie", "floor",
			atMost(Ratio, 1.5), atMost(Allocs, 4)),
		compare("session read, memory", "session-read", "ginauth", "scs", atMost(Ratio, 0.06), atMost(Allocs, 12)),
		compare("session read, memory", "session-read", "ginauth", "gin-contrib"),
		compare("session write, memory", "session-write", "ginauth", "scs", atMost(Ratio, 0.08)),
		compare("session write, memory", "session-write", "ginauth", "gin-contrib"),
		compare("StartSession and Auth, user in memory", "session-read", "ginauth-auth", "scs", atMost(Ratio, 0.08)),
		[]Row{
			{
				Title: "memory of a session, 100 000 of them", Ours: "session-memory/ginauth/100k", Peer: "session-memory/scs/100k",
				Targets: []Target{{UnitRatio, 1, "B/session"}, {Unit, 377, "B/session"}}, Benchtime: "1x",
			},
			{
				Title: "left of a session once it has expired", Ours: "session-memory/ginauth-expired/100k",
				Peer: "session-memory/ginauth/100k", Targets: []Target{{UnitRatio, 0.35, "B/session"}}, Benchtime: "1x",
			},
		},
	)
}

func storeRows() []Row {
	rows := slices.Concat(
		compare("session read, Redis", "session-read-redis", "ginauth", "get", atMost(Ratio, 1.15)),
		compare("session read, Redis", "session-read-redis", "ginauth", "hgetall"),
		compare("session read, Redis", "session-read-redis", "ginauth", "scs", atMost(Ratio, 0.75)),
		compare("session write, Redis", "session-write-redis", "ginauth", "get"),
		compare("session write, Redis", "session-write-redis", "ginauth", "scs", atMost(Ratio, 0.75)),
		[]Row{{
			Title: "round trips to Redis of a logged-in read", Ours: "session-read-redis/ginauth-auth/serial",
			Targets: []Target{{Unit, 1, "trips/op"}},
		}},
		compare("session read, SQLite through GORM", "session-read-sqlite", "ginauth", "gin-contrib", atMost(Ratio, 0.5)),
	)
	for _, server := range []struct{ title, name string }{{"PostgreSQL", "postgres"}, {"MariaDB", "mysql"}} {
		for _, job := range []string{"read", "write"} {
			rows = append(rows, compare("session "+job+", "+server.title+" through GORM", "session-"+job+"-"+server.name,
				"ginauth", "gin-contrib", atMost(Ratio, 0.5))...)
		}
		rows = append(rows, compare("session read, "+server.title+" through GORM", "session-read-"+server.name, "ginauth", "select")...)
		rows = append(rows, compare("session write, "+server.title+" through GORM", "session-write-"+server.name, "ginauth", "update")...)
	}
	return rows
}

func tokenRows() []Row {
	return slices.Concat(
		compare("JWT verified, first sight", "jwt-first", "ginauth", "gin-jwt", atMost(Ratio, 0.35)),
		compare("JWT verified, seen before", "jwt-seen", "ginauth", "gin-jwt", atMost(Ratio, 0.08)),
		compare("JWT verified, seen before", "jwt-seen", "ginauth", "golang-jwt"),
		compare("JWT verified, seen before", "jwt-seen", "ginauth", "hmac-json"),
		compare("JWT verified, seen before", "jwt-seen", "ginauth", "hmac"),
		compare("JWT pair issued", "jwt-issue", "ginauth", "gin-jwt", atMost(Ratio, 0.5)),
		compare("one JWT signed, no HTTP", "jwt-sign", "ginauth", "golang-jwt"),
	)
}

func gateRows() []Row {
	return slices.Concat(
		compare("gate, policy method, 1000 abilities", "gate", "ginauth", "casbin-cached",
			atMost(Ratio, 0.2), atMost(Time, 80), atMost(Allocs, 0)),
		compare("gate, policy method, 1000 abilities", "gate", "ginauth", "casbin"),
		compare("gate, policy method, 1000 abilities", "gate", "ginauth", "call"),
		compare("Authorize alone, over bare Gin", "authorize", "ginauth-alone", "gin", atMost(Difference, 300)),
		compare("Authorize after Auth, over the same without", "authorize", "ginauth", "ginauth-without", atMost(Difference, 300)),
	)
}

func throttleRows() []Row {
	return slices.Concat(
		compare("ThrottleLogins, memory", "throttle", "ginauth", "ulule", atMost(Ratio, 0.5)),
		compare("ThrottleLogins after StartSession, over the same without", "throttle", "ginauth-behind", "ginauth-without", Target{Measure: Difference}),
		compare("a try counted in three windows, memory, beside one", "throttle", "ginauth-count", "ulule"),
		compare("a try counted in three windows, memory", "throttle", "ginauth-count", "ulule-three"),
		compare("ThrottleLogins, Redis", "throttle-redis", "ginauth", "get", atMost(Ratio, 1.2)),
		compare("a try counted in three windows, Redis, beside one", "throttle-redis", "ginauth-count", "redis_rate", atMost(Ratio, 1.2)),
		compare("a try counted in three windows, Redis", "throttle-redis", "ginauth-count", "redis_rate-three"),
	)
}

func hashRows() []Row {
	row := func(title, job, ours string, targets ...Target) Row {
		return Row{Title: title, Ours: job + "/" + ours, Peer: job + "/x-crypto/serial", Targets: targets, Benchtime: "10x"}
	}
	rows := []Row{
		row("argon2id verified, 19 MiB", "hash-argon2id", "ginauth/serial", atMost(Ratio, 1.02)),
		row("bcrypt verified, cost 10", "hash-bcrypt", "ginauth/serial", atMost(Ratio, 1.02)),
	}
	for _, job := range []struct{ job, memory string }{{"hash-16", "19 MiB"}, {"hash-16-large", "64 MiB"}} {
		for _, side := range []struct {
			title, name string
			speedup     float64
		}{{"default limit", "ginauth", 1.5}, {"limit of two", "ginauth-two", 2.5}} {
			rows = append(rows, Row{
				Title: "16 parallel argon2id logins, " + job.memory + ", " + side.title,
				Ours:  job.job + "/" + side.name + "/goroutines-16", Peer: job.job + "/x-crypto/goroutines-16",
				Targets: []Target{{Measure: Speedup, Bound: side.speedup}, {UnitRatio, 0.2, "MiB"}},
				// Three hashes for each of the sixteen goroutines.
				Benchtime: "48x",
			})
		}
	}
	return rows
}

// noise is the ratio up to which a figure counts as not growing. Two runs of
// one benchmark differ by that much.
const noise = 1.1

// throughput returns the row that compares all processors with one.
func throughput(title, job, gogc string) Row {
	return Row{
		Title: title + ": throughput of all processors by that of one",
		Ours:  job + "/ginauth/parallel", Peer: job + "/ginauth/serial", GOGC: gogc,
		Targets: []Target{{Measure: Speedup, Bound: 1.7}},
	}
}

func growthRows() []Row {
	rows := []Row{
		throughput("session read, memory", "session-read", ""),
		throughput("session write, memory", "session-write", ""),
		// With one goroutine, the garbage collector runs on the other processor.
		// With a heap of about 64 MiB, as a server has, it runs rarely, so that
		// ginauth is measured and not the collector.
		throughput("session read, memory, a heap of 64 MiB", "session-read", "1600"),
		throughput("session write, memory, a heap of 64 MiB", "session-write", "1600"),
	}
	for _, hot := range []struct{ title, name string }{
		{"session read", "session-read/ginauth"},
		{"session write", "session-write/ginauth"},
		{"StartSession and Auth", "session-read/ginauth-auth"},
		{"JWT verified, seen before", "jwt-seen/ginauth"},
		{"gate", "gate/ginauth"},
		{"ThrottleLogins", "throttle/ginauth"},
	} {
		for _, n := range []string{"8", "64", "512"} {
			rows = append(rows, Row{
				Title: hot.title + ", " + n + " goroutines beside 1",
				Ours:  hot.name + "/goroutines-" + n, Peer: hot.name + "/goroutines-1",
				Targets: []Target{atMost(Ratio, noise)},
			})
		}
	}
	for _, n := range []string{"1e5", "1e6"} {
		rows = append(rows, Row{
			Title: "session read, memory, " + n + " sessions beside 1e3",
			Ours:  "session-many/" + n + "/serial", Peer: "session-many/1e3/serial",
			Targets: []Target{atMost(Ratio, noise)},
		})
	}
	for i := range rows {
		rows[i].Growth = true
	}
	return rows
}
