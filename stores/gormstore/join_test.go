package gormstore_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// withUsers returns how the sessions of a database are loaded with their users, or nil.
func withUsers(db *gorm.DB, users models.UserProvider) stores.LoadWithUser {
	return gormstore.New(db).Sessions.(stores.UserSessions).WithUsers(users, "users:")
}

// TestLoadWithUser compares the session and the user of one query with those of two.
func TestLoadWithUser(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(migrated(open), &member{}, &account{})(t)
		users, texts := gormstore.Users[member](db), accounts(db)
		load := withUsers(db, users)
		if load == nil {
			if db.Name() != "sqlite" {
				t.Fatal("sessions cannot be loaded with users")
			}
			return
		}
		ann, gone := create(t, users, "ann@example.com"), create(t, users, "gone@example.com")
		ann.EmailVerifiedAt, ann.Company = new(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)), "Acme"
		if err := db.Save(ann).Error; err != nil {
			t.Fatal(err)
		}
		if err := db.Delete(gone).Error; err != nil {
			t.Fatal(err)
		}
		if err := db.Create(&account{Handle: "1", Login: "a@example.com", Hash: "hash"}).Error; err != nil {
			t.Fatal(err)
		}
		sessions, n := gormstore.New(db).Sessions, 0
		for owners, want := range map[string]models.Authenticatable{
			"users:" + ann.AuthID():             ann,
			"users:" + gone.AuthID():            nil,
			"users:4711":                        nil,
			"admins/:" + ann.AuthID():           nil,
			"":                                  nil,
			"users:" + ann.AuthID() + ",a:1":    nil,
			"a:1,users:" + ann.AuthID():         nil,
			"users:01":                          nil,
			"users:1 OR 1=1":                    nil,
			"users:":                            nil,
			"users:99999999999999999999":        nil,
			"users:" + ann.AuthID() + "\n":      nil,
			"x\nusers:" + ann.AuthID():          nil,
			"users:users:" + ann.AuthID():       nil,
			"USERS:" + ann.AuthID():             nil,
			"users:" + strings.Repeat("1", 200): nil,
		} {
			n++
			s := newSession()
			s.Row, s.Owners = fmt.Sprintf("%032x", n), nil
			if owners != "" {
				s.Owners = strings.Split(owners, ",")
			}
			if err := sessions.Create(t.Context(), s); err != nil {
				t.Fatalf("owners %q: %v", owners, err)
			}
			plain, _, _ := sessions.Load(t.Context(), s.Row)
			got, u, found, err := load(t.Context(), s.Row)
			if err != nil || !found || !reflect.DeepEqual(got, plain) {
				t.Errorf("owners %q: session %+v, found %v, error %v; want %+v", owners, got, found, err, plain)
			}
			if want == nil {
				isNobody(t, fmt.Sprintf("the user of %q", owners), u, nil)
				continue
			}
			if same, err := users.UserByID(t.Context(), want.AuthID()); err != nil || !reflect.DeepEqual(u, same) {
				t.Errorf("owners %q: user %+v, want %+v", owners, u, same)
			}
		}
		for _, id := range []string{strings.Repeat("f", 32), "", "' OR '1'='1"} {
			if _, u, found, err := load(t.Context(), id); found || u != nil || err != nil {
				t.Errorf("row %q: user %v, found %v, error %v", id, u, found, err)
			}
		}
		// Text keys are joined where the comparison is exact.
		if load := withUsers(db, texts); (load != nil) != (db.Name() == "postgres") {
			t.Error("text keys: joined on", db.Name(), load != nil)
		}
	})
}

// hooked is a user whose reading does more than to read.
type hooked struct{ models.User }

func (h *hooked) AfterFind(*gorm.DB) error { h.Name = "found"; return nil }

// own is an application's provider, which finds only some users.
type own struct {
	*gormstore.UserStore[models.User, *models.User]
}

func (own) UserByID(context.Context, string) (models.Authenticatable, error) { return nil, nil }

// TestNotLoadedWithUser checks that users who cannot be loaded by one query are left to
// their provider.
func TestNotLoadedWithUser(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db, other := tables(migrated(open), &hooked{})(t), tables(open, &member{})(t)
		if withUsers(db, gormstore.Users[hooked](db)) != nil {
			t.Error("a hook of the model would not run")
		}
		if withUsers(db, own{gormstore.Users[models.User](db)}) != nil {
			t.Error("a provider of the application's own would not be asked")
		}
		if withUsers(db, gormstore.Users[member](other)) != nil {
			t.Error("the users are in another database")
		}
		sessions := gormstore.New(db).Sessions.(stores.UserSessions)
		if sessions.WithUsers(gormstore.Users[member](db), "users'; --") != nil {
			t.Error("the prefix is not checked")
		}
	})
}
