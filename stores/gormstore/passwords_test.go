package gormstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
)

func TestRehashPasswordOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		u := create(t, users, "ann@example.com")
		other := create(t, users, "bob@example.com")
		var replaced atomic.Int64
		parallel(100, func(i int) {
			ok, err := users.RehashPassword(t.Context(), u.AuthID(), "hash", fmt.Sprint("new", i))
			if err != nil {
				t.Errorf("RehashPassword: %v", err)
			}
			if ok {
				replaced.Add(1)
			}
		})
		if replaced.Load() != 1 {
			t.Errorf("%d of 100 replaced the hash, want 1", replaced.Load())
		}
		after, err := users.UserByID(t.Context(), u.AuthID())
		if err != nil || !strings.HasPrefix(after.AuthPassword(), "new") || after.(*member).AuthStamp() != u.SecurityStamp {
			t.Errorf("after it the user is %+v, error %v", after, err)
		}
		if b, err := users.UserByID(t.Context(), other.AuthID()); err != nil || b.AuthPassword() != "hash" {
			t.Errorf("the other user is %+v, error %v", b, err)
		}
	})
}

// TestRehashBesideChange never leaves the old password in force.
func TestRehashBesideChange(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		u := create(t, users, "ann@example.com")
		old := "hash"
		for i := range 50 {
			changed := fmt.Sprint("changed", i)
			parallel(2, func(worker int) {
				if worker == 0 {
					_, err := users.RehashPassword(t.Context(), u.AuthID(), old, "rehashed")
					if err != nil {
						t.Errorf("RehashPassword: %v", err)
					}
					return
				}
				after, err := users.ChangePassword(t.Context(), u.AuthID(), changed, "stamp"+changed)
				if err != nil || after == nil || after.AuthPassword() != changed || after.(*member).AuthStamp() != "stamp"+changed {
					t.Errorf("ChangePassword = %+v, error %v", after, err)
				}
			})
			after, err := users.UserByID(t.Context(), u.AuthID())
			if err != nil || after.AuthPassword() != changed {
				t.Fatalf("the old password came back: %v, error %v", after, err)
			}
			old = changed
		}
	})
}

// TestChangedAsStored changes one user in many places at once. Whoever was given
// the stamp of another's change would outlive it.
func TestChangedAsStored(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		id := create(t, users, "ann@example.com").AuthID()
		parallel(50, func(i int) {
			stamp := fmt.Sprint("stamp", i)
			u, err := users.ChangePassword(t.Context(), id, "hash of "+stamp, stamp)
			if err != nil || u == nil || u.(*member).AuthStamp() != stamp || u.AuthPassword() != "hash of "+stamp {
				t.Errorf("ChangePassword to %s = %+v, error %v", stamp, u, err)
			}
			stamp = fmt.Sprint("other stamp", i)
			u, err = users.ChangeStamp(t.Context(), id, stamp)
			if err != nil || u == nil || u.(*member).AuthStamp() != stamp {
				t.Errorf("ChangeStamp to %s = %+v, error %v", stamp, u, err)
			}
		})
	})
}

func TestPasswordRefuses(t *testing.T) {
	db := tables(func(t *testing.T) *gorm.DB { return openSQLite(t, "") }, &member{})(t)
	users := gormstore.Users[member](db)
	u := create(t, users, "ann@example.com")
	if err := db.Model(u).Update("password", "").Error; err != nil {
		t.Fatal(err)
	}
	if ok, err := users.RehashPassword(t.Context(), u.AuthID(), "", "new"); ok || err != nil {
		t.Errorf("RehashPassword of a user without a password = %v, error %v; want false", ok, err)
	}
	if _, err := users.RehashPassword(t.Context(), u.AuthID(), "hash", ""); err == nil {
		t.Error("RehashPassword to an empty hash succeeded")
	}
	if _, err := users.ChangePassword(t.Context(), u.AuthID(), "", "stamp"); err == nil {
		t.Error("ChangePassword to an empty hash succeeded")
	}
	if _, err := users.ChangePassword(t.Context(), u.AuthID(), "new", ""); err == nil {
		t.Error("ChangePassword to an empty stamp succeeded")
	}
	none := gormstore.Users[account](db, gormstore.WithIdentifier("login", "Login"), gormstore.WithPasswordField(""))
	if _, err := none.RehashPassword(t.Context(), "x", "a", "b"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("RehashPassword without a field: error %v; want ErrUnsupported", err)
	}
	if _, err := none.ChangePassword(t.Context(), "x", "a", "b"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("ChangePassword without a field: error %v; want ErrUnsupported", err)
	}
}

func TestUsersEndedContext(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		u := create(t, users, "ann@example.com")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, call := range map[string]func() error{
			"UserByID":            func() error { _, err := users.UserByID(ctx, "1"); return err },
			"UserByID of nobody":  func() error { _, err := users.UserByID(ctx, "x"); return err },
			"UserByIdentifier":    func() error { _, err := users.UserByIdentifier(ctx, "email", "ann@example.com"); return err },
			"CreateUser":          func() error { return users.CreateUser(ctx, &member{User: models.User{Email: "bob@example.com"}}) },
			"CreateUser of taken": func() error { return users.CreateUser(ctx, &member{User: models.User{Email: u.Email}}) },
			"RehashPassword":      func() error { _, err := users.RehashPassword(ctx, "1", "hash", "new"); return err },
			"ChangePassword":      func() error { _, err := users.ChangePassword(ctx, "1", "new", "stamp"); return err },
			"ChangeStamp":         func() error { _, err := users.ChangeStamp(ctx, "1", "stamp"); return err },
			"ChangeStamp, nobody": func() error { _, err := users.ChangeStamp(ctx, "x", "stamp"); return err },
			"VerifyEmail":         func() error { _, err := users.VerifyEmail(ctx, "1", u.Email, now); return err },
			"VerifyEmail, nobody": func() error { _, err := users.VerifyEmail(ctx, "x", u.Email, now); return err },
			"ChangeEmail": func() error {
				_, err := users.ChangeEmail(ctx, "1", u.SecurityStamp, "c@example.com", "stamp", now)
				return err
			},
			"ChangeEmail, nobody": func() error {
				_, err := users.ChangeEmail(ctx, "x", u.SecurityStamp, "c@example.com", "stamp", now)
				return err
			},
		} {
			if err := call(); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: error %v; want one that wraps context.Canceled", name, err)
			}
		}
		after, err := users.UserByID(t.Context(), "1")
		if err != nil || after.AuthPassword() != "hash" || after.(*member).Email != u.Email ||
			after.(*member).AuthStamp() != u.SecurityStamp || after.(*member).AuthEmailVerified() {
			t.Errorf("after it the user is %+v, error %v", after, err)
		}
	})
}
