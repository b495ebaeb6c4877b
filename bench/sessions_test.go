package bench_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-contrib/sessions"
	contribmemory "github.com/gin-contrib/sessions/memstore"
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// sessionCalls are the calls with which a library reads and writes the session
// of a request. All sessions have the same content.
type sessionCalls struct {
	fill   func(c *gin.Context, user string) error
	user   func(c *gin.Context) string
	visit  func(c *gin.Context) error // adds one to the visits
	theme  func(c *gin.Context) error // sets the theme and reads nothing
	visits func(c *gin.Context) int
}

var errMissing = errors.New("the session has no visits")

// sessionRoutes creates an application with three routes: they start a session,
// read it and change it.
func sessionRoutes(r *gin.Engine, calls sessionCalls) {
	answer := func(c *gin.Context, err error, body string) {
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.Writer.WriteHeader(http.StatusOK)
		_, _ = c.Writer.WriteString(body)
	}
	r.POST("/open/:user", func(c *gin.Context) { answer(c, calls.fill(c, c.Param("user")), "") })
	r.GET("/user", func(c *gin.Context) { answer(c, nil, calls.user(c)) })
	r.POST("/visit", func(c *gin.Context) { answer(c, calls.visit(c), "") })
	r.POST("/theme", func(c *gin.Context) { answer(c, calls.theme(c), "") })
	r.GET("/visits", func(c *gin.Context) { answer(c, nil, strconv.Itoa(calls.visits(c))) })
}

// ginauthSessions is the application with ginauth. It also has a login.
func ginauthSessions(tb testing.TB, set stores.Set) http.Handler {
	auth := newAuth(tb, ginauth.Config{Stores: set})
	r := newEngine()
	r.Use(auth.StartSession())
	sessionRoutes(r, sessionCalls{
		fill: func(c *gin.Context, user string) error {
			s := ginauth.From(c).Session()
			return errors.Join(s.Put("user_id", user), s.Put("theme", "dark"), s.Put("locale", "en-GB"), s.Put("visits", 0))
		},
		user: func(c *gin.Context) string {
			user, _ := ginauth.Value[string](ginauth.From(c).Session(), "user_id")
			return user
		},
		visit: func(c *gin.Context) error {
			_, err := ginauth.From(c).Session().Increment("visits", 1)
			return err
		},
		theme: func(c *gin.Context) error { return ginauth.From(c).Session().Put("theme", "light") },
		visits: func(c *gin.Context) int {
			n, _ := ginauth.Value[int](ginauth.From(c).Session(), "visits")
			return n
		},
	})
	r.POST("/login/:user", func(c *gin.Context) {
		if _, err := ginauth.From(c).LoginUsingID(c.Request.Context(), c.Param("user")); err != nil {
			ginauth.Abort(c, err)
		}
	})
	r.GET("/me", auth.Auth(), func(c *gin.Context) {
		u, _ := ginauth.UserAs[*models.User](c)
		c.Writer.WriteHeader(http.StatusOK)
		_, _ = c.Writer.WriteString(u.AuthID())
	})
	return r
}

// scsSessions is the application with scs, which wraps the engine. If the store
// is nil, sessions are in memory.
func scsSessions(tb testing.TB, store scs.Store) http.Handler {
	manager := scs.New()
	manager.Cookie.Secure = true
	if store != nil {
		manager.Store = store
	} else if memory, ok := manager.Store.(interface{ StopCleanup() }); ok {
		tb.Cleanup(memory.StopCleanup)
	}
	r := newEngine()
	sessionRoutes(r, sessionCalls{
		fill: func(c *gin.Context, user string) error {
			ctx := c.Request.Context()
			manager.Put(ctx, "user_id", user)
			manager.Put(ctx, "theme", "dark")
			manager.Put(ctx, "locale", "en-GB")
			manager.Put(ctx, "visits", 0)
			return nil
		},
		user: func(c *gin.Context) string { return manager.GetString(c.Request.Context(), "user_id") },
		visit: func(c *gin.Context) error {
			ctx := c.Request.Context()
			manager.Put(ctx, "visits", manager.GetInt(ctx, "visits")+1)
			return nil
		},
		theme: func(c *gin.Context) error {
			manager.Put(c.Request.Context(), "theme", "light")
			return nil
		},
		visits: func(c *gin.Context) int { return manager.GetInt(c.Request.Context(), "visits") },
	})
	return manager.LoadAndSave(r)
}

