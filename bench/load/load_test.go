package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
)

// start serves an application of a kind that needs no external server.
func start(t *testing.T, kind string) string {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	handler, err := newServer(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestAttack(t *testing.T) {
	base := start(t, "memory")
	headers := make([]http.Header, 2)
	for i := range headers {
		var err error
		if headers[i], err = login(t.Context(), base); err != nil {
			t.Fatal(err)
		}
	}
	addr := strings.TrimPrefix(base, "http://")
	got, err := attack(t.Context(), addr, headers, `"name":"Alice"`, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if got.each <= 0 || got.median <= 0 || got.p99 < got.median {
		t.Errorf("%+v", got)
	}
	// A wrong response is an error and does not count as a fast one.
	if _, err := attack(t.Context(), addr, []http.Header{nil}, "Alice", time.Minute); err == nil {
		t.Error("requests of nobody are answered with Alice")
	}
}

func TestBareServer(t *testing.T) {
	addr := strings.TrimPrefix(start(t, "bare-memory"), "http://")
	if _, err := attack(t.Context(), addr, []http.Header{nil}, `"name":"Alice"`, 20*time.Millisecond); err != nil {
		t.Error(err)
	}
}

func TestLine(t *testing.T) {
	results := []result{{40 * time.Microsecond, time.Millisecond, 3 * time.Millisecond}, {50 * time.Microsecond, 2 * time.Millisecond, 4 * time.Millisecond}, {60 * time.Microsecond, time.Second, time.Second}}
	if got, want := line("memory", "", results), "| memory | 20000 | 2ms | 4ms |"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := line("redis", redisVariable, nil); !strings.Contains(got, "needs GINAUTH_TEST_REDIS") {
		t.Error(got)
	}
}
