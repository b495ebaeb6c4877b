package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/pages"
)

// Book is a book that a member has read.
type Book struct {
	ID     uint64 `gorm:"primaryKey"`
	UserID uint64 `gorm:"not null;index"`
	User   User
	Title  string `gorm:"size:200;not null"`
}

// shelf has the pages of the club's own.
type shelf struct{ db *gorm.DB }

func (s *shelf) mount(r gin.IRouter, auth *ginauth.Manager) {
	r.GET("/", auth.Auth(), func(c *gin.Context) { c.Redirect(http.StatusSeeOther, "/books") })
	r.GET("/books", auth.Auth(), s.show)
	r.POST("/books", auth.Auth(), auth.EnsureEmailVerified(), s.add)
	r.GET("/language", ginauth.Public(), showLanguages)
	r.POST("/language", ginauth.Public(), chooseLanguage)
}

// show shows the books of all members in the layout of the pages.
func (s *shelf) show(c *gin.Context) {
	var books []Book
	if err := s.db.WithContext(c.Request.Context()).Preload("User").Order("id").Find(&books).Error; err != nil {
		ginauth.Abort(c, ginauth.Unavailable("list books", err))
		return
	}
	pages.Render(c, http.StatusOK, "books", "Books", books)
}

// add adds a book, which a form has sent.
func (s *shelf) add(c *gin.Context) {
	u, _ := ginauth.UserAs[*User](c)
	book := Book{UserID: u.ID, Title: c.PostForm("title")}
	if book.Title == "" || len(book.Title) > 200 {
		ginauth.Abort(c, &ginauth.InputError{Field: "title", Reason: "must have 1 to 200 bytes"})
	} else if err := s.db.WithContext(c.Request.Context()).Create(&book).Error; err != nil {
		ginauth.Abort(c, ginauth.Unavailable("add a book", err))
	} else {
		c.Redirect(http.StatusSeeOther, "/books")
	}
}

// languages are those of the pages.
var languages = map[string]string{"en": "English", "de": "Deutsch"}

func showLanguages(c *gin.Context) { pages.Render(c, http.StatusOK, "language", "Language", languages) }

// chooseLanguage keeps the language of the browser in a cookie, which is no secret.
func chooseLanguage(c *gin.Context) {
	language := c.PostForm("language")
	if languages[language] == "" {
		ginauth.Abort(c, &ginauth.InputError{Field: "language", Reason: "is none of this club"})
		return
	}
	http.SetCookie(c.Writer, &http.Cookie{
		Name: "language", Value: language, Path: "/", MaxAge: 365 * 24 * 60 * 60, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	c.Redirect(http.StatusSeeOther, "/language")
}
