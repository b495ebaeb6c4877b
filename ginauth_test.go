package ginauth_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

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
	eachBackend(t, func(t *testing.T, b *backend) {
		all := &notes{byID: make(map[uint64]*note)}
		a := newApp(t, b, nil, func(a *app, r *gin.Engine) {
			ginauth.RegisterPolicy[*models.User, *note](a.m.Gate(), notePolicy{})
			r.POST("/register", func(c *gin.Context) {
				var in struct{ Name, Email, Password string }
				if err := ginauth.DecodeJSON(c, &in); err != nil {
					ginauth.Abort(c, err)
					return
				}
				ctx := c.Request.Context()
				hash, err := a.m.Hasher().Hash(ctx, in.Password)
				if err == nil {
					err = b.users.CreateUser(ctx, &models.User{Name: in.Name, Email: in.Email, Password: hash})
				}
				if err != nil {
					ginauth.Abort(c, err)
					return
				}
				c.Status(201)
			})
			r.POST("/notes", a.m.Auth(), func(c *gin.Context) {
				u, _ := ginauth.UserAs[*models.User](c)
				all.mu.Lock()
				defer all.mu.Unlock()
				n := &note{ID: uint64(len(all.byID) + 1), AuthorID: u.ID}
				all.byID[n.ID] = n
				c.JSON(201, n)
			})
			r.PATCH("/notes/:id", a.m.Auth(), a.m.Authorize("update", ginauth.Load("id", all.find)), func(c *gin.Context) {
				n := ginauth.Loaded[*note](c)
				c.JSON(200, n)
			})
		})
		carol := a.client()
		carol.post("/register", map[string]string{"name": "Carol", "email": "Carol@Example.com", "password": goodPass}).want(t, 201)
		carol.get("/me").is401(t)
		carol.login("carol@example.com", goodPass).want(t, 200)
		if got := carol.get("/me").want(t, 200).name(t); got != "Carol" {
			t.Fatalf("user %q", got)
		}
		carol.post("/notes", nil).want(t, 201)
		carol.do("PATCH", "/notes/1", "", "").want(t, 200)
		bob := a.loggedIn(bobEmail)
		bob.do("PATCH", "/notes/1", "", "").want(t, 403)
		bob.do("PATCH", "/notes/2", "", "").want(t, 404)
		a.client().do("PATCH", "/notes/1", "", "").want(t, 401)
		cookie := carol.session()
		carol.post("/logout", nil).want(t, 204)
		carol.with(cookie).get("/me").is401(t)
		if b.db != nil { // the memory provider of the tests takes anybody
			a.client().post("/register", map[string]string{"name": "x", "email": " CAROL@example.com", "password": goodPass}).want(t, 422)
		}
		for password, want := range map[string]int{"": 422, fmt.Sprintf("%05000d", 0): 422} {
			a.client().post("/register", map[string]string{"name": "x", "email": "d@example.com", "password": password}).want(t, want)
		}
	})
}
