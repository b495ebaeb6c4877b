package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/pages"
)

//go:embed web
var web embed.FS

// pageOptions are the options of the pages: the look of the blog, and its own
// templates.
func pageOptions() (pages.Options, error) {
	templates, err := fs.Sub(web, "web")
	return pages.Options{
		Name: "Notebook", Home: "/", Logo: "/web/logo.svg", Stylesheets: []string{"/web/blog.css"}, Templates: templates,
		Links: []pages.Link{{Text: "Posts", Path: "/"}, {Text: "Write", Path: "/write"}},
		Texts: texts(),
		Sections: []pages.Section{
			{Page: "login", Template: "demo.html", Data: demoData}, {Page: "second_factor", Template: "demo_code.html", Data: demoData},
			{Page: "verify_notice", Template: "demo_mail.html", Data: demoData}, {Page: "forgot", Template: "demo_mail.html", Data: demoData},
		},
	}, err
}

// texts returns the texts of the blog in the languages of the pages.
func texts() map[string]map[string]string {
	data, err := web.ReadFile("web/texts.json")
	all := make(map[string]map[string]string)
	if err := errors.Join(err, json.Unmarshal(data, &all)); err != nil {
		panic(err) // they are part of the program
	}
	return all
}

// demoData is what the pages say about the users of a new database.
func demoData(*gin.Context) (any, error) {
	return gin.H{"users": seedEmails, "password": seedPassword, "app": seedEmails[3], "shown": gin.Mode() != gin.ReleaseMode}, nil
}

// showCode shows the code of the user who has an authenticator app.
func showCode(c *gin.Context) {
	code, err := totp.Code(seedSecret, time.Now())
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	pages.Render(c, http.StatusOK, "code", "Code", gin.H{"code": code, "app": seedEmails[3]})
}

// sitePages are the pages that browsers are redirected to.
func sitePages() ginauth.PagesConfig {
	config := pages.Config("")
	config.Home, config.APIPrefixes = "/", []string{"/api/"}
	return config
}

// webRoutes adds the pages of the blog.
func (b *blog) webRoutes(r *gin.Engine) {
	public := ginauth.Public()
	r.GET("/web/:file", public, asset)
	r.GET("/", public, b.home)
	r.GET("/write", ginauth.Auth("web"), func(c *gin.Context) { b.form(c, http.StatusOK, &Post{}, "") })
	post := b.loadPost()
	r.GET("/posts/:id/edit", ginauth.Auth("web"), ginauth.Authorize("update", post), func(c *gin.Context) {
		b.form(c, http.StatusOK, ginauth.Loaded[*Post](c), "")
	})
	// Forms can only send POST.
	r.POST("/posts/:id", ginauth.Auth("web"), ginauth.Authorize("update", post), b.savePost)
	r.POST("/posts/:id/delete", ginauth.Auth("web"), ginauth.Authorize("delete", post), b.removePost)
	r.GET("/_mail", public, developerOnly, b.mails.show)
	r.GET("/_code", public, developerOnly, showCode)
}

// asset responds with the stylesheet or the logo.
func asset(c *gin.Context) {
	name := c.Param("file")
	if name != "blog.css" && name != "logo.svg" {
		ginauth.Abort(c, ginauth.ErrNotFound)
		return
	}
	c.Header("Cache-Control", "no-cache")
	c.FileFromFS("web/"+name, http.FS(web))
}

// either returns a handler that shows browsers a page and responds to others
// with JSON.
func either(page, json gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("Vary", "Accept")
		if ginauth.WantsHTML(c) {
			page(c)
		} else {
			json(c)
		}
	}
}

// shownPost is a post with the name of its author.
type shownPost struct {
	Post
	Author string
	Own    bool
}

// home shows the latest posts: all published ones and the user's drafts.
func (b *blog) home(c *gin.Context) {
	posts, err := b.visiblePosts(c)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	list, err := b.withAuthors(c, posts)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	u, _ := ginauth.UserAs[*User](c)
	pages.Render(c, http.StatusOK, "home", "Posts", gin.H{"posts": list, "admin": u != nil && u.Admin})
}

