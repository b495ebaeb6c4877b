package experiments

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testbackends"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// laravelUser is models.User in the table that Laravel makes.
type laravelUser struct {
	models.User
	RememberToken *string `gorm:"size:100"`
}

func (laravelUser) TableName() string { return "users" }

// djangoUser is a user of django.contrib.auth, who logs in by a name.
type djangoUser struct {
	ID                uint64 `gorm:"primaryKey"`
	Password          string `gorm:"size:128;not null"`
	Username          string `gorm:"size:150;not null"`
	UsernameCanonical string `gorm:"size:150;not null;uniqueIndex"`
	IsActive          bool   `gorm:"not null"`
	SecurityStamp     string `gorm:"size:64;not null"`
}

func (djangoUser) TableName() string       { return "auth_user" }
func (u *djangoUser) AuthID() string       { return strconv.FormatUint(u.ID, 10) }
func (u *djangoUser) AuthPassword() string { return u.Password }
func (u *djangoUser) AuthStamp() string    { return u.SecurityStamp }
func (u *djangoUser) AuthDisabled() bool   { return !u.IsActive }

// deviseUser is a user of Devise.
type deviseUser struct {
	ID                uint64 `gorm:"primaryKey"`
	Email             string `gorm:"size:255;not null"`
	EmailCanonical    string `gorm:"size:255;not null;uniqueIndex"`
	EncryptedPassword string `gorm:"size:255;not null"`
	ConfirmedAt       *time.Time
	SecurityStamp     string `gorm:"size:64;not null"`
}

func (deviseUser) TableName() string       { return "users" }
func (u *deviseUser) AuthID() string       { return strconv.FormatUint(u.ID, 10) }
func (u *deviseUser) AuthPassword() string { return u.EncryptedPassword }
func (u *deviseUser) AuthStamp() string    { return u.SecurityStamp }
func (u *deviseUser) AuthEmail() string    { return u.Email }
func (u *deviseUser) AuthEmailVerified() bool {
	return u.ConfirmedAt != nil
}

const oldPassword = "correct horse"

// framework is a table with rows as a framework makes it. The rows are: a good one, one in other
// letters, two of one identifier, and one that has no canonical form.
type framework struct {
	name, credential string
	tables           map[string]string // by dialect
	insert           string            // with the identifier and the hash
	identifiers      [5]string
	hash             string
	model            any
	adopt            func(ctx context.Context, db *gorm.DB) (gormstore.Adopted, error)
	users            func(db *gorm.DB) models.UserProvider
}

func bcryptOf(prefix string) string {
	hash, _ := bcrypt.GenerateFromPassword([]byte(oldPassword), bcrypt.MinCost)
	return strings.Replace(string(hash), "$2a$", prefix, 1)
}

var addresses = [5]string{"ann@example.com", "Bob@Example.COM", "eve@example.com", "EVE@example.com", "no body@example.com"}

