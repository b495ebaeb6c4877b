package gormstore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// member is an application's user: it embeds models.User and has soft deletion.
type member struct {
	models.User
	Company   string `gorm:"size:100"`
	DeletedAt gorm.DeletedAt
}

// account has a text key, other names for the fields of hash and login, and no stamp.
type account struct {
	Handle string `gorm:"primaryKey;size:64"`
	Login  string `gorm:"size:254;not null;uniqueIndex"`
	Hash   string `gorm:"size:255;not null"`
}

func (a *account) AuthID() string       { return a.Handle }
func (a *account) AuthPassword() string { return a.Hash }

func accounts(db *gorm.DB) *gormstore.UserStore[account, *account] {
	return gormstore.Users[account](db,
		gormstore.WithIdentifier("login", "Login"), gormstore.WithPasswordField("Hash"))
}

// tables returns a function that calls open and creates the tables of the models.
func tables(open func(t *testing.T) *gorm.DB, models ...any) func(t *testing.T) *gorm.DB {
	return func(t *testing.T) *gorm.DB {
		t.Helper()
		db := open(t)
		if err := db.AutoMigrate(models...); err != nil {
			t.Fatal(err)
		}
		return db
	}
}

// create stores a user with the given address and the password hash "hash".
func create(t *testing.T, users *gormstore.UserStore[member, *member], email string) *member {
	t.Helper()
	u := &member{User: models.User{Email: email, Password: "hash"}}
	if err := users.CreateUser(t.Context(), u); err != nil {
		t.Fatalf("CreateUser(%q): %v", email, err)
	}
	return u
}

// isNobody checks that a look-up returned a nil interface and no error.
func isNobody(t *testing.T, what string, u models.Authenticatable, err error) {
	t.Helper()
	if u != nil || err != nil {
		t.Errorf("%s = %v, error %v; want nobody and no error", what, u, err)
	}
}

// identifiersOfNobody are texts that GORM, a database or a parser could confuse with the
// identifier of user 1.
var identifiersOfNobody = []string{
	"", "0", "00", "01", "+1", "-1", " 1", "1 ", "1\n", "1\x00", "0x1", "0b1", "1_0", "1.0", "1e0", "١",
	"1=1", "1 OR 1=1", "id=1", "' OR '1'='1", "1); DROP TABLE members; --", "nil", "null", "NULL", "true", "?", "@id", "*", "%",
	"4294967297", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
	"18446744073709551617", "99999999999999999999", strings.Repeat("9", 4096), "\xff", "[1]", `{"id":1}`,
}

func TestUserByID(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &member{})(t)
		users := gormstore.Users[member](db)
		admin := create(t, users, "admin@example.com")
		create(t, users, "ann@example.com")

		u, err := users.UserByID(t.Context(), "1")
		if err != nil || u == nil || u.(*member).Email != admin.Email {
			t.Fatalf("UserByID(1) = %v, error %v; want the first user", u, err)
		}
		for _, id := range identifiersOfNobody {
			u, err := users.UserByID(t.Context(), id)
			isNobody(t, fmt.Sprintf("UserByID(%.40q)", id), u, err)
		}
		if err := db.Delete(admin).Error; err != nil {
			t.Fatal(err)
		}
		u, err = users.UserByID(t.Context(), "1")
		isNobody(t, "UserByID of a deleted user", u, err)
		u, err = users.UserByIdentifier(t.Context(), "email", "admin@example.com")
		isNobody(t, "UserByIdentifier of a deleted user", u, err)
		u, err = users.ChangePassword(t.Context(), "1", admin.SecurityStamp, "new", "stamp")
		isNobody(t, "ChangePassword of a deleted user", u, err)
	})
}

