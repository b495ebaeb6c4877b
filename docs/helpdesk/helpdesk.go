// Command helpdesk is the application of docs/existing-users-table.md: a help desk that takes over the database of an
// application in Laravel, with its users and their tickets.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// User is a row of the table that Laravel has made, with a column that models.User does not know.
type User struct {
	models.User
	RememberToken *string `gorm:"size:100" json:"-"`
}

// TableName returns "users".
func (User) TableName() string { return "users" }

// Ticket is a row of another table of the old application. It names its user by the same key as before.
type Ticket struct {
	ID      uint64 `gorm:"primaryKey" json:"id"`
	UserID  string `json:"-"`
	Subject string `json:"subject"`
}

// moveIn prepares the database. It writes what it did, and which rows somebody has to correct. It can be repeated.
func moveIn(ctx context.Context, db *gorm.DB, out io.Writer) error {
	adopted, err := gormstore.Adopt[User](ctx, db)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "users: %d, of which %d were completed\n", adopted.Rows, adopted.Changed)
	for _, p := range adopted.Problems {
		fmt.Fprintf(out, "user %s cannot log in: the %s %s\n", p.Key, p.Credential, p.Problem)
	}
	return gormstore.Migrate(ctx, db) // the tables of ginauth
}

// newDesk returns the help desk on a database that moveIn has prepared. It writes what Preflight finds.
func newDesk(ctx context.Context, db *gorm.DB, config ginauth.Config, out io.Writer) (*gin.Engine, *ginauth.Manager, error) {
	config.Users, config.Stores = gormstore.Users[User](db), gormstore.New(db)
	config.Hashing.Also = hashing.Legacy() // reads the hashes of other frameworks, too
	auth, err := ginauth.New(config)
	if err != nil {
		return nil, nil, err
	}
	r := gin.New()
	r.Use(auth.Recovery(), auth.StartSession())
	routes.Mount(r, auth, routes.Options{})
	r.GET("/tickets", auth.Auth(), func(c *gin.Context) {
		u, _ := ginauth.UserAs[*User](c)
		tickets := []Ticket{}
		if err := db.WithContext(c.Request.Context()).Order("id").Find(&tickets, "user_id = ?", u.ID).Error; err != nil {
			ginauth.Abort(c, ginauth.Unavailable("list tickets", err))
			return
		}
		c.JSON(http.StatusOK, tickets)
	})
	for _, finding := range auth.Preflight(ctx, r) {
		fmt.Fprintln(out, "preflight:", finding)
	}
	return r, auth, nil
}
