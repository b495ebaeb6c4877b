package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

// panics are values that a handler may panic with.
var panics = map[string]any{
	"text":             "x",
	"error":            errors.New("x"),
	"reset upstream":   fmt.Errorf("charge: %w", syscall.ECONNRESET),
	"broken pipe":      fmt.Errorf("charge: %w", &net.OpError{Op: "write", Err: syscall.EPIPE}),
	"wrapped abort":    fmt.Errorf("proxy: %w", http.ErrAbortHandler),
	"uncomparable":     []int{1},
	"canceled context": context.Canceled,
}

// fileHeaders sets the headers of a file that was to be sent.
func fileHeaders(c *gin.Context) {
	for name, value := range map[string]string{
		"Content-Encoding": "br", "Content-Length": "4711", "Content-Disposition": `attachment; filename="x.pdf"`, "Content-Type": "application/pdf",
		"ETag": `"1"`, "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT", "Accept-Ranges": "bytes", "Content-Range": "bytes 0-1/2",
		"Cache-Control": "public, max-age=31536000", "Expires": "Wed, 21 Oct 2040 07:28:00 GMT", "Content-Language": "de",
	} {
		c.Header(name, value)
	}
}

// wantNoFile reports an error if a response has headers of a file that was not sent.
func wantNoFile(t *testing.T, res *testapp.Response) {
	t.Helper()
	for _, name := range []string{
		"Content-Encoding", "Content-Disposition", "Etag", "Last-Modified", "Accept-Ranges", "Content-Range", "Expires", "Content-Language",
	} {
		if got := res.Header.Get(name); got != "" {
			t.Errorf("%s: %s: %s", res.Request.URL.Path, name, got)
		}
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s: Cache-Control: %s", res.Request.URL.Path, got)
	}
	if got := res.Header.Get("Content-Type"); got != "application/json; charset=utf-8" || !strings.HasPrefix(res.Text, `{"code":`) {
		t.Errorf("%s: %s: %q", res.Request.URL.Path, got, res.Text)
	}
}

// stacks are the places of a Recovery and of a compressing middleware around StartSession.
func stacks(a *testapp.App) map[string][]gin.HandlerFunc {
	recovery, start := a.Recovery(), a.StartSession()
	return map[string][]gin.HandlerFunc{
		"/plain":               {recovery, start},
		"/recovery-inside":     {start, recovery},
		"/gzip-inside":         {recovery, start, compress},
		"/gzip-outside":        {recovery, compress, start},
		"/gzip-outermost":      {compress, recovery, start},
		"/gzip-around-inside":  {start, compress, recovery},
		"/gzip-inside-inside":  {start, recovery, compress},
		"/gzip-outside-inside": {compress, start, recovery},
	}
}

func TestPanicIsAnswered500(t *testing.T) { // G02
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
			r.POST("/set", a.StartSession(), testapp.SetKey)
			r.GET("/all", a.StartSession(), func(c *gin.Context) { c.JSON(200, ginauth.From(c).Session().All()) })
			for prefix, stack := range stacks(a) {
				r.GET(prefix, append(stack, testapp.Put, fileHeaders, func(c *gin.Context) { panic(panics[c.Query("value")]) })...)
			}
		}))
		for prefix := range stacks(a) {
			for value := range panics {
				c := a.Client()
				c.Post("/set?k=before&v=1", nil).Want(t, 204)
				res, err := c.Try(t.Context(), "GET", prefix+"?value="+url.QueryEscape(value), "", "")
				if prefix == "/gzip-outside" { // its deferred Close has sent the end of a stream
					if err == nil && res.StatusCode < 500 {
						t.Errorf("%s, %s: status %d", prefix, value, res.StatusCode)
					}
				} else if err != nil {
					t.Errorf("%s, %s: %v", prefix, value, err)
				} else {
					wantNoFile(t, res.Want(t, 500).WantNoCookies(t))
				}
				if got := c.Get("/all").Text; got != `{"before":"1"}` {
					t.Errorf("%s: stored %s", prefix, got)
				}
			}
		}
		if n := strings.Count(a.Logs.String(), "ginauth: panic"); n < len(panics)*7 {
			t.Errorf("%d panics in the log", n)
		}
	})
}

