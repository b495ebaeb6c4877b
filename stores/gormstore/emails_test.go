package gormstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// stillIs checks that the row of a user has not changed since u was read.
func stillIs(t *testing.T, users *gormstore.UserStore[member, *member], u *member) {
	t.Helper()
	after, err := users.UserByID(t.Context(), u.AuthID())
	if err != nil || after == nil {
		t.Fatalf("UserByID(%s) = %v, error %v", u.AuthID(), after, err)
	}
	got := after.(*member)
	if got.Email != u.Email || got.EmailCanonical != u.EmailCanonical || got.SecurityStamp != u.SecurityStamp ||
		got.AuthEmailVerified() != u.AuthEmailVerified() {
		t.Errorf("user %s has become %q (%q), stamp %q, verified %v", u.AuthID(),
			got.Email, got.EmailCanonical, got.SecurityStamp, got.EmailVerifiedAt)
	}
}

func TestVerifyEmail(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &member{})(t)
		users := gormstore.Users[member](db)
		ctx := t.Context()
		ann, bob := create(t, users, "Ann.É@example.com"), create(t, users, "bob@example.com")

		for _, email := range []string{
			"", " ", bob.Email, "ann.é@example.com", "Ann.É@example.co", "Ann.E@example.com", "Ann.E\u0301@example.com",
			"Ann.É@example.com ", "Ann.É@example.com\x00", "%", "\xff", strings.Repeat("a", 1<<20), "' OR '1'='1",
		} {
			if ok, err := users.VerifyEmail(ctx, ann.AuthID(), email, now); ok || err != nil {
				t.Errorf("VerifyEmail(%.40q) = %v, error %v; want false", email, ok, err)
			}
		}
		for _, id := range append(slices.Clone(identifiersOfNobody), "3", bob.AuthID()) {
			if ok, err := users.VerifyEmail(ctx, id, ann.Email, now); ok || err != nil {
				t.Errorf("VerifyEmail of user %.40q = %v, error %v; want false", id, ok, err)
			}
		}
		if ok, err := users.VerifyEmail(ctx, ann.AuthID(), ann.Email, time.Time{}); ok || err == nil {
			t.Errorf("VerifyEmail at no time = %v, error %v; want an error", ok, err)
		}
		stillIs(t, users, ann)

		for i, want := range []bool{true, false} {
			at := now.Add(time.Duration(i) * time.Hour).In(time.FixedZone("", 3600))
			if ok, err := users.VerifyEmail(ctx, ann.AuthID(), ann.Email, at); ok != want || err != nil {
				t.Errorf("VerifyEmail, time %d, = %v, error %v; want %v", i, ok, err, want)
			}
		}
		u, err := users.UserByID(ctx, ann.AuthID())
		if err != nil || !u.(*member).EmailVerifiedAt.Equal(now) || u.(*member).SecurityStamp != ann.SecurityStamp {
			t.Errorf("after it the user is verified at %v, error %v; want %v", u.(*member).EmailVerifiedAt, err, now)
		}
		stillIs(t, users, bob)

		if err := db.Delete(bob).Error; err != nil {
			t.Fatal(err)
		}
		if ok, err := users.VerifyEmail(ctx, bob.AuthID(), bob.Email, now); ok || err != nil {
			t.Errorf("VerifyEmail of a deleted user = %v, error %v; want false", ok, err)
		}
	})
}

func TestVerifyEmailOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		u := create(t, users, "ann@example.com")
		var verified atomic.Int64
		parallel(100, func(int) {
			ok, err := users.VerifyEmail(t.Context(), u.AuthID(), u.Email, now)
			if err != nil {
				t.Errorf("VerifyEmail: %v", err)
			}
			if ok {
				verified.Add(1)
			}
		})
		if verified.Load() != 1 {
			t.Errorf("%d of 100 verified the address, want 1", verified.Load())
		}
	})
}