func frameworks() []framework {
	django := gormstore.WithIdentifier("username", "Username")
	devise := []gormstore.UserOption{
		gormstore.WithPasswordField("EncryptedPassword"), gormstore.WithVerifiedField("ConfirmedAt"),
	}
	return []framework{
		{
			name: "Laravel", credential: "email", identifiers: addresses, hash: bcryptOf("$2y$"), model: &laravelUser{},
			tables: map[string]string{
				"sqlite":   `CREATE TABLE users (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, name varchar NOT NULL, email varchar NOT NULL, email_verified_at datetime, password varchar NOT NULL, remember_token varchar, created_at datetime, updated_at datetime)`,
				"postgres": `CREATE TABLE users (id bigserial PRIMARY KEY, name varchar(255) NOT NULL, email varchar(255) NOT NULL UNIQUE, email_verified_at timestamp(0), password varchar(255) NOT NULL, remember_token varchar(100), created_at timestamp(0), updated_at timestamp(0))`,
				"mysql":    `CREATE TABLE users (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(255) NOT NULL, email varchar(255) COLLATE utf8mb4_bin NOT NULL, email_verified_at timestamp NULL, password varchar(255) NOT NULL, remember_token varchar(100), created_at timestamp NULL, updated_at timestamp NULL, UNIQUE KEY users_email_unique (email)) COLLATE utf8mb4_unicode_ci`,
			},
			insert: "INSERT INTO users (name, email, password) VALUES ('A user', ?, ?)",
			adopt: func(ctx context.Context, db *gorm.DB) (gormstore.Adopted, error) {
				return gormstore.Adopt[laravelUser](ctx, db)
			},
			users: func(db *gorm.DB) models.UserProvider { return gormstore.Users[laravelUser](db) },
		},
		{
			name: "Django", credential: "username", hash: "pbkdf2_sha256$1000$seasalt2$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8=",
			identifiers: [5]string{"ann", "Bob", "eve", "Eve", "no body"}, model: &djangoUser{},
			tables: map[string]string{
				"sqlite":   `CREATE TABLE auth_user (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, password varchar(128) NOT NULL, last_login datetime NULL, is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined datetime NOT NULL, first_name varchar(150) NOT NULL)`,
				"postgres": `CREATE TABLE auth_user (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamptz NULL, is_superuser boolean NOT NULL, username varchar(150) NOT NULL UNIQUE, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff boolean NOT NULL, is_active boolean NOT NULL, date_joined timestamptz NOT NULL, first_name varchar(150) NOT NULL)`,
				"mysql":    `CREATE TABLE auth_user (id integer AUTO_INCREMENT NOT NULL PRIMARY KEY, password varchar(128) NOT NULL, last_login datetime(6) NULL, is_superuser bool NOT NULL, username varchar(150) COLLATE utf8mb4_bin NOT NULL UNIQUE, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined datetime(6) NOT NULL, first_name varchar(150) NOT NULL)`,
			},
			insert: "INSERT INTO auth_user (username, password, is_superuser, last_name, email, is_staff, is_active, date_joined, first_name)" +
				" VALUES (?, ?, false, '', '', false, true, '2020-01-02 03:04:05', '')",
			adopt: func(ctx context.Context, db *gorm.DB) (gormstore.Adopted, error) {
				return gormstore.Adopt[djangoUser](ctx, db, django)
			},
			users: func(db *gorm.DB) models.UserProvider { return gormstore.Users[djangoUser](db, django) },
		},
		{
			name: "Devise", credential: "email", identifiers: addresses, hash: bcryptOf("$2a$"), model: &deviseUser{},
			tables: map[string]string{
				"sqlite":   `CREATE TABLE users (id integer PRIMARY KEY AUTOINCREMENT NOT NULL, email varchar DEFAULT '' NOT NULL, encrypted_password varchar DEFAULT '' NOT NULL, reset_password_token varchar, reset_password_sent_at datetime(6), remember_created_at datetime(6), confirmed_at datetime(6), created_at datetime(6), updated_at datetime(6))`,
				"postgres": `CREATE TABLE users (id bigserial PRIMARY KEY, email varchar DEFAULT '' NOT NULL, encrypted_password varchar DEFAULT '' NOT NULL, reset_password_token varchar, reset_password_sent_at timestamp(6), remember_created_at timestamp(6), confirmed_at timestamp(6), created_at timestamp(6), updated_at timestamp(6))`,
				"mysql":    `CREATE TABLE users (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, email varchar(255) COLLATE utf8mb4_bin DEFAULT '' NOT NULL, encrypted_password varchar(255) DEFAULT '' NOT NULL, reset_password_token varchar(255), reset_password_sent_at datetime(6), remember_created_at datetime(6), confirmed_at datetime(6), created_at datetime(6), updated_at datetime(6))`,
			},
			insert: "INSERT INTO users (email, encrypted_password) VALUES (?, ?)",
			adopt: func(ctx context.Context, db *gorm.DB) (gormstore.Adopted, error) {
				return gormstore.Adopt[deviseUser](ctx, db, devise...)
			},
			users: func(db *gorm.DB) models.UserProvider { return gormstore.Users[deviseUser](db, devise...) },
		},
	}
}

// TestAdopt moves the users of other frameworks in, with their tables, rows and hashes.
func TestAdopt(t *testing.T) {
	for engine, open := range map[string]func(t *testing.T) *gorm.DB{
		"sqlite": func(t *testing.T) *gorm.DB {
			db := testbackends.SQLite(t).DB
			if err := db.Migrator().DropTable("users"); err != nil {
				t.Fatal(err)
			}
			return db
		},
		"postgres": func(t *testing.T) *gorm.DB { return testservers.Postgres(t) },
		"mysql":    func(t *testing.T) *gorm.DB { return testservers.MySQL(t) },
	} {
		for _, f := range frameworks() {
			t.Run(f.name+"/"+engine, func(t *testing.T) { testAdopt(t, open(t), f) })
		}
	}
}

