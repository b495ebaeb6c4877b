package experiments_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/magiclink"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// known and nobody are addresses with and without an account.
const (
	known  = testapp.Bob // not verified
	nobody = "nobody@example.com"
)

// timedApp is an application with the routes of package routes and hashes of
// production cost, which has one connection to one client.
type timedApp struct {
	*testapp.App
	user *models.User // whose address is known
	conn net.Conn
	in   *bufio.Reader
	// beforePair, if not nil, runs before the two requests, and beforeEach before
	// each of them.
	beforePair, beforeEach func()
}

func newTimedApp(t *testing.T, b *testapp.Backend, s secret) *timedApp {
	t.Helper()
	links := magiclink.New(magiclink.Options{Mails: magiclink.LinksAndCodes})
	keys := passkey.New(passkey.Options{Users: b.Users})
	mount := func(_ *testapp.App, r *gin.Engine) {
		links.Mount(r)
		keys.Mount(r)
	}
	a := &timedApp{App: testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Features = append(c.Features, links, keys)
		c.Hashing, c.Logger = hashing.Config{}, slog.New(slog.DiscardHandler)
		const many = 1_000_000
		limit := ginauth.Limit{Attempts: many, Per: time.Minute}
		c.Account.MailPerMinute, c.Account.MailPerHour, c.Throttle.Address = many, many, limit
		c.Account.HideAccountExistence, c.Throttle.Register = s.hides, limit
		if !s.locks {
			c.Throttle.Account, c.Throttle.AccountAddress, c.Throttle.Device = limit, limit, limit
		}
	}), testapp.OnlyRoutes(mountRoutes, mount))}
	a.user = a.Bob
	srv := httptest.NewServer(a.Engine) // which needs no time for TLS
	var err error
	if a.conn, err = net.Dial("tcp", srv.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	a.in = bufio.NewReader(a.conn)
	t.Cleanup(func() { _ = a.conn.Close(); srv.Close() })
	return a
}

// timedRequest is a request as it is sent.
type timedRequest struct {
	text   []byte
	status int // of its answer
	// settled, if not nil, waits until the application does no more about it.
	settled func()
}

// request makes a request. Fields, if not nil, are its body, and header is one
// line.
func (a *timedApp) request(status int, method, path string, fields map[string]string, header string) timedRequest {
	a.Helper()
	var body []byte
	if fields != nil {
		var err error
		if body, err = json.Marshal(fields); err != nil {
			a.Fatal(err)
		}
	}
	req := httptest.NewRequest(method, "http://app.test"+path, bytes.NewReader(body))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if name, value, ok := strings.Cut(header, ": "); ok {
		req.Header.Set(name, value)
	}
	var text bytes.Buffer
	if err := req.Write(&text); err != nil {
		a.Fatal(err)
	}
	return timedRequest{text: text.Bytes(), status: status}
}

func (a *timedApp) post(status int, path string, fields map[string]string) timedRequest {
	a.Helper()
	return a.request(status, http.MethodPost, path, fields, "")
}

func (a *timedApp) get(status int, path, header string) timedRequest {
	a.Helper()
	return a.request(status, http.MethodGet, path, nil, header)
}

// time sends a request, waits until all is done about it, and returns how long
// the answer took.
func (a *timedApp) time(r timedRequest) time.Duration {
	a.Helper()
	began := time.Now()
	_, err := a.conn.Write(r.text)
	if err != nil {
		a.Fatal(err)
	}
	res, err := http.ReadResponse(a.in, nil)
	if err != nil {
		a.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	took := time.Since(began)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != r.status {
		a.Fatalf("status %d, want %d; error %v; body %s", res.StatusCode, r.status, err, body)
	}
	if r.settled != nil {
		r.settled()
	}
	return took
}

// neutral sends a request that is about nobody.
func (a *timedApp) neutral() {
	a.Helper()
	a.time(a.get(http.StatusOK, "/.well-known/jwks.json", ""))
}

// hashTime returns how long one hash takes.
func (a *timedApp) hashTime() time.Duration {
	a.Helper()
	took := make([]time.Duration, warmUps)
	for i := range took {
		began := time.Now()
		if err := a.Hasher().VerifyDummy(a.Context(), testapp.Password); err != nil {
			a.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	return quantile(took, 0.5)
}
