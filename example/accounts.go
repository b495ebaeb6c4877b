package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/models"
)

// User is a user of the blog.
type User struct {
	models.User
	// Admin opens /admin. No request sets it.
	Admin bool `gorm:"not null" json:"admin"`
}

const (
	maxName = 100 // characters
	// minPassword is how many characters a password has that is not
	// accompanied by a second factor: NIST SP 800-63B-4, 3.1.1.2.
	minPassword = 15
)

// register makes an account. Only the three fields of in are taken from the
// request: a User itself is never decoded into.
func (b *blog) register(c *gin.Context) {
	var in struct {
		Name     string `json:"name"`
		Email    string `json:"email"`
		Password string `json:"password"`
	}
	if err := ginauth.DecodeJSON(c, &in); err != nil {
		ginauth.Abort(c, err)
		return
	}
	if err := checkRegistration(in.Name, in.Email, in.Password); err != nil {
		ginauth.Abort(c, err)
		return
	}
	ctx := c.Request.Context()
	hash, err := b.auth.Hasher().Hash(ctx, in.Password)
	switch {
	case errors.Is(err, hashing.ErrPassword):
		ginauth.Abort(c, &ginauth.InputError{Field: "password", Reason: "is too long"})
		return
	case err != nil:
		ginauth.Abort(c, ginauth.Unavailable("hash password", err))
		return
	}
	u := &User{User: models.User{Name: in.Name, Email: in.Email, Password: hash}}
	switch err := b.users.CreateUser(ctx, u); {
	case errors.Is(err, models.ErrTaken):
		ginauth.Abort(c, &ginauth.InputError{Field: "email", Reason: "is taken"})
	case errors.Is(err, models.ErrBadIdentifier):
		ginauth.Abort(c, &ginauth.InputError{Field: "email", Reason: "is not acceptable"})
	case err != nil:
		ginauth.Abort(c, ginauth.Unavailable("create user", err))
	default:
		b.auth.Dispatch(ctx, events.Registered{Meta: events.Meta{
			Time: time.Now(), UserID: u.AuthID(), Address: c.RemoteIP(), UserAgent: c.Request.UserAgent(),
		}})
		c.JSON(http.StatusCreated, u)
	}
}

func checkRegistration(name, email, password string) error {
	if n := utf8.RuneCountInString(name); strings.TrimSpace(name) == "" || n > maxName {
		return &ginauth.InputError{Field: "name", Reason: fmt.Sprintf("must have 1 to %d characters", maxName)}
	}
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email {
		return &ginauth.InputError{Field: "email", Reason: "must be an email address"}
	}
	if utf8.RuneCountInString(password) < minPassword {
		return &ginauth.InputError{Field: "password", Reason: fmt.Sprintf("must have at least %d characters", minPassword)}
	}
	return nil
}

func (b *blog) login(c *gin.Context) {
	var in struct {
		Email    string `json:"email"`
		Password string `json:"password"`
	}
	if err := ginauth.DecodeJSON(c, &in); err != nil {
		ginauth.Abort(c, err)
		return
	}
	res, err := ginauth.From(c).Attempt(c.Request.Context(),
		ginauth.Credentials{"email": in.Email, "password": in.Password})
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.JSON(http.StatusOK, res.User)
}

func (b *blog) logout(c *gin.Context) {
	if err := ginauth.From(c).Logout(c.Request.Context()); err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func (b *blog) me(c *gin.Context) {
	u, err := ginauth.From(c).User(c.Request.Context())
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.JSON(http.StatusOK, u)
}

func (b *blog) admin(c *gin.Context) {
	var users, posts int64
	db := b.db.WithContext(c.Request.Context())
	if err := errors.Join(db.Model(&User{}).Count(&users).Error, db.Model(&Post{}).Count(&posts).Error); err != nil {
		ginauth.Abort(c, ginauth.Unavailable("count", err))
		return
	}
	c.JSON(http.StatusOK, gin.H{"users": users, "posts": posts})
}
