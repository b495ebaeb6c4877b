// Command backend is a complete backend: accounts with mail and pages, and notes that only their owners see.
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

type Note struct {
	ID, OwnerID uint64
	Text        string
}

type notePolicy struct{}

func (notePolicy) View(_ context.Context, u *models.User, n *Note) bool { return n.OwnerID == u.ID }

func main() {
	ctx := context.Background()
	db, err := gorm.Open(postgres.Open(os.Getenv("DATABASE_URL")), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	mailer, mailErr := smtp.New(smtp.Options{Host: os.Getenv("SMTP_HOST"), From: mail.Address{Email: "hello@app.example"}})
	if err := errors.Join(mailErr, gormstore.Migrate(ctx, db), db.AutoMigrate(&models.User{}, &Note{})); err != nil {
		log.Fatal(err)
	}
	auth, err := ginauth.New(ginauth.Config{
		Key: ginauth.Key(os.Getenv("APP_KEY")), Users: gormstore.Users[models.User](db), Stores: gormstore.New(db),
		Mail:  ginauth.MailConfig{Mailer: mailer, BaseURL: "https://app.example"},
		Pages: pages.Config(""), ErrorHandler: pages.ErrorHandler,
	})
	if err != nil {
		log.Fatal(err)
	}
	ginauth.RegisterPolicy[*models.User, *Note](auth.Gate(), notePolicy{})

	r := gin.New()
	r.Use(auth.Recovery(), auth.StartSession())
	pages.Mount(r, auth, pages.Options{Name: "Notes"})
	routes.Mount(r, auth, routes.Options{})
	r.GET("/notes/:id", auth.Auth(), auth.Authorize("view", ginauth.Load("id", gormstore.Find[Note](db))),
		func(c *gin.Context) { c.JSON(200, ginauth.Loaded[*Note](c)) })
	log.Fatal(errors.Join(r.Run(), auth.Close(ctx)))
}
