package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// User is a user of the blog.
type User struct {
	models.User
	// Admin gives access to /admin. No request can set it.
	Admin bool `gorm:"not null" json:"admin"`
}

// view returns the JSON value that represents a user: the user itself, whose
// JSON contains no secret.
func view(u models.Authenticatable) any { return u }

// deleteUser deletes a user and the user's posts.
func (b *blog) deleteUser(ctx context.Context, id string) error {
	if err := b.db.WithContext(ctx).Delete(&Post{}, "author_id = ?", id).Error; err != nil {
		return err
	}
	return b.users.DeleteUser(ctx, id)
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
