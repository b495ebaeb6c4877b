// Command backend is a complete backend: accounts with mail and pages, roles, and notes for their owners and for editors.
package main

import (
	"context"
	"errors"
	"log"
	"os"

	"github.com/gin-gonic/gin"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/smtp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores/gormstore"
)

type User struct {
	models.User
	Role string `gorm:"size:32"`
}

type Note struct{ ID, Owner, Text string }

func backend(db *gorm.DB, mails ginauth.MailConfig) (*gin.Engine, *ginauth.Manager) {
	auth, err := ginauth.New(ginauth.Config{
		Key: ginauth.Key(os.Getenv("APP_KEY")), Users: gormstore.Users[User](db), Stores: gormstore.New(db),
		Mail: mails, Pages: pages.Config(""), ErrorHandler: pages.ErrorHandler,
	})
	if err := errors.Join(err, gormstore.Migrate(context.Background(), db), db.AutoMigrate(&User{}, &Note{})); err != nil {
		log.Fatal(err)
	}
	ginauth.Define(auth.Gate(), "view-note", func(_ context.Context, u *User, n *Note) bool {
		return n.Owner == u.AuthID() || u.Role == "editor"
	})
	r := gin.New()
	r.Use(auth.Recovery(), auth.StartSession())
	pages.Mount(r, auth, pages.Options{Name: "Notes"})
	routes.Mount(r, auth, routes.Options{})
	r.GET("/notes/:id", auth.Auth(), auth.Authorize("view-note", ginauth.Load("id", gormstore.Find[Note](db))),
		func(c *gin.Context) { c.JSON(200, ginauth.Loaded[*Note](c)) })
	return r, auth
}

func main() {
	db, dbErr := gorm.Open(postgres.Open(os.Getenv("DATABASE_URL")), &gorm.Config{})
	mailer, mailErr := smtp.New(smtp.Options{Host: os.Getenv("SMTP_HOST"), From: mail.Address{Email: "hello@app.example"}})
	if err := errors.Join(dbErr, mailErr); err != nil {
		log.Fatal(err)
	}
	r, auth := backend(db, ginauth.MailConfig{Mailer: mailer, BaseURL: "https://app.example"})
	log.Fatal(errors.Join(r.Run(), auth.Close(context.Background())))
}
