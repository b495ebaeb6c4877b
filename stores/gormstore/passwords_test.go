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

// TestRehashBesideChange checks that a rehash never restores the old password.
func TestRehashBesideChange(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		u := create(t, users, "ann@example.com")
		old, stamp := "hash", u.SecurityStamp
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
				after, err := users.ChangePassword(t.Context(), u.AuthID(), stamp, changed, "stamp"+changed)
				if err != nil || after == nil || after.AuthPassword() != changed || after.(*member).AuthStamp() != "stamp"+changed {
					t.Errorf("ChangePassword = %+v, error %v", after, err)
				}
			})
			after, err := users.UserByID(t.Context(), u.AuthID())
			if err != nil || after.AuthPassword() != changed {
				t.Fatalf("the old password came back: %v, error %v", after, err)
			}
			old, stamp = changed, "stamp"+changed
		}
	})
}

// TestChangedOnce changes the same version of a user in parallel. Only one change may be
// stored. A call that lost must not return the stamp of the call that won, because its
// login would survive.
func TestChangedOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		u := create(t, users, "ann@example.com")
		for round, same := range []bool{false, true} { // also if all calls have the same new stamp
			var won atomic.Int64
			var winner atomic.Pointer[member]
			parallel(200, func(i int) {
				stamp, hash := fmt.Sprint("stamp", round, i), fmt.Sprint("hash", i)
				if same {
					stamp = "stamp"
				}
				var after models.Authenticatable
				var err error
				if i%2 == 0 {
					after, err = users.ChangePassword(t.Context(), u.AuthID(), u.SecurityStamp, hash, stamp)
				} else {
					hash = u.Password
					after, err = users.ChangeStamp(t.Context(), u.AuthID(), u.SecurityStamp, stamp)
				}
				if err != nil {
					t.Errorf("change %d: %v", i, err)
				}
				if after == nil {
					return
				}
				won.Add(1)
				winner.Store(after.(*member))
				if after.(*member).AuthStamp() != stamp || after.AuthPassword() != hash {
					t.Errorf("change to %s and %s = %+v", stamp, hash, after)
				}
			})
			if won.Load() != 1 {
				t.Fatalf("%d of 200 changed the user, want 1", won.Load())
			}
			u = winner.Load()
			stillIs(t, users, u)
		}
	})
}

// TestUnboundUsers stores a first stamp or password of users who have none yet.
func TestUnboundUsers(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &member{}, &invited{})(t)
		users, guests := gormstore.Users[member](db), gormstore.Users[invited](db)
		ann := create(t, users, "ann@example.com")
		former := ann.SecurityStamp
		if err := db.Model(ann).Update("security_stamp", "").Error; err != nil {
			t.Fatal(err)
		}
		u, err := users.ChangeStamp(t.Context(), ann.AuthID(), former, "new")
		isNobody(t, "ChangeStamp under a stamp that is no more", u, err)
		u, err = users.ChangeStamp(t.Context(), ann.AuthID(), "", "first")
		if err != nil || u == nil || u.(*member).AuthStamp() != "first" {
			t.Errorf("ChangeStamp of none = %v, error %v", u, err)
		}
		guest := &invited{Email: "guest@example.com"}
		if err := guests.CreateUser(t.Context(), guest); err != nil {
			t.Fatal(err)
		}
		if err := db.Model(guest).Update("password", nil).Error; err != nil {
			t.Fatal(err)
		}
		for _, want := range []bool{true, false} {
			u, err = guests.ChangePassword(t.Context(), guest.AuthID(), "", "first", "-")
			if err != nil || (u != nil) != want {
				t.Errorf("ChangePassword of none = %v, error %v; want a user %v", u, err, want)
			}
		}
	})
}

// invited is a user without a stamp, and perhaps without a password yet.
type invited struct {
	ID       uint64
	Email    string `gorm:"size:254;uniqueIndex"`
	Password string `gorm:"size:255;default:null"`
}

func (u *invited) AuthID() string       { return fmt.Sprint(u.ID) }
func (u *invited) AuthPassword() string { return u.Password }

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
	if _, err := users.ChangePassword(t.Context(), u.AuthID(), u.SecurityStamp, "", "stamp"); err == nil {
		t.Error("ChangePassword to an empty hash succeeded")
	}
	if _, err := users.ChangePassword(t.Context(), u.AuthID(), u.SecurityStamp, "new", ""); err == nil {
		t.Error("ChangePassword to an empty stamp succeeded")
	}
	none := gormstore.Users[account](db, gormstore.WithIdentifier("login", "Login"), gormstore.WithPasswordField(""))
	if _, err := none.RehashPassword(t.Context(), "x", "a", "b"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("RehashPassword without a field: error %v; want ErrUnsupported", err)
	}
	if _, err := none.ChangePassword(t.Context(), "x", "s", "a", "b"); !errors.Is(err, errors.ErrUnsupported) {
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
			"ChangePassword":      func() error { _, err := users.ChangePassword(ctx, "1", u.SecurityStamp, "new", "stamp"); return err },
			"ChangeStamp":         func() error { _, err := users.ChangeStamp(ctx, "1", u.SecurityStamp, "stamp"); return err },
			"ChangeStamp, nobody": func() error { _, err := users.ChangeStamp(ctx, "x", u.SecurityStamp, "stamp"); return err },
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
