package gormstore_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// caller is a user with several identifiers, of which those that are pointers are optional.
type caller struct {
	ID                uint64  `gorm:"primaryKey"`
	Email             *string `gorm:"size:254"`
	EmailCanonical    *string `gorm:"size:190;uniqueIndex"`
	Username          string  `gorm:"size:64;not null"`
	UsernameCanonical string  `gorm:"size:190;not null;uniqueIndex"`
	Phone             *string `gorm:"size:20;uniqueIndex"`
	Password          string  `gorm:"size:255;not null"`
}

func (c *caller) AuthID() string {
	u := models.User{ID: c.ID}
	return u.AuthID()
}
func (c *caller) AuthPassword() string { return c.Password }

func callers(db *gorm.DB) *gormstore.UserStore[caller, *caller] {
	return gormstore.Users[caller](db,
		gormstore.WithIdentifier("email", "Email"),
		gormstore.WithIdentifier("username", "Username", gormstore.WithForm(gormstore.NameForm)),
		gormstore.WithIdentifier("phone", "Phone", gormstore.WithForm(gormstore.PhoneForm)),
		gormstore.WithLogin("login", "phone", "email", "username"))
}

// TestIdentifiers checks names with spaces, phone numbers, optional identifiers, and one
// credential for all of them.
func TestIdentifiers(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := open(t)
		if err := db.AutoMigrate(&caller{}); err != nil {
			t.Fatal(err)
		}
		users := callers(db)
		for _, u := range []*caller{
			{Username: "Ann  van Lee", Email: new("Ann@Example.com"), Phone: new("+1 (555) 012-3456")},
			{Username: "Bob"}, // neither address nor number
			{Username: "Eve Two"},
		} {
			if err := users.CreateUser(t.Context(), u); err != nil {
				t.Fatalf("%s: %v", u.Username, err)
			}
		}
		for field, u := range map[string]*caller{
			"username": {Username: "ANN VAN LEE"},
			"phone":    {Username: "Kim", Phone: new("001 555 0123456")},
			"email":    {Username: "Kim", Email: new("ann@example.com")},
		} {
			err := users.CreateUser(t.Context(), u)
			if got, ok := errors.AsType[*models.FieldError](err); !ok || got.Field != field || !errors.Is(err, models.ErrTaken) {
				t.Errorf("a second %s: %v", field, err)
			}
		}
		if err := users.CreateUser(t.Context(), &caller{Username: "Kim", Phone: new("555 0123")}); !errors.Is(err, models.ErrBadIdentifier) {
			t.Errorf("a number without a country code: %v", err)
		}
		for _, test := range []struct{ field, value, id string }{
			{"username", " ann van  LEE ", "1"}, {"email", "ANN@example.com", "1"}, {"phone", "+1-555-012-3456", "1"},
			{"login", "Ann van Lee", "1"}, {"login", "ann@example.com", "1"}, {"login", "0015550123456", "1"},
			{"login", "bob", "2"}, {"login", "eve  two", "3"}, {"login", "nobody", ""}, {"login", "nobody@example.com", ""},
		} {
			form, err := users.CanonicalIdentifier(test.field, test.value)
			if err != nil {
				t.Errorf("%s %q: %v", test.field, test.value, err)
				continue
			}
			u, err := users.UserByIdentifier(t.Context(), test.field, form)
			if err != nil || (u == nil) != (test.id == "") || u != nil && u.AuthID() != test.id {
				t.Errorf("%s %q: user %v, error %v; want %q", test.field, test.value, u, err, test.id)
			}
		}
		if got := users.LoginFields(); !slices.Equal(got, []string{"login", "email", "username", "phone"}) {
			t.Errorf("LoginFields %v", got)
		}
		// A name that is somebody's address is not looked up as one.
		if err := users.CreateUser(t.Context(), &caller{Username: "bob@example.com"}); err != nil {
			t.Fatal(err)
		}
		if u, err := users.UserByIdentifier(t.Context(), "login", "bob@example.com"); err != nil || u != nil {
			t.Errorf("a name as an address: %v, %v", u, err)
		}
		if problems, err := users.CheckUsers(t.Context(), models.HashCheck{Longest: 97}); err != nil || len(problems) > 0 {
			t.Errorf("CheckUsers %q, error %v", problems, err)
		}
	})
}