func TestUserByTextID(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := accounts(tables(open, &account{})(t))
		ctx := t.Context()
		if err := users.CreateUser(ctx, &account{Handle: "renée", Login: "Renée", Hash: "hash"}); err != nil {
			t.Fatal(err)
		}
		u, err := users.UserByID(ctx, "renée")
		if err != nil || u == nil || u.AuthID() != "renée" {
			t.Fatalf("UserByID = %v, error %v; want the user", u, err)
		}
		for _, id := range append(identifiersOfNobody, "renee", "Renée", "RENÉE", "rene\u0301e", "renée ", "renée\x00", "ren%", "ren_e") {
			u, err := users.UserByID(ctx, id)
			isNobody(t, fmt.Sprintf("UserByID(%.40q)", id), u, err)
			if ok, err := users.RehashPassword(ctx, id, "hash", "new"); ok || err != nil {
				t.Errorf("RehashPassword(%.40q) = %v, error %v; want false", id, ok, err)
			}
			u, err = users.ChangePassword(ctx, id, "hash", "new", "stamp")
			isNobody(t, fmt.Sprintf("ChangePassword(%.40q)", id), u, err)
		}
		if u, err = users.UserByID(ctx, "renée"); err != nil || u.AuthPassword() != "hash" {
			t.Errorf("the password of the user was changed under another name, error %v", err)
		}
		u, err = users.ChangePassword(ctx, "renée", "another hash", "newer", "stamp")
		isNobody(t, "ChangePassword under another hash", u, err)
		if u, err = users.ChangePassword(ctx, "renée", "hash", "new", "stamp"); err != nil || u == nil || u.AuthPassword() != "new" {
			t.Errorf("ChangePassword = %v, error %v; want the new hash, without a stamp column", u, err)
		}
	})
}

func TestUserByIdentifier(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		ctx := t.Context()
		create(t, users, "admin@example.com")
		ann := create(t, users, " Ann.É@Example.com ")

		canonical, err := users.CanonicalIdentifier("email", "ANN.E\u0301@example.COM")
		if err != nil || canonical != "ann.é@example.com" {
			t.Fatalf("CanonicalIdentifier = %q, error %v", canonical, err)
		}
		u, err := users.UserByIdentifier(ctx, "email", canonical)
		if err != nil || u == nil || u.AuthID() != ann.AuthID() {
			t.Fatalf("UserByIdentifier = %v, error %v; want %s", u, err, ann.AuthID())
		}
		if u.(*member).Email != ann.Email || ann.EmailCanonical != canonical {
			t.Errorf("stored %q with the canonical form %q", u.(*member).Email, ann.EmailCanonical)
		}
		for _, value := range []string{
			"", " ", "ann.e@example.com", "ANN.É@example.com", "ann.é@example.com ", "ann.é@example.co", "%", "_nn.é@example.com",
			"ann%", "1=1", "' OR '1'='1", "ann.é@example.com\x00", "\xff", "1", "hash", strings.Repeat("a", 300),
		} {
			u, err := users.UserByIdentifier(ctx, "email", value)
			isNobody(t, fmt.Sprintf("UserByIdentifier(%.40q)", value), u, err)
		}
		for _, field := range []string{
			"", "id", "Email", "password", "members.password", "email_canonical", "is_admin", "email OR 1=1", "email = '' OR 1=1 --",
		} {
			if u, err := users.UserByIdentifier(ctx, field, "hash"); u != nil || !errors.Is(err, models.ErrUnknownField) {
				t.Errorf("UserByIdentifier in field %q = %v, error %v; want ErrUnknownField", field, u, err)
			}
			if _, err := users.CanonicalIdentifier(field, "x"); !errors.Is(err, models.ErrUnknownField) {
				t.Errorf("CanonicalIdentifier in field %q: error %v; want ErrUnknownField", field, err)
			}
		}
	})
}

