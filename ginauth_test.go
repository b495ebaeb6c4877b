package ginauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	m.Run()
}

// note is what the users of the main path write.
type note struct {
	ID, AuthorID uint64
	Text         string
}

type notePolicy struct{}

func (notePolicy) Update(_ context.Context, u *models.User, n *note) bool { return u.ID == n.AuthorID }

// notes keeps them in memory.
type notes struct {
	mu   sync.Mutex
	byID map[uint64]*note
}

func (n *notes) find(_ context.Context, id string) (*note, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	number, err := strconv.ParseUint(id, 10, 64)
	found, ok := n.byID[number]
	return found, ok && err == nil, nil
}

// TestMainPath is the job that the suite is for, as its users write it:
// register, log in, be known, be authorized, log out.
func TestMainPath(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		all := &notes{byID: make(map[uint64]*note)}
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			ginauth.RegisterPolicy[*models.User, *note](a.Gate(), notePolicy{})
			r.POST("/sign-up", func(c *gin.Context) {
				var in struct{ Name, Email, Password string }
				if err := ginauth.DecodeJSON(c, &in); err != nil {
					ginauth.Abort(c, err)
					return
				}
				ctx := c.Request.Context()
				hash, err := a.Hasher().Hash(ctx, in.Password)
				if err == nil {
					err = b.Users.CreateUser(ctx, &models.User{Name: in.Name, Email: in.Email, Password: hash})
				}
				if err != nil {
					ginauth.Abort(c, err)
					return
				}
				c.Status(201)
			})
			r.POST("/notes", a.Auth(), func(c *gin.Context) {
				u, _ := ginauth.UserAs[*models.User](c)
				all.mu.Lock()
				defer all.mu.Unlock()
				n := &note{ID: uint64(len(all.byID) + 1), AuthorID: u.ID}
				all.byID[n.ID] = n
				c.JSON(201, n)
			})
			r.PATCH("/notes/:id", a.Auth(), a.Authorize("update", ginauth.Load("id", all.find)), func(c *gin.Context) {
				n := ginauth.Loaded[*note](c)
				c.JSON(200, n)
			})
		}))
		carol := a.Client()
		carol.Post("/sign-up", map[string]string{"name": "Carol", "email": "Carol@Example.com", "password": testapp.Password}).Want(t, 201)
		carol.Get("/me").Want401(t)
		carol.LogIn("carol@example.com", testapp.Password).Want(t, 200)
		if got := carol.Get("/me").Want(t, 200).UserName(t); got != "Carol" {
			t.Fatalf("user %q", got)
		}
		carol.Post("/notes", nil).Want(t, 201)
		carol.Do("PATCH", "/notes/1", "", "").Want(t, 200)
		bob := a.LoggedIn(testapp.Bob)
		bob.Do("PATCH", "/notes/1", "", "").Want(t, 403)
		bob.Do("PATCH", "/notes/2", "", "").Want(t, 404)
		a.Client().Do("PATCH", "/notes/1", "", "").Want(t, 401)
		cookie := carol.Session()
		carol.Post("/logout", nil).Want(t, 204)
		carol.With(cookie).Get("/me").Want401(t)
		a.Client().Post("/sign-up", map[string]string{"name": "x", "email": " CAROL@example.com", "password": testapp.Password}).Want(t, 422)
		for password, want := range map[string]int{"": 422, fmt.Sprintf("%05000d", 0): 422} {
			a.Client().Post("/sign-up", map[string]string{"name": "x", "email": "d@example.com", "password": password}).Want(t, want)
		}
	})
}

func TestZeroConfigurationWorks(t *testing.T) {
	r := gin.New()
	r.Use(ginauth.StartSession())
	r.GET("/", func(c *gin.Context) {
		n, _ := ginauth.From(c).Session().Increment("n", 1)
		c.String(200, "%d", n)
	})
	srv := httptest.NewServer(r)
	defer srv.Close()
	jar := ""
	for want := 1; want <= 3; want++ {
		req, _ := http.NewRequest("GET", srv.URL, nil)
		req.Header.Set("Cookie", jar)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, 8)
		n, _ := res.Body.Read(body)
		res.Body.Close()
		if got := string(body[:n]); got != fmt.Sprint(want) {
			t.Fatalf("visit %d counted as %s", want, got)
		}
		if line := res.Header.Get("Set-Cookie"); line != "" {
			jar, _, _ = strings.Cut(line, ";")
		}
	}
}

// pruned tells a test when it was asked to prune.
type pruned struct {
	stores.Sessions
	asked chan time.Time
}

func (p pruned) Prune(_ context.Context, now time.Time) (int, error) {
	select {
	case p.asked <- now:
	default:
	}
	return 0, testapp.ErrRefused
}

func TestPruningRunsUntilClose(t *testing.T) {
	b := testapp.Memory(t)
	asked := make(chan time.Time, 1)
	b.Set.Sessions = pruned{b.Set.Sessions, asked}
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Session.PruneInterval = time.Millisecond }))
	for range 2 {
		if now := <-asked; !now.Equal(a.Clock.Now()) {
			t.Errorf("pruned at %v", now)
		}
	}
	if err := a.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for len(asked) > 0 {
		<-asked
	}
	runtime.Gosched()
	if len(asked) > 0 {
		t.Error("pruning goes on after Close")
	}
}
