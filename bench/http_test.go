package bench_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// writer is the cheapest http.ResponseWriter with which the response can be
// checked.
type writer struct {
	header http.Header
	status int
	body   []byte
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(code int) { w.status = code }

func (w *writer) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return len(b), nil
}

func (w *writer) WriteString(s string) (int, error) {
	w.body = append(w.body, s...)
	return len(s), nil
}

func (w *writer) reset() {
	if w.header == nil {
		w.header = make(http.Header)
	}
	clear(w.header)
	w.status, w.body = 0, w.body[:0]
}

// anyBody is the expectation for a body that differs for each request.
const anyBody = "*"

// expectation is a request with its expected response.
type expectation struct {
	request *http.Request
	body    string
}

// serve returns a target that sends the requests in turn. The expected status
// is 200.
func serve(handler http.Handler, requests []expectation) target {
	var started atomic.Int64
	return target{worker: func() func() bool {
		var c conversation
		i := int(started.Add(1)) * 7 // each worker starts with a different request
		return func() bool {
			e := &requests[i%len(requests)]
			i++
			return c.ask(handler, e)
		}
	}}
}

// conversation holds the state of a worker that sends requests one after the
// other.
type conversation struct {
	writer  writer
	request http.Request
}

// ask sends a copy of a request, so that values that a library stores in the
// context of one request are not in the next one.
func (c *conversation) ask(handler http.Handler, e *expectation) bool {
	c.writer.reset()
	c.request = *e.request
	handler.ServeHTTP(&c.writer, &c.request)
	return c.writer.status == http.StatusOK && (e.body == anyBody || string(c.writer.body) == e.body)
}

// newRequest returns a request as a browser sends it, from a client with its
// own address.
func newRequest(method, path string, client int, header http.Header) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	r.Body = http.NoBody
	r.Host = "app.example.com"
	r.RemoteAddr = fmt.Sprintf("203.0.113.%d:51000", 1+client%250)
	r.Header = http.Header{
		"User-Agent":      {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
		"Accept":          {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		"Accept-Language": {"en-GB,en;q=0.5"},
		"Accept-Encoding": {"gzip, deflate, br, zstd"},
		"Sec-Fetch-Site":  {"same-origin"},
	}
	maps.Copy(r.Header, header)
	return r
}

// send sends one request and returns the response.
func send(handler http.Handler, method, path string, client int, header http.Header) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, newRequest(method, path, client, header))
	return w
}

// want sends a request and checks the response.
func want(tb testing.TB, handler http.Handler, method, path string, header http.Header, status int, body string) {
	tb.Helper()
	w := send(handler, method, path, 0, header)
	if w.Code != status || (body != anyBody && w.Body.String() != body) {
		tb.Errorf("%s %s: %d %q, want %d %q", method, path, w.Code, w.Body, status, body)
	}
}

// cookies returns the Cookie header for the cookies of a response.
func cookies(tb testing.TB, w *httptest.ResponseRecorder) http.Header {
	tb.Helper()
	var pairs []string
	for _, c := range w.Result().Cookies() {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	if w.Code != http.StatusOK || len(pairs) == 0 {
		tb.Fatalf("status %d, body %q, %d cookies", w.Code, w.Body, len(pairs))
	}
	return http.Header{"Cookie": {strings.Join(pairs, "; ")}}
}

// newEngine returns an engine with the settings of production, without a proxy.
func newEngine() *gin.Engine {
	r := gin.New()
	_ = r.SetTrustedProxies(nil) // nil is always accepted
	return r
}

// newAuth returns a manager with users in memory.
func newAuth(tb testing.TB, config ginauth.Config) *ginauth.Manager {
	tb.Helper()
	if config.Users == nil {
		config.Users = users{}
	}
	config.Key = testKey
	config.Logger = slog.New(slog.DiscardHandler)
	auth, err := ginauth.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := auth.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return auth
}

var testKey = ginauth.NewKey()

// users is a user provider with a million users in memory. It copies each user,
// as a provider must if its users can change.
type users struct{}

func (users) UserByID(_ context.Context, id string) (models.Authenticatable, error) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil || n == 0 || n > 1_000_000 {
		return nil, nil
	}
	return &models.User{ID: n, Name: "User", Email: "user@example.com", Password: "none", SecurityStamp: "stamp"}, nil
}

func (users) UserByIdentifier(context.Context, string, string) (models.Authenticatable, error) {
	return nil, nil
}

func (users) CanonicalIdentifier(_, value string) (string, error) { return value, nil }

// userID returns the id of a client's user.
func userID(client int) string { return strconv.Itoa(100_000 + client) }