// TestForms checks the canonical forms that the package has.
func TestForms(t *testing.T) {
	for _, test := range []struct {
		form     func(string) (string, error)
		in, want string
	}{
		{gormstore.NameForm, "  Ann \t van\u00a0LEE ", "ann van lee"}, {gormstore.NameForm, "STRASSE", "strasse"},
		{gormstore.NameForm, "a\u200bb", ""}, {gormstore.NameForm, strings.Repeat("x", 2000), ""},
		{gormstore.PhoneForm, "+49 (30) 901-820", "+4930901820"}, {gormstore.PhoneForm, "0049 30/901820", "+4930901820"},
		{gormstore.PhoneForm, "030 901820", ""}, {gormstore.PhoneForm, "+0123456789", ""}, {gormstore.PhoneForm, "+49abc1234", ""},
		{gormstore.PhoneForm, "+12", ""}, {gormstore.PhoneForm, "+1234567890123456", ""},
	} {
		got, err := test.form(test.in)
		if (err == nil) != (test.want != "") || err == nil && got != test.want {
			t.Errorf("%.20q: %q, %v; want %q", test.in, got, err, test.want)
		}
		if again, err := test.form(got); err == nil && again != got {
			t.Errorf("the form of %q is %q", got, again)
		}
	}
}

// TestLoginThatNamesNothing checks that WithLogin panics for what is no identifier.
func TestLoginThatNamesNothing(t *testing.T) {
	db := openSQLite(t, "")
	for _, option := range []gormstore.UserOption{
		gormstore.WithLogin("login"), gormstore.WithLogin("", "email"), gormstore.WithLogin("login", "username"), gormstore.WithLogin("email", "email"),
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, "WithLogin") {
					t.Errorf("panic %q", got)
				}
			}()
			gormstore.Users[models.User](db, gormstore.WithIdentifier("email", "Email"), option)
		}()
	}
}

// shortUser has a column for bcrypt, and no unique index.
type shortUser struct {
	ID            uint64 `gorm:"primaryKey"`
	Email         string `gorm:"size:254;not null"`
	Password      string `gorm:"type:varchar(60);not null"`
	SecurityStamp string `gorm:"size:64"`
}

func (s *shortUser) AuthID() string {
	u := models.User{ID: s.ID}
	return u.AuthID()
}
func (s *shortUser) AuthPassword() string { return s.Password }
func (s *shortUser) AuthStamp() string    { return s.SecurityStamp }

// TestCheckUsers checks that each problem is found, and told without data of users.
func TestCheckUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := open(t)
		if err := db.AutoMigrate(&shortUser{}); err != nil {
			t.Fatal(err)
		}
		for _, u := range []shortUser{{Email: "ann@example.com", Password: "$9$canary"}, {Email: "ann@example.com"}, {Password: "canary"}} {
			if err := db.Create(&u).Error; err != nil {
				t.Fatal(err)
			}
		}
		users := gormstore.Users[shortUser](db)
		problems, err := users.CheckUsers(t.Context(), models.HashCheck{Longest: 97, Readable: func(string) bool { return false }})
		all := strings.Join(problems, "\n")
		for _, want := range []string{
			"no unique index", "room for 60 bytes", "email is empty", "same email", "security_stamp is empty", "begins with $9$", "unknown format",
		} {
			if !strings.Contains(all, want) {
				t.Errorf("no problem says %q", want)
			}
		}
		if err != nil || len(problems) != 7 || strings.Contains(all, "canary") || strings.Contains(all, "ann@") {
			t.Errorf("error %v, problems\n%s", err, all)
		}
	})
}

// TestCheckConnection checks that a missing table, a read-only connection, and a driver that
// does not read times are found.
func TestCheckConnection(t *testing.T) {
	warnings, err := gormstore.New(openSQLite(t, "")).Tokens.(stores.Checker).Check(t.Context())
	if err != nil || !strings.Contains(strings.Join(warnings, " "), "auth_tokens") {
		t.Errorf("without tables: %q, %v", warnings, err)
	}
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		statement := map[string]string{
			"postgres": "SET default_transaction_read_only = on", "mysql": "SET SESSION TRANSACTION READ ONLY",
		}[db.Name()]
		if statement == "" {
			return
		}
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		pool.SetMaxOpenConns(1)
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
		warnings, err := gormstore.New(db).Tokens.(stores.Checker).Check(t.Context())
		if err != nil || !strings.Contains(strings.Join(warnings, " "), "read-only") {
			t.Errorf("read-only: %q, %v", warnings, err)
		}
	})
	dsn := os.Getenv("GINAUTH_TEST_MYSQL")
	if dsn == "" {
		return
	}
	config, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.DBName = newDatabase(t, mysql.Open(dsn), "CREATE DATABASE %s", "DROP DATABASE %s")
	config.ParseTime = false
	db := connect(t, mysql.Open(config.FormatDSN()))
	if err := db.AutoMigrate(&models.User{}); err != nil {
		t.Fatal(err)
	}
	problems, _ := gormstore.Users[models.User](db).CheckUsers(t.Context(), models.HashCheck{Longest: 97})
	if !strings.Contains(strings.Join(problems, " "), "parseTime=true") {
		t.Errorf("without parseTime: %q", problems)
	}
}
