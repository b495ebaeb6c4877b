package gormstore_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// joiner is a user with unique columns of the application's own: one in the model's tags, two
// that are unique together, and one whose index the model does not know.
type joiner struct {
	models.User
	Nickname string  `gorm:"size:64;uniqueIndex"`
	Phone    *string `gorm:"size:64;unique"`
	Company  string  `gorm:"size:64;uniqueIndex:staff"`
	Number   string  `gorm:"size:64;uniqueIndex:staff"`
	Badge    string  `gorm:"size:64"`
	Username string  `gorm:"size:64;uniqueIndex"`
}

func TestTakenNamesTheField(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := open(t)
		if err := db.AutoMigrate(new(joiner)); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("CREATE UNIQUE INDEX joiners_badge_key ON joiners (badge)").Error; err != nil {
			t.Fatal(err)
		}
		users := gormstore.Users[joiner](db, gormstore.WithIdentifier("email", "Email"), gormstore.WithIdentifier("username", "Username"))
		text := func(s string) *string { return &s }
		joining := func(n string) *joiner {
			m := &joiner{Nickname: "nick" + n, Phone: text("phone" + n), Company: "acme", Number: n, Badge: "badge" + n, Username: "user" + n}
			m.Email, m.Password = "m"+n+"@example.com", "x"
			return m
		}
		if err := users.CreateUser(t.Context(), joining("1")); err != nil {
			t.Fatal(err)
		}
		for want, change := range map[string]func(*joiner){
			"email":    func(m *joiner) { m.Email = "M1@example.com" },
			"username": func(m *joiner) { m.Username = "USER1" },
			"nickname": func(m *joiner) { m.Nickname = "nick1" },
			"phone":    func(m *joiner) { m.Phone = text("phone1") },
			"company":  func(m *joiner) { m.Number = "1" },
			"badge":    func(m *joiner) { m.Badge = "badge1" },
		} {
			m := joining("2")
			change(m)
			err := users.CreateUser(t.Context(), m)
			var field *models.FieldError
			if !errors.Is(err, models.ErrTaken) || !errors.As(err, &field) || field.Field != want {
				t.Errorf("%s: %v", want, err)
			}
		}
		for _, username := range []string{"", "two words"} {
			m := joining("3")
			m.Username = username
			var field *models.FieldError
			if err := users.CreateUser(t.Context(), m); !errors.Is(err, models.ErrBadIdentifier) || !errors.As(err, &field) || field.Field != "username" {
				t.Errorf("username %q: %v", username, err)
			}
		}
		a, b := joining("4"), joining("5")
		a.Phone, b.Phone = nil, nil
		for _, m := range []*joiner{a, b} {
			if err := users.CreateUser(t.Context(), m); err != nil {
				t.Errorf("without a phone: %v", err)
			}
		}
	})
}
