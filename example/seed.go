package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/models"
)

// seedPassword is the password of the users in a new database. The example
// prints it at start.
const seedPassword = "correct horse battery staple"

// seedEmails are the addresses of these users. The last one has an authenticator
// app.
var seedEmails = []string{"alice@example.com", "bob@example.com", "admin@example.com", "tess@example.com"}

// seedSecret is the secret of this app. The page /_code shows its code.
const seedSecret = "NOTEBOOKNOTEBOOKNOTEBOOKNOTEBOOK"

// seed adds four users and two posts to an empty database.
func (b *blog) seed(ctx context.Context) error {
	db := b.db.WithContext(ctx)
	var users int64
	if err := db.Model(&User{}).Count(&users).Error; err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if users > 0 {
		return nil
	}
	now := time.Now()
	alice := &User{User: models.User{Name: "Alice", Email: seedEmails[0], EmailVerifiedAt: &now}}
	bob := &User{User: models.User{Name: "Bob", Email: seedEmails[1]}}
	admin := &User{User: models.User{Name: "Admin", Email: seedEmails[2], EmailVerifiedAt: &now}, Admin: true}
	tess := &User{User: models.User{Name: "Tess", Email: seedEmails[3], EmailVerifiedAt: &now}}
	for _, u := range []*User{alice, bob, admin, tess} {
		var err error
		if u.Password, err = b.auth.Hasher().Hash(ctx, seedPassword); err != nil {
			return fmt.Errorf("seed: %w", err)
		}
		if err := b.users.CreateUser(ctx, u); err != nil {
			return fmt.Errorf("seed: %w", err)
		}
	}
	if err := b.codes.Import(ctx, "web", tess.AuthID(), seedSecret); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	posts := []Post{
		{AuthorID: alice.ID, Title: "Welcome", Body: "Everyone can read this.", PublishedAt: &now},
		{AuthorID: bob.ID, Title: "A draft", Body: "Only Bob can read this."},
	}
	if err := db.Create(&posts).Error; err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	return nil
}