func TestCanonicalIdentifierRefuses(t *testing.T) {
	users := gormstore.Users[models.User](openSQLite(t, ""))
	for _, value := range []string{"", "  ", "a\x00b", "a\nb", "a\x7f", "\xff", strings.Repeat("a", 255)} {
		if form, err := users.CanonicalIdentifier("email", value); !errors.Is(err, models.ErrBadIdentifier) {
			t.Errorf("CanonicalIdentifier(%.20q) = %q, error %v; want ErrBadIdentifier", value, form, err)
		}
		u := &models.User{Email: value}
		if err := users.CreateUser(t.Context(), u); !errors.Is(err, models.ErrBadIdentifier) {
			t.Errorf("CreateUser(%.20q): error %v; want ErrBadIdentifier", value, err)
		}
	}
	if form, err := users.CanonicalIdentifier("email", " "+strings.Repeat("A", 254)+" "); err != nil || len(form) != 254 {
		t.Errorf("CanonicalIdentifier of 254 bytes = %q, error %v", form, err)
	}
}

func TestCreateUserFills(t *testing.T) {
	users := gormstore.Users[models.User](tables(func(t *testing.T) *gorm.DB { return openSQLite(t, "") }, &models.User{})(t))
	u, v := &models.User{Email: "Ann@Example.com"}, &models.User{Email: "bob@example.com", SecurityStamp: "mine"}
	for _, u := range []*models.User{u, v} {
		if err := users.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	if u.ID == 0 || u.EmailCanonical != "ann@example.com" || len(u.SecurityStamp) != 32 || u.CreatedAt.IsZero() {
		t.Errorf("CreateUser left %+v", u)
	}
	if v.SecurityStamp != "mine" {
		t.Errorf("CreateUser replaced a stamp by %q", v.SecurityStamp)
	}
	for name, wrong := range map[string]models.Authenticatable{
		"nil": nil, "a nil user": (*models.User)(nil), "another type": &account{Handle: "x", Login: "x"},
	} {
		if err := users.CreateUser(t.Context(), wrong); err == nil {
			t.Errorf("CreateUser of %s succeeded", name)
		}
	}
	if p := users.PrototypeUser(); p == nil || p.AuthID() != "" {
		t.Errorf("PrototypeUser = %v", p)
	}
}

// TestCreateUserRace registers several spellings of one address in parallel.
func TestCreateUserRace(t *testing.T) {
	spellings := []string{"É.ann@example.com", "é.ann@example.com", "E\u0301.ANN@example.com", " é.Ann@EXAMPLE.com ", "é.ａnn@example.com"}
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &member{})(t)
		users := gormstore.Users[member](db)
		var created atomic.Int64
		parallel(200, func(i int) {
			u := &member{User: models.User{Email: spellings[i%len(spellings)]}}
			switch err := users.CreateUser(t.Context(), u); {
			case err == nil:
				created.Add(1)
			case !errors.Is(err, models.ErrTaken):
				t.Errorf("CreateUser: error %v; want ErrTaken", err)
			}
		})
		var rows int64
		if err := db.Model(&member{}).Count(&rows).Error; err != nil || rows != 1 || created.Load() != 1 {
			t.Errorf("%d users created, %d rows, error %v; want 1 and 1", created.Load(), rows, err)
		}
	})
}

func TestCreateUserTakenByDeleted(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &member{})(t)
		users := gormstore.Users[member](db)
		if err := db.Delete(create(t, users, "ann@example.com")).Error; err != nil {
			t.Fatal(err)
		}
		err := users.CreateUser(t.Context(), &member{User: models.User{Email: "ann@example.com"}})
		if !errors.Is(err, models.ErrTaken) {
			t.Errorf("CreateUser: error %v; want ErrTaken", err)
		}
		// An INSERT that fails for another reason does not return ErrTaken.
		again := &member{User: models.User{ID: 1, Email: "bob@example.com"}}
		if err := users.CreateUser(t.Context(), again); err == nil || errors.Is(err, models.ErrTaken) {
			t.Errorf("CreateUser with the key of another user: error %v; want another error", err)
		}
	})
}

