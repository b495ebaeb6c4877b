package ginauth_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

// gzipWriter compresses what passes, as compressing middlewares do.
type gzipWriter struct {
	gin.ResponseWriter
	z *gzip.Writer
}

func (w *gzipWriter) Write(b []byte) (int, error) { return w.z.Write(b) }

func (w *gzipWriter) WriteString(s string) (int, error) { return w.z.Write([]byte(s)) }

func compress(c *gin.Context) {
	w := &gzipWriter{c.Writer, gzip.NewWriter(c.Writer)}
	c.Header("Content-Encoding", "gzip")
	c.Writer = w
	defer w.z.Close()
	c.Next()
}

// answers are ways to write a response. Each puts something into the session
// first.
func answerRoutes(t *testing.T, r gin.IRouter) {
	file := filepath.Join(t.TempDir(), "file.txt")
	if err := os.WriteFile(file, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	handlers := map[string]gin.HandlerFunc{
		"json":     func(c *gin.Context) { c.Header("X-Handler", "1"); c.JSON(201, gin.H{"a": 1}) },
		"string":   func(c *gin.Context) { c.Header("X-Handler", "1"); c.String(200, "text") },
		"status":   func(c *gin.Context) { c.Header("X-Handler", "1"); c.Status(204) },
		"nothing":  func(c *gin.Context) { c.Header("X-Handler", "1") },
		"redirect": func(c *gin.Context) { c.Header("X-Handler", "1"); c.Redirect(303, "/elsewhere") },
		"file":     func(c *gin.Context) { c.Header("X-Handler", "1"); c.File(file) },
		"now":      func(c *gin.Context) { c.Header("X-Handler", "1"); c.AbortWithStatus(418) },
		"stream": func(c *gin.Context) {
			c.Header("X-Handler", "1")
			n := 0
			c.Stream(func(w io.Writer) bool { n++; fmt.Fprint(w, n); return n < 3 })
		},
		"sse": func(c *gin.Context) { c.Header("X-Handler", "1"); c.SSEvent("e", "data"); c.Writer.Flush() },
		"flush": func(c *gin.Context) {
			c.Header("X-Handler", "1")
			c.Writer.Flush()
			_, _ = c.Writer.WriteString("later")
		},
		"controller": func(c *gin.Context) {
			c.Header("X-Handler", "1")
			if err := http.NewResponseController(c.Writer).Flush(); err != nil {
				t.Error(err)
			}
		},
		"wrapped": func(c *gin.Context) {
			c.Header("X-Handler", "1")
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("wrapped")) }).ServeHTTP(c.Writer, c.Request)
		},
	}
	for name, h := range handlers {
		r.GET("/"+name, testapp.Put, h)
	}
}

var answerNames = []string{"json", "string", "status", "nothing", "redirect", "file", "now", "stream", "sse", "flush", "controller", "wrapped"}

// gzipInside puts compression between the session and the handlers.
func gzipInside(t *testing.T, r *gin.Engine) {
	g := r.Group("/inside", compress)
	answerRoutes(t, g)
}

func TestSessionIsStoredBeforeTheFirstByte(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) { answerRoutes(t, r); gzipInside(t, r) }))
		for _, prefix := range []string{"/", "/inside/"} {
			for _, name := range answerNames {
				c := a.Client()
				res := c.Get(prefix + name)
				if c.Session() == "" || res.Header.Get("X-Handler") != "1" || res.StatusCode >= 500 {
					t.Errorf("%s%s: status %d, cookies %v", prefix, name, res.StatusCode, c.Cookies)
				}
				if got := c.Get("/all").Text; got != `{"k":"v"}` {
					t.Errorf("%s%s: the session holds %s", prefix, name, got)
				}
			}
		}
		c := a.Client()
		if res := c.Get("/no/such/route").Want(t, 404); !strings.Contains(res.Text, "404") {
			t.Errorf("404 body %q", res.Text)
		}
	})
}