// contribSessions is the application with gin-contrib/sessions.
func contribSessions(store sessions.Store) http.Handler {
	store.Options(sessions.Options{Path: "/", MaxAge: 24 * 60 * 60, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	r := newEngine()
	r.Use(sessions.Sessions("session", store))
	sessionRoutes(r, sessionCalls{
		fill: func(c *gin.Context, user string) error {
			s := sessions.Default(c)
			s.Set("user_id", user)
			s.Set("theme", "dark")
			s.Set("locale", "en-GB")
			s.Set("visits", 0)
			return s.Save()
		},
		user: func(c *gin.Context) string {
			user, _ := sessions.Default(c).Get("user_id").(string)
			return user
		},
		visit: func(c *gin.Context) error {
			s := sessions.Default(c)
			n, ok := s.Get("visits").(int)
			if !ok {
				return errMissing
			}
			s.Set("visits", n+1)
			return s.Save()
		},
		theme: func(c *gin.Context) error {
			s := sessions.Default(c)
			s.Set("theme", "light")
			return s.Save()
		},
		visits: func(c *gin.Context) int {
			n, _ := sessions.Default(c).Get("visits").(int)
			return n
		},
	})
	return r
}

// contribKey authenticates the cookies of gin-contrib/sessions.
var contribKey = []byte("a key of 32 bytes to sign cookies")[:32]

func contribMemory() http.Handler { return contribSessions(contribmemory.NewStore(contribKey)) }

// clients is the number of sessions that take turns in a benchmark.
const clients = 64

// openSessions starts n sessions and returns a request to path for each of
// them.
func openSessions(tb testing.TB, handler http.Handler, n int, method, path, body string) []expectation {
	tb.Helper()
	requests := make([]expectation, n)
	for i := range requests {
		open := "/open/"
		if path == "/me" {
			open = "/login/"
		}
		header := cookies(tb, send(handler, "POST", open+userID(i), i, nil))
		requests[i] = expectation{newRequest(method, path, i, header), body}
		if body == "" && method == "GET" {
			requests[i].body = userID(i)
		}
	}
	return requests
}

// readTarget reads sessions at path, which responds with the id of the user.
func readTarget(tb testing.TB, handler http.Handler, path string) target {
	tb.Helper()
	t := serve(handler, openSessions(tb, handler, clients, "GET", path, ""))
	t.check = func(tb testing.TB) { checkSessions(tb, handler, path) }
	return t
}

// writeTarget changes sessions.
func writeTarget(tb testing.TB, handler http.Handler) target {
	tb.Helper()
	t := serve(handler, openSessions(tb, handler, clients, "POST", "/visit", ""))
	t.check = func(tb testing.TB) { checkSessions(tb, handler, "/user") }
	return t
}

// putTarget sets a key of sessions that it does not read.
func putTarget(tb testing.TB, handler http.Handler) target {
	tb.Helper()
	t := serve(handler, openSessions(tb, handler, clients, "POST", "/theme", ""))
	t.check = func(tb testing.TB) { checkSessions(tb, handler, "/user") }
	return t
}

// checkSessions checks that a session keeps written values, and that neither a
// client without cookie nor one with an invented cookie has a session.
func checkSessions(tb testing.TB, handler http.Handler, path string) {
	tb.Helper()
	header := cookies(tb, send(handler, "POST", "/open/7", 7, nil))
	want(tb, handler, "GET", "/user", header, http.StatusOK, "7")
	for range 3 {
		want(tb, handler, "POST", "/visit", header, http.StatusOK, "")
		want(tb, handler, "POST", "/theme", header, http.StatusOK, "")
	}
	want(tb, handler, "GET", "/visits", header, http.StatusOK, "3")
	want(tb, handler, "GET", "/user", header, http.StatusOK, "7")
	want(tb, handler, "GET", "/user", nil, http.StatusOK, "")
	value := header.Get("Cookie")
	forged := http.Header{"Cookie": {value[:len(value)-20] + "AAAAAAAAAA" + value[len(value)-10:]}}
	want(tb, handler, "GET", "/user", forged, http.StatusOK, "")
	if path == "/me" {
		want(tb, handler, "GET", "/me", nil, http.StatusUnauthorized, anyBody)
		want(tb, handler, "GET", "/me", header, http.StatusUnauthorized, anyBody) // no user is logged in
	}
}