func TestChangeEmailRefuses(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		ctx := t.Context()
		ann, bob := create(t, users, "ann@example.com"), create(t, users, "bob@example.com")
		id, stamp := ann.AuthID(), ann.SecurityStamp

		for _, old := range []string{bob.SecurityStamp, strings.ToUpper(stamp), stamp + " ", stamp[:31], "%", "' OR '1'='1"} {
			u, err := users.ChangeEmail(ctx, id, old, "new@example.com", "new", now)
			isNobody(t, fmt.Sprintf("ChangeEmail from the stamp %q", old), u, err)
		}
		for _, other := range append(slices.Clone(identifiersOfNobody), "3", bob.AuthID()) {
			u, err := users.ChangeEmail(ctx, other, stamp, "new@example.com", "new", now)
			isNobody(t, fmt.Sprintf("ChangeEmail of user %.40q", other), u, err)
		}
		for _, email := range []string{"", " ", "a b", "a\x00b", "\xff", strings.Repeat("a", 255), "a@b\r\nBcc: c@d"} {
			u, err := users.ChangeEmail(ctx, id, stamp, email, "new", now)
			if u != nil || !errors.Is(err, models.ErrBadIdentifier) {
				t.Errorf("ChangeEmail to %.20q = %v, error %v; want ErrBadIdentifier", email, u, err)
			}
		}
		for _, bad := range []struct {
			name, old, new string
			at             time.Time
		}{
			{"no old stamp", "", "new", now},
			{"no new stamp", stamp, "", now},
			{"one stamp", stamp, stamp, now},
			{"no time", stamp, "new", time.Time{}},
		} {
			if u, err := users.ChangeEmail(ctx, id, bad.old, "new@example.com", bad.new, bad.at); u != nil || err == nil {
				t.Errorf("ChangeEmail with %s = %v, error %v; want an error", bad.name, u, err)
			}
		}
		stillIs(t, users, ann)
		stillIs(t, users, bob)
	})
}

func TestChangeEmail(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &member{})(t)
		users := gormstore.Users[member](db)
		ctx := t.Context()
		ann, bob := create(t, users, "ann@example.com"), create(t, users, "bob@example.com")
		id, stamp := ann.AuthID(), ann.SecurityStamp

		u, err := users.ChangeEmail(ctx, id, stamp, "NEW.É@example.com", "new", now)
		if err != nil || u == nil {
			t.Fatalf("ChangeEmail = %v, error %v; want the user", u, err)
		}
		got := u.(*member)
		if got.AuthID() != id || got.Email != "NEW.É@example.com" || got.EmailCanonical != "new.é@example.com" ||
			got.SecurityStamp != "new" || !got.EmailVerifiedAt.Equal(now) || got.Password != ann.Password {
			t.Errorf("ChangeEmail stored %q (%q), stamp %q, verified %v", got.Email, got.EmailCanonical, got.SecurityStamp, got.EmailVerifiedAt)
		}
		stillIs(t, users, got)
		stillIs(t, users, bob)
		if u, err := users.UserByIdentifier(ctx, "email", "new.é@example.com"); err != nil || u == nil || u.AuthID() != id {
			t.Errorf("by the new address the user is %v, error %v", u, err)
		}
		u, err = users.UserByIdentifier(ctx, "email", "ann@example.com")
		isNobody(t, "UserByIdentifier by the old address", u, err)
		u, err = users.ChangeEmail(ctx, id, stamp, "newer@example.com", "newer", now)
		isNobody(t, "ChangeEmail from the old stamp", u, err)
		if err := db.Delete(got).Error; err != nil {
			t.Fatal(err)
		}
		u, err = users.ChangeEmail(ctx, id, "new", "newer@example.com", "newer", now)
		isNobody(t, "ChangeEmail of a deleted user", u, err)
	})
}

