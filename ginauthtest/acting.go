package ginauthtest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// ActingAs makes a request be from a user, as if the user had logged in before
// without giving a password, and returns the request. Where the guard (default:
// the default guard) keeps the login in the session, the request gets the cookie
// of a session, in place of the one it had, whose values stay; where the guard
// issues tokens, it gets an access token. The request is one that a handler is
// given or one that a client sends. The test fails if the user cannot be logged
// in.
func (a *Auth) ActingAs(t testing.TB, r *http.Request, u models.Authenticatable, guard ...string) *http.Request {
	t.Helper()
	var tokens *ginauth.TokenPair
	err := a.do(r, func(c *gin.Context) error {
		res, err := of(ginauth.From(c), guard).Login(c.Request.Context(), u)
		if err == nil {
			tokens = res.Tokens
		}
		return err
	})
	if err != nil {
		t.Fatalf("ginauthtest: ActingAs: %v", err)
	}
	if tokens != nil {
		setBearer(r, tokens.AccessToken)
	}
	return r
}

// ActingWithJWT makes a request carry an access token of a user's login by a
// guard that issues tokens, "api" if none is named, and returns the request.
func (a *Auth) ActingWithJWT(t testing.TB, r *http.Request, u models.Authenticatable, guard ...string) *http.Request {
	t.Helper()
	if len(guard) == 0 {
		guard = []string{"api"}
	}
	r = a.ActingAs(t, r, u, guard...)
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		t.Fatalf("ginauthtest: ActingWithJWT: guard %q issues no tokens", guard[0])
	}
	return r
}

// ActingWithToken makes a request carry a personal access token of a user of the
// default guard, with these abilities, and returns the request. Without
// abilities the token may be used for nothing; "*" is everything.
func (a *Auth) ActingWithToken(t testing.TB, r *http.Request, u models.Authenticatable, abilities ...string) *http.Request {
	t.Helper()
	var text string
	err := a.do(r, func(c *gin.Context) error {
		token, err := a.CreateToken(c.Request.Context(), ginauth.From(c).GuardName(), u,
			ginauth.TokenSpec{Name: "test", Abilities: abilities})
		if err == nil {
			text = token.Text
		}
		return err
	})
	if err != nil {
		t.Fatalf("ginauthtest: ActingWithToken: %v", err)
	}
	setBearer(r, text)
	return r
}

// WithPassword notes in the session of a request that its user has just given
// the password, which the ConfirmPassword middleware asks for, and returns the
// request. The password is Password for users of CreateUser. It comes after
// ActingAs:
//
//	r = auth.WithPassword(t, auth.ActingAs(t, r, alice), ginauthtest.Password)
func (a *Auth) WithPassword(t testing.TB, r *http.Request, password string, guard ...string) *http.Request {
	t.Helper()
	err := a.do(r, func(c *gin.Context) error {
		return of(ginauth.From(c), guard).ConfirmPassword(c.Request.Context(), password)
	})
	if err != nil {
		t.Fatalf("ginauthtest: WithPassword: %v", err)
	}
	return r
}

// LogIn makes what a client sends to a server be from a user, by a session
// cookie in the client's jar: later requests keep the session as a browser does.
// The server is named by its URL, as httptest.Server.URL. The client gets a jar
// if it has none.
func (a *Auth) LogIn(t testing.TB, client *http.Client, server string, u models.Authenticatable, guard ...string) {
	t.Helper()
	if client.Jar == nil {
		client.Jar, _ = cookiejar.New(nil) // never fails
	}
	r, err := http.NewRequest(http.MethodGet, server, nil)
	if err != nil {
		t.Fatalf("ginauthtest: LogIn: %v", err)
	}
	for _, c := range client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	a.ActingAs(t, r, u, guard...)
	if r.Header.Get("Authorization") != "" {
		t.Fatal("ginauthtest: LogIn: the guard issues tokens, which no jar keeps; use ActingWithJWT for each request")
	}
	secure := r.URL.Scheme == "https"
	var cookies []*http.Cookie
	for _, c := range r.Cookies() {
		cookies = append(cookies, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: secure, HttpOnly: true})
	}
	client.Jar.SetCookies(&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: "/"}, cookies)
}

// of returns the handle of a guard, or of the default one.
func of(a *ginauth.Authenticator, guard []string) *ginauth.Authenticator {
	if len(guard) == 0 {
		return a
	}
	return a.Guard(guard[0])
}

func setBearer(r *http.Request, token string) { r.Header.Set("Authorization", "Bearer "+token) }

// taskKey is where a request of ours carries what is to be done in it.
type taskKey struct{}

// task is done in a request that the manager serves.
type task struct {
	f   func(*gin.Context) error
	err error
}

// isOurs reports whether a context is of a request of this package's own.
func isOurs(ctx context.Context) bool { return ctx.Value(taskKey{}) != nil }

// runTask is the handler of the one route.
func runTask(c *gin.Context) {
	t := c.Request.Context().Value(taskKey{}).(*task)
	if t.err = t.f(c); t.err != nil {
		ginauth.Abort(c, t.err)
		return
	}
	c.Status(http.StatusNoContent)
}

// do runs f in a request that has the session of r and comes from where r does,
// so that its cookies are what r's client would get, and gives them to r.
func (a *Auth) do(r *http.Request, f func(*gin.Context) error) error {
	t := &task{f: f}
	w := httptest.NewRecorder()
	a.engine.ServeHTTP(w, twin(r).WithContext(context.WithValue(context.Background(), taskKey{}, t)))
	if t.err != nil {
		return t.err
	}
	if w.Code != http.StatusNoContent {
		return errors.Join(errNotStored, fmt.Errorf("status %d: %s", w.Code, w.Body))
	}
	takeCookies(r, w.Result().Cookies())
	return nil
}

var errNotStored = errors.New("the login could not be stored")

// twin returns a request with the client, the headers and the cookies of r, and
// without its token.
func twin(r *http.Request) *http.Request {
	q := httptest.NewRequest(http.MethodGet, "/", nil)
	q.Header = r.Header.Clone()
	q.Header.Del("Authorization")
	q.Host, q.RemoteAddr, q.TLS = cmp.Or(r.Host, r.URL.Host), r.RemoteAddr, r.TLS
	if r.RemoteAddr == "" { // a client's, which has not been sent yet
		q.RemoteAddr = "127.0.0.1:1"
		if r.URL.Scheme == "https" {
			q.TLS = &tls.ConnectionState{HandshakeComplete: true}
		}
	}
	return q
}

// takeCookies puts cookies that a response sets into a request, in place of
// those of the same names.
func takeCookies(r *http.Request, set []*http.Cookie) {
	kept := slices.DeleteFunc(r.Cookies(), func(c *http.Cookie) bool {
		return slices.ContainsFunc(set, func(s *http.Cookie) bool { return s.Name == c.Name })
	})
	r.Header.Del("Cookie")
	for _, c := range kept {
		r.AddCookie(c)
	}
	for _, c := range set {
		if c.MaxAge >= 0 {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
}
