package testapp

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// The routes of an application. Those of a guard are there if the configuration
// has that guard; Config.Guards is nil for "web", "api" and "token".
//
//	GET  /                 public
//	POST /login /logout    by the session
//	GET  /me /verified     for users, and for those whose address is verified
//	GET  /guest            for guests
//	GET  /all, POST /set   read the session, and put ?v= under ?k=, or add ?by= to it
//	GET  /slow             reads the session, waits for App.Slow, writes to it
//	GET  /admin            by the gate: Alice alone may administer
//	GET  DELETE /posts/:id by a policy: the author, who has the id of the post
//	…                      accounts and tokens: see mountAccounts, mountTokens
//
// Routes of a second factor come with their feature.
func mount(a *App, r *gin.Engine, guards map[string]ginauth.GuardConfig) {
	has := []string{"web", "api", "token"}
	if guards != nil {
		has = slices.DeleteFunc(has, func(name string) bool { _, ok := guards[name]; return !ok })
	}
	r.GET("/", func(c *gin.Context) { c.String(200, "hello") })
	r.POST("/login", a.ThrottleLogins(), Login)
	r.POST("/logout", Logout)
	r.GET("/all", func(c *gin.Context) { c.JSON(200, ginauth.From(c).Session().All()) })
	r.POST("/set", SetKey)
	r.GET("/slow", func(c *gin.Context) {
		s := ginauth.From(c).Session()
		s.Has("anything")
		a.Slow.Wait()
		if err := s.Put("slow", true); err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.String(200, "written")
	})
	r.GET("/me", a.Auth(), Me)
	r.GET("/verified", a.Auth(), a.EnsureEmailVerified(), Me)
	r.GET("/guest", a.Guest(), func(c *gin.Context) { c.String(200, "guest") })
	mountGate(a, r)
	if slices.Contains(has, "web") {
		mountAccounts(a, r, has)
	}
	mountTokens(a, r, has)
}

// LoginForm is what a user logs in with.
type LoginForm struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// Credentials returns the body of a login.
func Credentials(email, password string) LoginForm { return LoginForm{email, password} }

// Decode reads a body in JSON, or aborts the request.
func Decode[T any](c *gin.Context) (in T, ok bool) {
	if err := ginauth.DecodeJSON(c, &in); err != nil {
		ginauth.Abort(c, err)
		return in, false
	}
	return in, true
}

// Attempt reads credentials and tries to log in by the guard of auth.
func Attempt(c *gin.Context, auth *ginauth.Authenticator, options ...ginauth.LoginOption) (res *ginauth.LoginResult, ok bool) {
	in, ok := Decode[LoginForm](c)
	if !ok {
		return nil, false
	}
	res, err := auth.Attempt(c.Request.Context(),
		ginauth.Credentials{"email": in.Email, "password": in.Password}, options...)
	if err != nil {
		ginauth.Abort(c, err)
	}
	return res, err == nil
}

// Login is the handler that the README shows.
func Login(c *gin.Context) {
	if res, ok := Attempt(c, ginauth.From(c)); ok {
		AnswerLogin(c, res)
	}
}

// AnswerLogin writes the user, the tokens, or the pending login.
func AnswerLogin(c *gin.Context, res *ginauth.LoginResult) {
	if res.Pending != nil {
		c.JSON(200, gin.H{"pending": res.Pending})
		return
	}
	if res.Tokens != nil {
		c.JSON(200, res.Tokens)
		return
	}
	c.JSON(200, res.User)
}

// Logout logs out by the guard of the request.
func Logout(c *gin.Context) { Answer(c, nil, ginauth.From(c).Logout(c.Request.Context())) }

// Me shows the user.
func Me(c *gin.Context) {
	u, _ := ginauth.UserAs[models.Authenticatable](c)
	c.JSON(200, u)
}

// SetKey puts the value of ?v= into the session, under the key of ?k=.
func SetKey(c *gin.Context) {
	s := ginauth.From(c).Session()
	if by, err := strconv.ParseInt(c.Query("by"), 10, 64); err == nil {
		_, err = s.Increment(c.Query("k"), by)
		Answer(c, nil, err)
		return
	}
	Answer(c, nil, s.Put(c.Query("k"), c.Query("v")))
}

// Put is a middleware that changes the session, so that the response has to set a
// cookie.
func Put(c *gin.Context) {
	if err := ginauth.From(c).Session().Put("k", "v"); err != nil {
		panic(err)
	}
}

// Answer writes what a method of an Authenticator returned: the error, the tokens
// that a login issued, or 204.
func Answer(c *gin.Context, res *ginauth.LoginResult, err error) {
	switch {
	case err != nil:
		ginauth.Abort(c, err)
	case res != nil && res.Tokens != nil:
		c.JSON(200, res.Tokens)
	default:
		c.Status(204)
	}
}

// show writes a value, or the error.
func show(c *gin.Context, status int, v any, err error) {
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.JSON(status, v)
}

// Post is what users write. Its author has the same id.
type Post struct{ ID, AuthorID uint64 }

// FindPost finds the posts of the first two users.
func FindPost(_ context.Context, id string) (*Post, bool, error) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil || n == 0 || n > 2 {
		return nil, false, nil
	}
	return &Post{n, n}, true, nil
}

// PostPolicy lets authors do everything.
type PostPolicy struct{}

func (PostPolicy) View(_ context.Context, u *models.User, p *Post) bool   { return u.ID == p.AuthorID }
func (PostPolicy) Delete(_ context.Context, u *models.User, p *Post) bool { return u.ID == p.AuthorID }

func mountGate(a *App, r *gin.Engine) {
	ginauth.DefineUser(a.Gate(), "administer", func(_ context.Context, u *models.User) bool { return u.ID == 1 })
	ginauth.RegisterPolicy[*models.User, *Post](a.Gate(), PostPolicy{})
	r.GET("/admin", a.Auth(), a.Authorize("administer"), Me)
	load := ginauth.Load("id", FindPost)
	r.GET("/posts/:id", a.Auth(), a.Authorize("view", load), func(c *gin.Context) { c.JSON(200, ginauth.Loaded[*Post](c)) })
	r.DELETE("/posts/:id", a.Auth(), a.Authorize("delete", load), func(c *gin.Context) { c.Status(204) })
}

// addressHeader is where AddressFromHeader reads the client's address.
const addressHeader = "X-Test-Ip"

// AddressFromHeader lets clients choose their address with Client.From.
func AddressFromHeader(c *ginauth.Config) {
	c.ClientIP = func(c *gin.Context) string {
		if ip := c.GetHeader(addressHeader); ip != "" {
			return ip
		}
		return "127.0.0.1"
	}
}

// StoreTime sets Config.StoreTimeout.
func StoreTime(d time.Duration) func(*ginauth.Config) {
	return func(c *ginauth.Config) { c.StoreTimeout = d }
}

// Unlimited lets tests try passwords as often as they like.
func Unlimited(c *ginauth.Config) { c.Throttle.InsecureDisable = true }

// UnlimitedMails lets tests ask for as many mails as they like.
func UnlimitedMails(c *ginauth.Config) { c.Account.MailPerMinute, c.Account.MailPerHour = 1<<20, 1<<20 }
