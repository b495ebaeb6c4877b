// Command bookclub is the application of docs/pages.md: the pages of a book club, which need no script.
package main

import (
	"context"
	"embed"
	"io/fs"
	"net/http"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/recovery"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores/gormstore"
)

//go:embed web
var web embed.FS

// User is a member of the club.
type User struct {
	models.User
	Author string `gorm:"size:100"` // whom the member likes to read
}

// newClub returns the club. The configuration has the key, the Mailer and the address of the club.
func newClub(db *gorm.DB, config ginauth.Config) (*gin.Engine, *ginauth.Manager, error) {
	codes, backup := totp.New(totp.Options{}), recovery.New(recovery.Options{})
	config.Users, config.Stores = gormstore.Users[User](db), gormstore.New(db)
	config.Features = []ginauth.Feature{codes, backup}
	config.Pages, config.ErrorHandler = pages.Config(""), pages.ErrorHandler
	config.Pages.Home = "/books"           // after a login
	config.Mail.ResetTokenInQuery = true   // so that the page for a new password needs no script
	config.Account.Prepare = prepareMember // for the field of the registration
	auth, err := ginauth.New(config)
	if err != nil {
		return nil, nil, err
	}
	options, static, err := look()
	if err != nil {
		return nil, nil, err
	}
	r := gin.New()
	r.Use(gin.LoggerWithFormatter(ginauth.LogFormatter), auth.Recovery())
	pages.Mount(r, auth, options) // before all that follows
	routes.Mount(r, auth, routes.Options{RegisterFields: []string{"author"}})
	codes.Mount(r)
	backup.Mount(r)
	(&shelf{db}).mount(r.Group("", auth.StartSession()), auth)
	r.StaticFS("/static", http.FS(static))
	r.NoRoute(pages.NotFound)
	return r, auth, nil
}

// prepareMember checks the field "author" of a registration and gives it to the new user.
func prepareMember(_ context.Context, u models.Authenticatable, in ginauth.Registration) error {
	author := in.Fields["author"]
	if n := utf8.RuneCountInString(author); n < 1 || n > 100 {
		return &ginauth.InputError{Field: "author", Reason: "must have 1 to 100 characters"}
	}
	u.(*User).Author = author
	return nil
}

// look returns how the pages look, and the files that they show.
func look() (options pages.Options, static fs.FS, err error) {
	if static, err = fs.Sub(web, "web/static"); err != nil {
		return options, nil, err
	}
	templates, err := fs.Sub(web, "web/templates")
	return pages.Options{
		Name: "Book club", Home: "/books", Logo: "/static/logo.svg", Stylesheets: []string{"/static/club.css"},
		Templates: templates, // error.html replaces a page, books.html and language.html are new
		Links:     []pages.Link{{Text: "Books", Path: "/books"}, {Text: "Language", Path: "/language"}},
		RegisterFields: []pages.Field{
			{Name: "author", Label: "Favorite author", Hint: "The others see it beside your books.", Required: true},
		},
		Languages: []string{"en", "de"},
		Language:  chosenLanguage,
		Texts: map[string]map[string]string{
			"en": {"Create an account": "Join the club"}, // changes a text of the package
			"de": {
				"Create an account": "Mitglied werden", "Books": "Bücher", "Language": "Sprache",
				"Title": "Titel", "Add": "Eintragen", "Nothing is read here.": "Hier wird nichts gelesen.",
				"Favorite author":                      "Lieblingsautor",
				"The others see it beside your books.": "Die anderen sehen das neben Ihren Büchern.",
				"must have 1 to 100 characters":        "Geben Sie 1 bis 100 Zeichen ein.",
			},
		},
	}, static, err
}

// chosenLanguage returns the language that a browser has chosen, or "": then the header Accept-Language chooses.
func chosenLanguage(c *gin.Context) string {
	language, _ := c.Cookie("language")
	return language
}
