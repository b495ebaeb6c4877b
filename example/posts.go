package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// Post is an article. Only its author can see it until it is published.
type Post struct {
	ID          uint64     `gorm:"primaryKey" json:"id"`
	AuthorID    uint64     `gorm:"not null;index" json:"author_id"`
	Title       string     `gorm:"size:200;not null" json:"title"`
	Body        string     `gorm:"type:text;not null" json:"body"`
	PublishedAt *time.Time `gorm:"index" json:"published_at"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
}

const (
	maxTitle = 200    // characters
	maxText  = 20_000 // characters
	pageSize = 50     // posts in a list
)

// PostPolicy decides who may act on a post.
type PostPolicy struct{}

// GuestAbilities returns the abilities that are also checked for guests.
func (PostPolicy) GuestAbilities() []string { return []string{"view"} }

// View allows everyone to read published posts, and authors to read their
// drafts.
func (PostPolicy) View(_ context.Context, u *User, p *Post) ginauth.Decision {
	if p.PublishedAt != nil || (u != nil && u.ID == p.AuthorID) {
		return ginauth.Allow()
	}
	return ginauth.DenyAsNotFound()
}

// Update allows authors to change their posts.
func (PostPolicy) Update(_ context.Context, u *User, p *Post) ginauth.Decision {
	return authorOnly(u, p)
}

// Delete allows authors to delete their posts.
func (PostPolicy) Delete(_ context.Context, u *User, p *Post) ginauth.Decision {
	return authorOnly(u, p)
}

// Publish allows authors to publish their posts.
func (PostPolicy) Publish(_ context.Context, u *User, p *Post) ginauth.Decision {
	return authorOnly(u, p)
}

// authorOnly allows only the author. Drafts of others are reported as not
// found, because a 403 would reveal that they exist.
func authorOnly(u *User, p *Post) ginauth.Decision {
	switch {
	case u.ID == p.AuthorID:
		return ginauth.Allow()
	case p.PublishedAt == nil:
		return ginauth.DenyAsNotFound()
	}
	return ginauth.Deny("Only the author can change a post.")
}

// definePolicies registers the rules of the blog.
func (b *blog) definePolicies() {
	gate := b.auth.Gate()
	ginauth.RegisterPolicy[*User, *Post](gate, PostPolicy{})
	ginauth.DefineUser(gate, "see-admin", func(_ context.Context, u *User) bool { return u.Admin })
}

// listPosts responds with the latest posts: all published ones and the user's
// drafts.
func (b *blog) listPosts(c *gin.Context) {
	posts, err := b.visiblePosts(c)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"posts": posts})
}

func (b *blog) visiblePosts(c *gin.Context) ([]Post, error) {
	query := b.db.WithContext(c.Request.Context()).Where("published_at IS NOT NULL")
	if u, ok := ginauth.UserAs[*User](c); ok {
		query = query.Or("author_id = ?", u.ID)
	}
	posts := []Post{}
	if err := query.Order("id DESC").Limit(pageSize).Find(&posts).Error; err != nil {
		return nil, ginauth.Unavailable("list posts", err)
	}
	return posts, nil
}

func (b *blog) showPost(c *gin.Context) {
	c.JSON(http.StatusOK, ginauth.Loaded[*Post](c))
}

func (b *blog) createPost(c *gin.Context) {
	var in struct {
		Title string `json:"title"`
		Body  string `json:"body"`
	}
	if err := ginauth.DecodeJSON(c, &in); err != nil {
		ginauth.Abort(c, err)
		return
	}
	if err := checkPost(in.Title, in.Body); err != nil {
		ginauth.Abort(c, err)
		return
	}
	u, ok := ginauth.UserAs[*User](c)
	if !ok {
		ginauth.Abort(c, ginauth.ErrUnauthenticated) // cannot happen after the middleware Auth
		return
	}
	p := &Post{AuthorID: u.ID, Title: in.Title, Body: in.Body}
	if err := b.db.WithContext(c.Request.Context()).Create(p).Error; err != nil {
		ginauth.Abort(c, ginauth.Unavailable("create post", err))
		return
	}
	c.Header("Location", fmt.Sprintf("/posts/%d", p.ID))
	c.JSON(http.StatusCreated, p)
}

// updatePost changes the fields that are in the request.
func (b *blog) updatePost(c *gin.Context) {
	var in struct {
		Title *string `json:"title"`
		Body  *string `json:"body"`
	}
	if err := ginauth.DecodeJSON(c, &in); err != nil {
		ginauth.Abort(c, err)
		return
	}
	p := ginauth.Loaded[*Post](c)
	var columns []string
	if in.Title != nil {
		p.Title, columns = *in.Title, append(columns, "title")
	}
	if in.Body != nil {
		p.Body, columns = *in.Body, append(columns, "body")
	}
	if len(columns) == 0 {
		ginauth.Abort(c, &ginauth.InputError{Field: "title", Reason: "or body is required"})
		return
	}
	if err := checkPost(p.Title, p.Body); err != nil {
		ginauth.Abort(c, err)
		return
	}
	b.store(c, p, columns)
}

func (b *blog) publishPost(c *gin.Context) {
	p := ginauth.Loaded[*Post](c)
	p.publish(time.Now())
	b.store(c, p, []string{"published_at"})
}

// publish publishes a post that is not published yet.
func (p *Post) publish(now time.Time) {
	if p.PublishedAt == nil {
		p.PublishedAt = &now
	}
}

// store updates the named columns of a post and responds with the post.
func (b *blog) store(c *gin.Context, p *Post, columns []string) {
	if b.update(c, p, columns) {
		c.JSON(http.StatusOK, p)
	}
}

// update updates the named columns of a post, or responds with an error and
// returns false. Other columns are not written, because a concurrent request
// may change them. A deleted post is not created again.
func (b *blog) update(c *gin.Context, p *Post, columns []string) bool {
	res := b.db.WithContext(c.Request.Context()).Model(p).Select(columns).Updates(p)
	switch {
	case res.Error != nil:
		ginauth.Abort(c, ginauth.Unavailable("update post", res.Error))
	case res.RowsAffected == 0:
		ginauth.Abort(c, ginauth.ErrNotFound)
	default:
		return true
	}
	return false
}

func (b *blog) deletePost(c *gin.Context) {
	p := ginauth.Loaded[*Post](c)
	if err := b.db.WithContext(c.Request.Context()).Delete(p).Error; err != nil {
		ginauth.Abort(c, ginauth.Unavailable("delete post", err))
		return
	}
	c.Status(http.StatusNoContent)
}

func checkPost(title, body string) error {
	if n := utf8.RuneCountInString(title); strings.TrimSpace(title) == "" || n > maxTitle {
		return &ginauth.InputError{Field: "title", Reason: fmt.Sprintf("must have 1 to %d characters", maxTitle)}
	}
	if utf8.RuneCountInString(body) > maxText {
		return &ginauth.InputError{Field: "body", Reason: fmt.Sprintf("must have at most %d characters", maxText)}
	}
	return nil
}