func TestNameIsChangedAndUserDeleted(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &member{})(t)
		users := gormstore.Users[member](db)
		ann, bob := create(t, users, "ann@example.com"), create(t, users, "bob@example.com")
		for _, id := range []string{ann.AuthID(), "0", "x"} {
			if err := users.ChangeName(t.Context(), id, "Ann"); err != nil {
				t.Errorf("ChangeName of %q: %v", id, err)
			}
		}
		if u, err := users.UserByID(t.Context(), ann.AuthID()); err != nil || u.(models.Named).AuthName() != "Ann" {
			t.Errorf("user %+v, %v", u, err)
		}
		for range 2 {
			if err := users.DeleteUser(t.Context(), ann.AuthID()); err != nil {
				t.Error(err)
			}
		}
		if err := users.DeleteUser(t.Context(), "x"); err != nil {
			t.Error(err)
		}
		if u, err := users.UserByID(t.Context(), ann.AuthID()); err != nil || u != nil {
			t.Errorf("the deleted user is %+v, %v", u, err)
		}
		if u, err := users.UserByID(t.Context(), bob.AuthID()); err != nil || u == nil || u.(models.Named).AuthName() == "Ann" {
			t.Errorf("another user is %+v, %v", u, err)
		}
	})
}

// twin has no unique index, so that two identifiers that a collation considers equal can
// both exist.
type twin struct {
	ID    uint32
	Login string `gorm:"size:254;not null"`
	Hash  string `gorm:"size:255;not null"`
}

func (u *twin) AuthID() string       { return fmt.Sprint(u.ID) }
func (u *twin) AuthPassword() string { return u.Hash }

func TestTwins(t *testing.T) {
	logins := []string{"renee", "renée", "rénee", "rënee"}
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[twin](tables(open, &twin{})(t),
			gormstore.WithIdentifier("login", "Login"), gormstore.WithPasswordField("Hash"))
		for i, login := range logins {
			if err := users.CreateUser(t.Context(), &twin{Login: login, Hash: fmt.Sprint("Hash", i)}); err != nil {
				t.Fatal(err)
			}
		}
		for i, login := range logins {
			u, err := users.UserByIdentifier(t.Context(), "login", login)
			if err != nil || u == nil || u.(*twin).Login != login {
				t.Errorf("UserByIdentifier(%q) = %v, error %v", login, u, err)
				continue
			}
			if ok, err := users.RehashPassword(t.Context(), u.AuthID(), fmt.Sprint("HASH", i), "new"); ok || err != nil {
				t.Errorf("RehashPassword from a hash in another case = %v, error %v", ok, err)
			}
		}
		if err := users.CreateUser(t.Context(), &twin{Login: logins[0]}); err != nil {
			t.Fatal(err)
		}
		if u, err := users.UserByIdentifier(t.Context(), "login", logins[0]); err == nil {
			t.Errorf("of two users with one identifier %v was found, want an error", u)
		}
	})
}

// TestAddresslessUsers stores several users without an address, whom nobody finds by one.
func TestAddresslessUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		for range 2 {
			u := &member{User: models.User{Name: "Ann"}}
			if err := users.CreateAddresslessUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			found, err := users.UserByID(t.Context(), u.AuthID())
			if err != nil || found == nil || found.(*member).Email != "" || found.(*member).SecurityStamp == "" {
				t.Errorf("stored %v, %v", found, err)
			}
			if changed, err := users.ChangeEmail(t.Context(), u.AuthID(), u.SecurityStamp, "ann@example.com", "new", time.Now()); err != nil || changed == nil {
				t.Errorf("ChangeEmail: %v, %v", changed, err)
			}
			if changed, err := users.ChangeEmail(t.Context(), u.AuthID(), "new", "ann"+u.AuthID()+"@example.com", "newer", time.Now()); err != nil || changed == nil {
				t.Errorf("ChangeEmail: %v, %v", changed, err)
			}
		}
		if err := users.CreateUser(t.Context(), &member{}); !errors.Is(err, models.ErrBadIdentifier) {
			t.Errorf("CreateUser without an address: %v", err)
		}
		if err := users.CreateAddresslessUser(t.Context(), &member{User: models.User{Email: "bob@example.com"}}); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("CreateAddresslessUser with an address: %v", err)
		}
	})
}
