package ginauth_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/filestore"
)

// said returns what a call panics with, as text.
func said(call func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	call()
	return ""
}

// What a newcomer does wrong is answered by what to do.
func TestMistakesOfNewcomersNameTheirMend(t *testing.T) {
	newManager := func(c ginauth.Config) *ginauth.Manager {
		m, err := ginauth.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	serve := func(method, url string, use func(r *gin.Engine)) {
		r := gin.New()
		use(r)
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, url, nil))
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for name, row := range map[string]struct {
		mistake func() string
		mend    string
	}{
		"no key": {func() string {
			sessions, err := filestore.New(t.TempDir() + "/sessions")
			if err != nil {
				t.Fatal(err)
			}
			_, err = ginauth.New(ginauth.Config{Stores: stores.Set{Sessions: sessions}})
			return fmt.Sprint(err)
		}, "set one, as NewKey makes"},
		"no users": {func() string { return said(func() { newManager(ginauth.Config{}).Auth() }) }, "set Config.Users"},
		"From without a start": {func() string {
			return said(func() {
				serve("GET", "/", func(r *gin.Engine) { r.GET("/", func(c *gin.Context) { ginauth.From(c) }) })
			})
		}, "r.Use(auth.StartSession())"},
		"StartSession after the route": {func() string {
			auth := newManager(ginauth.Config{})
			return said(func() {
				serve("GET", "/", func(r *gin.Engine) {
					r.GET("/", func(c *gin.Context) { ginauth.From(c) })
					r.Use(auth.StartSession())
				})
			})
		}, "above the routes"},
		"gin.Context as a context": {func() string {
			auth := newManager(ginauth.Config{Users: new(ginauthtest.Users), Logger: logger})
			serve("GET", "/", func(r *gin.Engine) {
				r.GET("/", auth.StartSession(), func(c *gin.Context) {
					_, _ = ginauth.From(c).Attempt(c, ginauth.Credentials{"email": "a@example.com", "password": "x"})
				})
			})
			return log.String()
		}, "pass c.Request.Context()"},
		"plain HTTP in release mode": {func() string {
			mode := gin.Mode()
			gin.SetMode(gin.ReleaseMode)
			defer gin.SetMode(mode)
			auth := newManager(ginauth.Config{Logger: logger})
			serve("GET", "http://localhost/", func(r *gin.Engine) {
				r.GET("/", auth.StartSession(), func(c *gin.Context) { _ = ginauth.From(c).Session().Put("a", 1) })
			})
			return log.String()
		}, "and not Gin's release mode"},
	} {
		if text := row.mistake(); !strings.Contains(text, row.mend) {
			t.Errorf("%s: %q does not say %q", name, text, row.mend)
		}
	}
}

// SetDefault belongs to the process, so this test has one of its own.
func TestSetDefaultTooLateNamesItsMend(t *testing.T) {
	if os.Getenv("GINAUTH_TEST_LATE") != "" {
		ginauth.StartSession()
		m, err := ginauth.New(ginauth.Config{})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(said(func() { ginauth.SetDefault(m) }))
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSetDefaultTooLateNamesItsMend$")
	cmd.Env = append(os.Environ(), "GINAUTH_TEST_LATE=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "call New, SetDefault, and then register middlewares") {
		t.Errorf("%v: %s", err, out)
	}
}
