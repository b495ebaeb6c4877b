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
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/models"
)

// ActingAs authenticates a request as a user and returns the request. The user
// is logged in without a password, with the named guard or the default guard.
// If the guard uses sessions, the request gets a session cookie. The values of
// its previous session, if any, are kept. If the guard issues tokens, the
// request gets an access token. The request may be one for
// http.Handler.ServeHTTP or one for http.Client.Do. The test fails if the user
// cannot be logged in, as one who has a second factor: see ActingWithFactor.
func (a *Auth) ActingAs(t testing.TB, r *http.Request, u models.Authenticatable, guard ...string) *http.Request {
	t.Helper()
	if err := a.logIn(r, u, guard); err != nil {
		t.Fatalf("ginauthtest: ActingAs: %v", err)
	}
	return r
}

// ActingWithFactor is ActingAs for a user who has proved two factors at the
// time of the clock, as a passkey proves them. The user need not have any. The
// middleware RequireLevel(factor.LevelTwo, …) then accepts the request.
func (a *Auth) ActingWithFactor(t testing.TB, r *http.Request, u models.Authenticatable, guard ...string) *http.Request {
	t.Helper()
	proof, err := factor.NewProof(a.Clock.Now(), factor.LevelTwo, "hwk", "user")
	if err == nil {
		err = a.logIn(r, u, guard, ginauth.ProvedBy(proof))
	}
	if err != nil {
		t.Fatalf("ginauthtest: ActingWithFactor: %v", err)
	}
	return r
}

// logIn logs a user in and gives the request the cookie or the token.
func (a *Auth) logIn(r *http.Request, u models.Authenticatable, guard []string, options ...ginauth.LoginOption) error {
	var tokens *ginauth.TokenPair
	err := a.do(r, func(c *gin.Context) error {
		res, err := of(ginauth.From(c), guard).Login(c.Request.Context(), u, options...)
		switch {
		case err != nil:
			return err
		case res.Pending != nil:
			return ginauth.ErrSecondFactor
		}
		tokens = res.Tokens
		return nil
	})
	if tokens != nil {
		setBearer(r, tokens.AccessToken)
	}
	return err
}

// ActingWithJWT adds an access token of a user to a request and returns the
// request. The guard must issue tokens. It is "api" if none is named.
func (a *Auth) ActingWithJWT(t testing.TB, r *http.Request, u models.Authenticatable, guard ...string) *http.Request {
	t.Helper()
	if len(guard) == 0 {
		guard = []string{"api"}
	}
	r = a.ActingAs(t, r, u, guard...)
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		t.Fatalf("ginauthtest: ActingWithJWT: guard %q issues no access tokens", guard[0])
	}
	return r
}

// ActingWithToken adds a personal access token to a request and returns the
// request. The token belongs to a user of the default guard and has the given
// abilities. Without abilities, the token permits nothing. The ability "*"
// permits everything.
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

// WithPassword confirms the user's password in the session of a request and
// returns the request. The middleware ConfirmPassword then accepts it. Users
// made by CreateUser have the password Password. Call WithPassword after
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

// LogIn logs a user in to a server on behalf of an HTTP client. It adds a
// session cookie to the client's jar, so later requests use the session as a
// browser does. The server is given by its URL, such as httptest.Server.URL.
// The client gets a jar if it has none. The guard must use sessions.
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
		t.Fatal("ginauthtest: LogIn: the guard issues tokens, and a cookie jar cannot keep them: use ActingWithJWT for each request")
	}
	secure := r.URL.Scheme == "https"
	var cookies []*http.Cookie
	for _, c := range r.Cookies() {
		cookies = append(cookies, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: secure, HttpOnly: true})
	}
	client.Jar.SetCookies(&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: "/"}, cookies)
}

// of returns the authenticator of the named guard, or of the default guard.
func of(a *ginauth.Authenticator, guard []string) *ginauth.Authenticator {
	if len(guard) == 0 {
		return a
	}
	return a.Guard(guard[0])
}

func setBearer(r *http.Request, token string) { r.Header.Set("Authorization", "Bearer "+token) }

// taskKey is the context key of the task that a request carries.
type taskKey struct{}

// task is a function that runs in a request to the manager, with its result.
type task struct {
	f   func(*gin.Context) error
	err error
}

// isOurs reports whether the context belongs to a request that this package
// made.
func isOurs(ctx context.Context) bool { return ctx.Value(taskKey{}) != nil }

// runTask is the handler of the engine's only route. It runs the task of the
// request.
func runTask(c *gin.Context) {
	t := c.Request.Context().Value(taskKey{}).(*task)
	if t.err = t.f(c); t.err != nil {
		ginauth.Abort(c, t.err)
		return
	}
	c.Status(http.StatusNoContent)
}

// do runs f in a request to the manager with the session, headers and client
// address of r, and then copies the cookies of the response to r.
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

var errNotStored = errors.New("the session was not stored")

// twin returns a request with the client address, headers and cookies of r, but
// without its bearer token.
func twin(r *http.Request) *http.Request {
	q := httptest.NewRequest(http.MethodGet, "/", nil)
	q.Header = r.Header.Clone()
	q.Header.Del("Authorization")
	q.Host, q.RemoteAddr, q.TLS = cmp.Or(r.Host, r.URL.Host), r.RemoteAddr, r.TLS
	if r.RemoteAddr == "" { // a client request that has not been sent
		q.RemoteAddr = "127.0.0.1:1"
		if r.URL.Scheme == "https" {
			q.TLS = &tls.ConnectionState{HandshakeComplete: true}
		}
	}
	return q
}

// takeCookies adds the cookies of a response to a request. They replace cookies
// with the same name.
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