func testAdopt(t *testing.T, db *gorm.DB, f framework) {
	if err := db.Exec(f.tables[db.Name()]).Error; err != nil {
		t.Fatal(err)
	}
	for _, identifier := range f.identifiers {
		if err := db.Exec(f.insert, identifier, f.hash).Error; err != nil {
			t.Fatal(err)
		}
	}
	for run, changed := range []int{5, 0} { // all get a stamp
		got, err := f.adopt(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, p := range got.Problems {
			keys = append(keys, p.Key)
		}
		slices.Sort(keys)
		if got.Rows != 5 || got.Changed != changed || fmt.Sprint(keys) != "[3 4 5]" {
			t.Fatalf("run %d: %+v", run, got)
		}
	}
	if err := gormstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	auth, client := oldUsers(t, db, f.users(db))
	login := func(identifier, password string) *testapp.Response {
		return client().Post("/login", map[string]string{f.credential: identifier, "password": password})
	}
	login(f.identifiers[0], oldPassword).Want(t, 200)
	login(strings.ToUpper(f.identifiers[0]), oldPassword).Want(t, 200) // with the new hash
	login(f.identifiers[1], oldPassword).Want(t, 200)
	login(f.identifiers[0], "wrong horse").Want401(t)
	for _, identifier := range f.identifiers[2:4] {
		login(identifier, oldPassword).Want401(t)
	}
	if found := findings(auth); len(found) != 1 || !strings.Contains(found[0], "gormstore.Adopt") {
		t.Errorf("Preflight: %q", found)
	}
	// The old application adds a row, without the columns that it does not know.
	if err := db.Exec(f.insert, "later@example.com", f.hash).Error; err != nil {
		t.Fatal(err)
	}
	login("later@example.com", oldPassword).Want401(t)
	// Once the rows are mended, Adopt completes them, and AutoMigrate has nothing to refuse.
	column := map[string]string{"email": "email", "username": "username"}[f.credential]
	table := strings.Fields(f.insert)[2]
	for id, value := range map[int]string{4: "adam@example.com", 5: "nobody@example.com"} {
		if err := db.Exec(fmt.Sprintf("UPDATE %s SET %s = ? WHERE id = ?", table, column), value, id).Error; err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.adopt(t.Context(), db); err != nil || got.Changed != 4 || len(got.Problems) > 0 {
		t.Fatalf("after mending: %+v, error %v", got, err)
	}
	// On PostgreSQL GORM drops a UNIQUE constraint by a name that only GORM would give it.
	if db.Name() != "postgres" || f.name == "Devise" {
		if err := db.AutoMigrate(f.model); err != nil {
			t.Errorf("AutoMigrate: %v", err)
		}
	}
	login(f.identifiers[2], oldPassword).Want(t, 200)
	login("later@example.com", oldPassword).Want(t, 200)
	if found := findings(auth); len(found) > 0 {
		t.Errorf("Preflight: %q", found)
	}
	// A row that the old application adds without a stamp gets one at its login.
	if err := db.Exec(fmt.Sprintf("UPDATE %s SET security_stamp = '' WHERE id = 2", table)).Error; err != nil {
		t.Fatal(err)
	}
	c := client()
	c.Post("/login", map[string]string{f.credential: f.identifiers[1], "password": oldPassword}).Want(t, 200)
	c.Get("/me").Want(t, 200)
}

// oldUsers starts an application with users of other programs.
func oldUsers(t *testing.T, db *gorm.DB, users models.UserProvider) (*ginauth.Manager, func() *testapp.Client) {
	cheap := ginauthtest.CheapHashing()
	cheap.Also = hashing.Legacy()
	auth, err := ginauth.New(ginauth.Config{Key: testapp.Key, Hashing: cheap, Users: users, Stores: gormstore.New(db)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(context.Background()) })
	r := gin.New()
	all := r.Group("", auth.StartSession())
	all.POST("/login", func(c *gin.Context) {
		in, _ := testapp.Decode[ginauth.Credentials](c)
		res, err := ginauth.From(c).Attempt(c.Request.Context(), in)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(200, res.User.AuthID())
	})
	all.GET("/me", auth.Auth(), func(c *gin.Context) { c.Status(200) })
	server := httptest.NewTLSServer(r)
	t.Cleanup(server.Close)
	return auth, func() *testapp.Client { return testapp.NewClient(t, server.URL, server.Client().Transport) }
}

// findings returns what Preflight finds about users.
func findings(auth *ginauth.Manager) (found []string) {
	for _, f := range auth.Preflight(context.Background(), nil) {
		if f.Subject == "Users" {
			found = append(found, f.Problem)
		}
	}
	return found
}