func TestDenialHasNoHeadersOfTheHandler(t *testing.T) { // G01
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
			for prefix, stack := range stacks(a) {
				g := r.Group(prefix, stack...)
				g.GET("/auth", fileHeadersUncompressed(prefix), a.Auth())
				g.GET("/abort", fileHeadersUncompressed(prefix), func(c *gin.Context) { ginauth.Abort(c, ginauth.ErrNotFound) })
				g.GET("/length", func(c *gin.Context) { c.Header("Content-Length", "4711") }, a.Auth())
			}
		}))
		for prefix := range stacks(a) {
			wantNoFile(t, a.Client().Get(prefix+"/auth").Want(t, 401))
			wantNoFile(t, a.Client().Get(prefix+"/abort").Want(t, 404))
			wantNoFile(t, a.Client().Get(prefix+"/length").Want(t, 401))
		}
	})
}

// fileHeadersUncompressed sets the headers of a file, without a Content-Encoding where a
// compressing middleware has set one.
func fileHeadersUncompressed(prefix string) gin.HandlerFunc {
	return func(c *gin.Context) {
		encoding := c.Writer.Header().Get("Content-Encoding")
		fileHeaders(c)
		if strings.Contains(prefix, "gzip") {
			c.Header("Content-Encoding", encoding)
		}
	}
}

func TestAbortedHandlerClosesTheConnection(t *testing.T) { // G02
	// An upstream that promises more than it sends.
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer upstream.Close()
	target, _ := url.Parse(upstream.URL)
	proxy := httputil.NewSingleHostReverseProxy(target)
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/proxy", gin.WrapH(proxy))
			r.GET("/abort", testapp.Put, func(*gin.Context) { panic(http.ErrAbortHandler) })
		}))
		for _, path := range []string{"/proxy", "/abort"} {
			if res, err := a.Client().Try(t.Context(), "GET", path, "", ""); err == nil {
				t.Errorf("%s: status %d, body %q", path, res.StatusCode, res.Text)
			}
		}
		if logs := a.Logs.String(); strings.Contains(logs, "ginauth: panic") || !strings.Contains(logs, "changes discarded") {
			t.Errorf("log %s", logs)
		}
	})
}

func TestPanicOfADisconnectedClientIsNotLogged(t *testing.T) {
	read, done := make(chan struct{}), make(chan struct{})
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.Use(func(c *gin.Context) { defer close(done); c.Next() })
		r.GET("/gone", func(c *gin.Context) {
			read <- struct{}{}
			<-c.Request.Context().Done()
			panic(fmt.Errorf("write: %w", syscall.EPIPE))
		})
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, _ = a.Client().Try(ctx, "GET", "/gone", "", "") }()
	<-read
	cancel()
	<-done
	a.Server.Close() // waits for the handler
	if logs := a.Logs.String(); strings.Contains(logs, "ginauth: panic") {
		t.Errorf("log %s", logs)
	}
}

func TestAccessLogHasNoSecrets(t *testing.T) {
	var log strings.Builder
	r := gin.New()
	r.Use(gin.LoggerWithConfig(gin.LoggerConfig{Formatter: ginauth.LogFormatter, Output: &log}))
	for path, want := range map[string]string{
		"/verify-email/7/" + strings.Repeat("ab", 16) + "?expires=1&signature=CANARY": `"/verify-email/7/[REDACTED]?expires=&signature="`,
		"/confirm-email/" + strings.Repeat("CANARY", 20):                              `"/confirm-email/[REDACTED]"`,
		"/posts/12?" + strings.Repeat("CANARY", 20):                                   `"/posts/12?[REDACTED]="`,
		"/posts/9f0c1a52-7d9e-4a63-8f0e-0d8b6a2f6c11/edit":                            `"/posts/9f0c1a52-7d9e-4a63-8f0e-0d8b6a2f6c11/edit"`,
		"/line%0Abreak": `"/line\nbreak"`,
	} {
		log.Reset()
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
		if got := log.String(); !strings.Contains(got, want) || strings.Contains(got, "CANARY") || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: %s", path, got)
		}
	}
}
