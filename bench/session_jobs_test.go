package bench_test

import (
	"net/http"
	"runtime"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/stores"
)

// sessionJobs are the jobs with sessions in memory.
func sessionJobs() []job {
	ours := func(tb testing.TB) http.Handler { return ginauthSessions(tb, stores.Set{}) }
	theirs := func(tb testing.TB) http.Handler { return scsSessions(tb, nil) }
	contrib := func(testing.TB) http.Handler { return contribMemory() }
	reading := func(open func(testing.TB) http.Handler, path string) func(testing.TB) target {
		return func(tb testing.TB) target { return readTarget(tb, open(tb), path) }
	}
	writing := func(open func(testing.TB) http.Handler) func(testing.TB) target {
		return func(tb testing.TB) target { return writeTarget(tb, open(tb)) }
	}
	return []job{
		{name: "untouched", sides: []side{
			{"ginauth", openUntouched(false)},
			{"ginauth-cookie", openUntouched(true)},
			{"floor", openFloor},
			{"gin", openGin},
		}},
		{name: "session-read", modes: growth, sides: []side{
			{"ginauth", reading(ours, "/user")},
			{"ginauth-auth", reading(ours, "/me")},
			{"scs", reading(theirs, "/user")},
			{"gin-contrib", reading(contrib, "/user")},
		}},
		{name: "session-write", modes: growth, sides: []side{
			{"ginauth", writing(ours)},
			{"scs", writing(theirs)},
			{"gin-contrib", writing(contrib)},
		}},
		{name: "session-many", sides: []side{
			{"1e3", openMany(1_000)},
			{"1e5", openMany(100_000)},
			{"1e6", openMany(1_000_000)},
		}},
	}
}

// static responds without using the session.
func static(c *gin.Context) {
	c.Writer.WriteHeader(http.StatusOK)
	_, _ = c.Writer.WriteString("hello")
}

// openUntouched has a session that no handler uses.
func openUntouched(cookie bool) func(testing.TB) target {
	return func(tb testing.TB) target {
		auth := newAuth(tb, ginauth.Config{})
		r := newEngine()
		r.Use(auth.StartSession())
		r.GET("/static", static)
		r.POST("/open/:user", func(c *gin.Context) {
			if err := ginauth.From(c).Session().Put("user_id", c.Param("user")); err != nil {
				ginauth.Abort(c, err)
			}
		})
		if cookie {
			return serve(r, openSessions(tb, r, clients, "GET", "/static", "hello"))
		}
		return serve(r, plainRequests("/static", "hello"))
	}
}

// plainRequests returns requests without cookies.
func plainRequests(path, body string) []expectation {
	requests := make([]expectation, clients)
	for i := range requests {
		requests[i] = expectation{newRequest("GET", path, i, nil), body}
	}
	return requests
}

// openFloor has a middleware that does the minimum of a session middleware.
func openFloor(testing.TB) target {
	type session struct{ changed bool }
	type sessionWriter struct {
		gin.ResponseWriter
		session *session
	}
	r := newEngine()
	r.Use(func(c *gin.Context) {
		s := new(session)
		c.Set("session", s)
		c.Set("auth", s)
		c.Set("gate", s)
		below := c.Writer
		c.Writer = &sessionWriter{below, s}
		defer func() { c.Writer = below }()
		c.Next()
	})
	r.GET("/static", static)
	return serve(r, plainRequests("/static", "hello"))
}

// openGin has no middleware.
func openGin(testing.TB) target {
	r := newEngine()
	r.GET("/static", static)
	return serve(r, plainRequests("/static", "hello"))
}

// openMany has n live sessions in memory. It always reads a thousand of them,
// so that the effect of the processor's cache on the requests does not depend
// on n.
func openMany(n int) func(testing.TB) target {
	return func(tb testing.TB) target {
		if testing.Short() || !isBenchmark(tb) {
			n = min(n, 1000)
		}
		const read = 1000
		handler := ginauthSessions(tb, stores.Set{})
		requests := make([]expectation, 0, read)
		every := max(1, n/read)
		for i := range n {
			w := send(handler, "POST", "/open/"+userID(i), i, nil)
			if i%every == 0 && len(requests) < read {
				requests = append(requests, expectation{newRequest("GET", "/user", i, cookies(tb, w)), userID(i)})
			}
		}
		t := serve(handler, requests)
		t.prepare = func(testing.TB, int) { useHeap() }
		return t
	}
}

// useHeap lets the process get the memory into which its heap may grow. A server
// that has run for a while has it. To get it during a measurement takes longer
// than to read a session does.
func useHeap() {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	blocks := make([][]byte, stats.HeapAlloc>>20)
	for i := range blocks {
		blocks[i] = make([]byte, 1<<20)
		for j := 0; j < len(blocks[i]); j += 4096 {
			blocks[i][j] = 1
		}
	}
	runtime.KeepAlive(blocks)
	runtime.GC()
}

func isBenchmark(tb testing.TB) bool {
	_, ok := tb.(*testing.B)
	return ok
}