// withAuthors returns posts with the names of their authors.
func (b *blog) withAuthors(c *gin.Context, posts []Post) ([]shownPost, error) {
	var ids []uint64
	for _, p := range posts {
		ids = append(ids, p.AuthorID)
	}
	var authors []User
	if err := b.db.WithContext(c.Request.Context()).Find(&authors, "id IN ?", ids).Error; err != nil {
		return nil, ginauth.Unavailable("load authors", err)
	}
	names := make(map[uint64]string)
	for _, u := range authors {
		names[u.ID] = u.Name
	}
	u, _ := ginauth.UserAs[*User](c)
	var list []shownPost
	for _, p := range posts {
		list = append(list, shownPost{p, names[p.AuthorID], u != nil && u.ID == p.AuthorID})
	}
	return list, nil
}

func (b *blog) postPage(c *gin.Context) {
	list, err := b.withAuthors(c, []Post{*ginauth.Loaded[*Post](c)})
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	pages.Render(c, http.StatusOK, "post", list[0].Title, list[0])
}

// form shows the form of a post. wrong is the field that is not acceptable, or "".
func (b *blog) form(c *gin.Context, status int, p *Post, wrong string) {
	title := "Write"
	if p.ID != 0 {
		title = "Edit"
	}
	pages.Render(c, status, "write", title, gin.H{"post": p, "wrong": wrong})
}

// readForm reads the form of a post. If it is not acceptable, it shows the form
// again and returns false.
func (b *blog) readForm(c *gin.Context, p *Post) bool {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, 4*ginauth.MaxBody)
	if err := c.Request.ParseForm(); err != nil {
		ginauth.Abort(c, errors.Join(ginauth.ErrMalformed, err))
		return false
	}
	p.Title, p.Body = c.PostForm("title"), c.PostForm("body")
	var fault *ginauth.InputError
	if errors.As(checkPost(p.Title, p.Body), &fault) {
		b.form(c, http.StatusUnprocessableEntity, p, fault.Field)
		return false
	}
	return true
}

// addPost is createPost for forms.
func (b *blog) addPost(c *gin.Context) {
	u, ok := ginauth.UserAs[*User](c)
	if !ok {
		ginauth.Abort(c, ginauth.ErrUnauthenticated) // cannot happen after the middleware Auth
		return
	}
	p := &Post{AuthorID: u.ID}
	if !b.readForm(c, p) {
		return
	}
	if err := b.db.WithContext(c.Request.Context()).Create(p).Error; err != nil {
		ginauth.Abort(c, ginauth.Unavailable("create post", err))
		return
	}
	b.show(c, p, "The draft is saved.")
}

func (b *blog) savePost(c *gin.Context) {
	p := ginauth.Loaded[*Post](c)
	if b.readForm(c, p) && b.update(c, p, []string{"title", "body"}) {
		b.show(c, p, "The post is saved.")
	}
}

func (b *blog) publishPage(c *gin.Context) {
	p := ginauth.Loaded[*Post](c)
	p.publish(time.Now())
	if b.update(c, p, []string{"published_at"}) {
		b.show(c, p, "The post is published.")
	}
}

func (b *blog) removePost(c *gin.Context) {
	if err := b.db.WithContext(c.Request.Context()).Delete(ginauth.Loaded[*Post](c)).Error; err != nil {
		ginauth.Abort(c, ginauth.Unavailable("delete post", err))
		return
	}
	pages.Notice(c, "The post is deleted.")
	c.Redirect(http.StatusSeeOther, "/")
}

// show redirects the browser to a post.
func (b *blog) show(c *gin.Context, p *Post, notice string) {
	pages.Notice(c, notice)
	c.Redirect(http.StatusSeeOther, fmt.Sprintf("/posts/%d", p.ID))
}

func (b *blog) adminPage(c *gin.Context) {
	var users []User
	if err := b.db.WithContext(c.Request.Context()).Order("id").Limit(pageSize).Find(&users).Error; err != nil {
		ginauth.Abort(c, ginauth.Unavailable("list users", err))
		return
	}
	pages.Render(c, http.StatusOK, "admin", "Users", users)
}