func TestFailedCommitReplacesTheAnswer(t *testing.T) { // F03
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		fb, f := b.Faulty()
		a := testapp.New(t, fb, testapp.Routes(func(_ *testapp.App, r *gin.Engine) { answerRoutes(t, r); gzipInside(t, r) }))
		f.Set(testapp.Refuse, testapp.CreateSession)
		for _, prefix := range []string{"/", "/inside/"} {
			for _, name := range answerNames {
				c := a.Client()
				res := c.Get(prefix+name).Want(t, 503)
				if res.Header.Get("X-Handler") != "" || res.Header.Get("Content-Encoding") != "" || res.Header.Get("Location") != "" {
					t.Errorf("%s: headers of the handler: %v", name, res.Header)
				}
				if len(res.Header["Set-Cookie"]) > 0 || res.Header.Get("Retry-After") == "" {
					t.Errorf("%s: headers %v", name, res.Header)
				}
				if want := `"code":"unavailable"`; !strings.Contains(res.Text, want) || strings.Contains(res.Text, "CANARY") {
					t.Errorf("%s: body %q", name, res.Text)
				}
			}
		}
		if strings.Contains(a.Logs.String(), "10.1.2.3") == false {
			t.Error("the log does not say what failed")
		}
	})
}

func TestHeadersFromBeforeTheSessionAreKept(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b)
		r := gin.New()
		r.Use(func(c *gin.Context) { c.Header("X-Request-Id", "7") }, compress, a.StartSession())
		r.GET("/x", testapp.Put, func(c *gin.Context) { c.Header("X-Handler", "1"); c.String(200, "x") })
		a.Serve(r)
		f.Set(testapp.Refuse, testapp.CreateSession)
		res := a.Client().Get("/x").Want(t, 503)
		if res.Header.Get("X-Request-Id") != "7" || res.Header.Get("X-Handler") != "" {
			t.Errorf("headers %v", res.Header)
		}
		if !res.Uncompressed || !strings.Contains(res.Text, `"unavailable"`) {
			t.Errorf("compressed outside: %v %q", res.Header, res.Text)
		}
	})
}

func TestChangesAfterTheFirstByteAreRefused(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		var errs []error
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.GET("/late", func(c *gin.Context) {
				c.String(200, "sent")
				s := ginauth.From(c).Session()
				_, login := ginauth.From(c).LoginUsingID(c.Request.Context(), "1")
				errs = []error{s.Put("k", 1), s.Forget("k"), s.Flush(), s.Regenerate(), s.Invalidate(), login}
			})
		}))
		c := a.Client()
		c.Get("/late").Want(t, 200)
		for i, err := range errs {
			if ginauth.StatusOf(err) != 500 || !strings.Contains(err.Error(), "committed") {
				t.Errorf("change %d after the first byte: %v", i, err)
			}
		}
		if len(c.Cookies) > 0 {
			t.Error("a cookie was set")
		}
	})
}

func TestHijackKeepsChangesOfAStoredSession(t *testing.T) {
	var hijackErr error
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		hijack := func(c *gin.Context) {
			var conn net.Conn
			var rw *bufio.ReadWriter
			if conn, rw, hijackErr = c.Writer.Hijack(); hijackErr != nil {
				c.Status(500)
				return
			}
			defer conn.Close()
			_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
			_ = rw.Flush()
		}
		r.GET("/hijack", testapp.Put, hijack)
	}))
	c := a.Client()
	c.Get("/hijack").Want(t, 500)
	if hijackErr == nil || !strings.Contains(hijackErr.Error(), "hijacked") {
		t.Fatalf("hijacking with a new session: %v", hijackErr)
	}
	c.Post("/set?k=a&v=b", nil).Want(t, 204)
	if got := c.Get("/hijack").Want(t, 200).Text; got != "hi" {
		t.Fatalf("body %q", got)
	}
	if got := c.Get("/all").Text; got != `{"a":"b","k":"v"}` {
		t.Errorf("the session holds %s", got)
	}
}

func TestHijackRefusesChangesOfACookieSession(t *testing.T) {
	var hijackErr error
	a := testapp.New(t, testapp.Cookie(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		hijack := func(c *gin.Context) {
			var conn net.Conn
			if conn, _, hijackErr = c.Writer.Hijack(); hijackErr != nil {
				c.Status(500)
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"))
			_ = conn.Close()
		}
		r.GET("/read", func(c *gin.Context) { ginauth.From(c).Session().Has("k") }, hijack)
		r.GET("/write", testapp.Put, hijack)
	}))
	c := a.Client()
	c.Post("/set?k=a&v=b", nil).Want(t, 204)
	if got := c.Get("/read").Want(t, 200).Text; got != "hi" {
		t.Errorf("body %q", got)
	}
	if c.Get("/write").Want(t, 500); hijackErr == nil {
		t.Error("a change that nothing can carry was accepted")
	}
}