func TestChangeEmailTaken(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &member{})(t)
		users := gormstore.Users[member](db)
		ctx := t.Context()
		ann := create(t, users, "ann@example.com")
		create(t, users, "renée@example.com")
		if err := db.Delete(create(t, users, "gone@example.com")).Error; err != nil {
			t.Fatal(err)
		}
		for _, email := range []string{"renée@example.com", "RENE\u0301E@example.com", "gone@example.com", "Gone@EXAMPLE.com"} {
			u, err := users.ChangeEmail(ctx, ann.AuthID(), ann.SecurityStamp, email, "new", now)
			if u != nil || !errors.Is(err, models.ErrTaken) {
				t.Errorf("ChangeEmail to %q = %v, error %v; want ErrTaken", email, u, err)
			}
		}
		u, err := users.ChangeEmail(ctx, ann.AuthID(), "another stamp", "renée@example.com", "new", now)
		isNobody(t, "ChangeEmail from another stamp to a taken address", u, err)
		stillIs(t, users, ann)
		// The unique index of this column decides which addresses are the same.
		u, err = users.ChangeEmail(ctx, ann.AuthID(), ann.SecurityStamp, "renee@example.com", "new", now)
		if twins := db.Name() == "mysql"; twins && (u != nil || !errors.Is(err, models.ErrTaken)) || !twins && (u == nil || err != nil) {
			t.Errorf("ChangeEmail to the twin of an address = %v, error %v", u, err)
		}
		// The user may keep the address.
		bob := create(t, users, "bob.e@example.com")
		for i, email := range []string{"BOB.E@example.com", "BOB.E@example.com", "bob.é@example.com", "bob.e@example.com"} {
			stamp := fmt.Sprint("stamp", i)
			u, err := users.ChangeEmail(ctx, bob.AuthID(), bob.SecurityStamp, email, stamp, now)
			if err != nil || u == nil || u.(*member).Email != email || u.(*member).SecurityStamp != stamp {
				t.Fatalf("ChangeEmail to %q = %v, error %v; want the user", email, u, err)
			}
			bob = u.(*member)
		}
	})
}

// TestChangeEmailOneConnection would wait forever if ChangeEmail needed a second
// connection beside the one of its transaction.
func TestChangeEmailOneConnection(t *testing.T) {
	db := tables(func(t *testing.T) *gorm.DB { return openSQLite(t, "") }, &member{})(t)
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	users := gormstore.Users[member](db)
	ann, bob := create(t, users, "ann@example.com"), create(t, users, "bob@example.com")
	if _, err := users.ChangeEmail(t.Context(), ann.AuthID(), ann.SecurityStamp, bob.Email, "new", now); !errors.Is(err, models.ErrTaken) {
		t.Errorf("ChangeEmail: error %v; want ErrTaken", err)
	}
	if u, err := users.ChangeEmail(t.Context(), ann.AuthID(), ann.SecurityStamp, "new@example.com", "new", now); u == nil || err != nil {
		t.Errorf("ChangeEmail = %v, error %v", u, err)
	}
}

// TestChangeEmailOnce changes one address in parallel. All calls have the same new stamp,
// and still only one of them may succeed.
func TestChangeEmailOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		users := gormstore.Users[member](tables(open, &member{})(t))
		ann := create(t, users, "ann@example.com")
		for _, stamp := range []func(i int) string{
			func(i int) string { return fmt.Sprint("new", i) },
			func(int) string { return "newer" },
		} {
			var changed atomic.Int64
			var winner atomic.Pointer[member]
			parallel(200, func(i int) {
				email := fmt.Sprintf("ann%d@example.com", i)
				u, err := users.ChangeEmail(t.Context(), ann.AuthID(), ann.SecurityStamp, email, stamp(i), now)
				if err != nil {
					t.Errorf("ChangeEmail: %v", err)
				}
				if u == nil {
					return
				}
				changed.Add(1)
				winner.Store(u.(*member))
				if u.(*member).Email != email || u.(*member).SecurityStamp != stamp(i) {
					t.Errorf("ChangeEmail to %s returned the change of another", email)
				}
			})
			if changed.Load() != 1 {
				t.Fatalf("%d of 200 changed the address, want 1", changed.Load())
			}
			ann = winner.Load()
			stillIs(t, users, ann)
		}
	})
}

// TestChangeEmailRace changes the addresses of many users to the same one in parallel.
func TestChangeEmailRace(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &member{})(t)
		users := gormstore.Users[member](db)
		var all []*member
		for i := range 50 {
			all = append(all, create(t, users, fmt.Sprintf("ann%d@example.com", i)))
		}
		var changed atomic.Int64
		parallel(len(all), func(i int) {
			u, err := users.ChangeEmail(t.Context(), all[i].AuthID(), all[i].SecurityStamp, "Ann@example.com", "new", now)
			switch {
			case u != nil && err == nil:
				changed.Add(1)
			case u != nil || !errors.Is(err, models.ErrTaken):
				t.Errorf("ChangeEmail = %v, error %v; want ErrTaken", u, err)
			}
		})
		var rows int64
		err := db.Model(&member{}).Where("email_canonical = ?", "ann@example.com").Count(&rows).Error
		if err != nil || changed.Load() != 1 || rows != 1 {
			t.Errorf("%d users got the address, %d rows have it, error %v; want 1 and 1", changed.Load(), rows, err)
		}
	})
}
