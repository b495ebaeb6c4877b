package gormstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// visitor has a text key, an address without a separate canonical form, and a time that is
// not a pointer.
type visitor struct {
	Handle string    `gorm:"primaryKey;size:64"`
	Mail   string    `gorm:"size:254;not null;uniqueIndex"`
	Stamp  string    `gorm:"size:64;not null"`
	Proved time.Time `gorm:"default:null"`
}

func (v *visitor) AuthID() string       { return v.Handle }
func (v *visitor) AuthPassword() string { return "" }
func (v *visitor) AuthStamp() string    { return v.Stamp }

func visitors(db *gorm.DB, opts ...gormstore.UserOption) *gormstore.UserStore[visitor, *visitor] {
	return gormstore.Users[visitor](db, append([]gormstore.UserOption{
		gormstore.WithIdentifier("email", "Mail"), gormstore.WithPasswordField(""),
		gormstore.WithStampField("Stamp"), gormstore.WithVerifiedField("Proved"),
	}, opts...)...)
}

// TestChangesOfTextID uses keys that a database may consider equal, and columns with other
// names and types than those of models.User.
func TestChangesOfTextID(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &visitor{})(t)
		users := visitors(db)
		ctx := t.Context()
		v := &visitor{Handle: "renée", Mail: "Renée@example.com", Stamp: "old"}
		if err := users.CreateUser(ctx, v); err != nil {
			t.Fatal(err)
		}
		for _, id := range append(slices.Clone(identifiersOfNobody), "renee", "Renée", "RENÉE", "rene\u0301e", "renée ", "ren%") {
			if ok, err := users.VerifyEmail(ctx, id, v.Mail, now); ok || err != nil {
				t.Errorf("VerifyEmail of %.40q = %v, error %v; want false", id, ok, err)
			}
			u, err := users.ChangeStamp(ctx, id, "old", "new")
			isNobody(t, fmt.Sprintf("ChangeStamp of %.40q", id), u, err)
			u, err = users.ChangeEmail(ctx, id, "old", "new@example.com", "new", now)
			isNobody(t, fmt.Sprintf("ChangeEmail of %.40q", id), u, err)
		}
		for _, never := range []any{nil, time.Time{}} {
			if err := db.Model(v).UpdateColumn("proved", never).Error; err != nil && never != nil {
				continue // because MySQL has a mode in which it refuses the zero time
			}
			for i, want := range []bool{true, false} {
				if ok, err := users.VerifyEmail(ctx, "renée", "renée@example.com", now); ok != want || err != nil {
					t.Errorf("VerifyEmail after %v, time %d, = %v, error %v; want %v", never, i, ok, err, want)
				}
			}
		}
		u, err := users.ChangeStamp(ctx, "renée", "old", "newer")
		if err != nil || u == nil || u.(*visitor).Stamp != "newer" || !u.(*visitor).Proved.Equal(now) {
			t.Errorf("ChangeStamp = %+v, error %v; want a new stamp, verified", u, err)
		}
		later := now.Add(time.Hour)
		u, err = users.ChangeEmail(ctx, "renée", "newer", "New@example.com", "newest", later)
		if err != nil || u == nil || u.(*visitor).Mail != "new@example.com" || u.(*visitor).Stamp != "newest" || !u.(*visitor).Proved.Equal(later) {
			t.Errorf("ChangeEmail = %+v, error %v", u, err)
		}
	})
}

func TestChangeStamp(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &member{})(t)
		users := gormstore.Users[member](db)
		ann, bob := create(t, users, "ann@example.com"), create(t, users, "bob@example.com")
		for _, id := range append(slices.Clone(identifiersOfNobody), "3") {
			u, err := users.ChangeStamp(t.Context(), id, ann.SecurityStamp, "new")
			isNobody(t, fmt.Sprintf("ChangeStamp(%.40q)", id), u, err)
		}
		if u, err := users.ChangeStamp(t.Context(), ann.AuthID(), ann.SecurityStamp, ""); u != nil || err == nil {
			t.Errorf("ChangeStamp to an empty stamp = %v, error %v; want an error", u, err)
		}
		if u, err := users.ChangeStamp(t.Context(), ann.AuthID(), ann.SecurityStamp, ann.SecurityStamp); u != nil || err == nil {
			t.Errorf("ChangeStamp to the same stamp = %v, error %v; want an error", u, err)
		}
		for _, other := range []string{bob.SecurityStamp, "", "%", ann.SecurityStamp[1:], strings.ToUpper(ann.SecurityStamp)} {
			u, err := users.ChangeStamp(t.Context(), ann.AuthID(), other, "new")
			isNobody(t, fmt.Sprintf("ChangeStamp under the stamp %q", other), u, err)
		}
		stillIs(t, users, ann)
		u, err := users.ChangeStamp(t.Context(), ann.AuthID(), ann.SecurityStamp, "new")
		if err != nil || u == nil || u.(*member).SecurityStamp != "new" || u.AuthPassword() != "hash" {
			t.Fatalf("ChangeStamp = %v, error %v; want the user", u, err)
		}
		stillIs(t, users, u.(*member))
		stillIs(t, users, bob)
		if err := db.Delete(ann).Error; err != nil {
			t.Fatal(err)
		}
		u, err = users.ChangeStamp(t.Context(), ann.AuthID(), "new", "newer")
		isNobody(t, "ChangeStamp of a deleted user", u, err)
	})
}

// stray has an AuthID that is not its key.
type stray struct{ models.User }

func (*stray) TableName() string { return "members" }
func (*stray) AuthID() string    { return "2" }

func TestChangesOfAnother(t *testing.T) {
	db := tables(func(t *testing.T) *gorm.DB { return openSQLite(t, "") }, &member{})(t)
	users, strays := gormstore.Users[member](db), gormstore.Users[stray](db)
	ann := create(t, users, "ann@example.com")
	u, err := strays.ChangeStamp(t.Context(), "1", ann.SecurityStamp, "new")
	isNobody(t, "ChangeStamp", u, err)
	u, err = strays.ChangePassword(t.Context(), "1", ann.SecurityStamp, "new", "new")
	isNobody(t, "ChangePassword", u, err)
	u, err = strays.ChangeEmail(t.Context(), "1", ann.SecurityStamp, "new@example.com", "new", now)
	isNobody(t, "ChangeEmail", u, err)
	stillIs(t, users, ann)
}

// TestUnsupportedChanges makes changes for which the model has no field.
func TestUnsupportedChanges(t *testing.T) {
	db := openSQLite(t, "")
	unverified := visitors(db, gormstore.WithVerifiedField(""))
	unnamed := gormstore.Users[account](db, gormstore.WithIdentifier("login", "Login"), gormstore.WithPasswordField("Hash"))
	unstamped := gormstore.Users[proved](db)
	for name, call := range map[string]func() error{
		"VerifyEmail without a time":     func() error { _, err := unverified.VerifyEmail(t.Context(), "x", "a@b", now); return err },
		"ChangeEmail without a time":     func() error { _, err := unverified.ChangeEmail(t.Context(), "x", "a", "a@b", "b", now); return err },
		"VerifyEmail without an address": func() error { _, err := unnamed.VerifyEmail(t.Context(), "1", "a@b", now); return err },
		"ChangeEmail without an address": func() error { _, err := unnamed.ChangeEmail(t.Context(), "1", "a", "a@b", "b", now); return err },
		"ChangeEmail without a stamp":    func() error { _, err := unstamped.ChangeEmail(t.Context(), "1", "a", "a@b", "b", now); return err },
		"ChangeStamp without a stamp":    func() error { _, err := unstamped.ChangeStamp(t.Context(), "1", "a", "b"); return err },
	} {
		if err := call(); !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, models.ErrUnknownField) {
			t.Errorf("%s: error %v; want ErrUnsupported", name, err)
		}
	}
}

// proved has a password and no stamp.
type proved struct {
	ID              uint32
	Email, Password string
	EmailVerifiedAt time.Time
}

func (u *proved) AuthID() string       { return fmt.Sprint(u.ID) }
func (u *proved) AuthPassword() string { return u.Password }

func TestUserChangesUnderFaults(t *testing.T) {
	plain := tables(func(t *testing.T) *gorm.DB { return openSQLite(t, "") }, &member{})(t)
	u := create(t, gormstore.Users[member](plain), "ann@example.com")
	create(t, gormstore.Users[member](plain), "bob@example.com")
	db, f := faultyOn(t, plain)
	users := gormstore.Users[member](db)
	changeEmail := func(from, email, to string) error {
		u, err := users.ChangeEmail(t.Context(), "1", from, email, to, now)
		if err == nil && u == nil {
			return errors.New("nobody")
		}
		return err
	}
	f.failing(4)
	if ok, err := users.VerifyEmail(t.Context(), "1", u.Email, now); !ok || err != nil {
		t.Errorf("VerifyEmail that fails four times = %v, error %v", ok, err)
	}
	f.failing(4)
	if u, err := users.ChangeStamp(t.Context(), "1", u.SecurityStamp, "1"); u == nil || err != nil {
		t.Errorf("ChangeStamp that fails four times = %v, error %v", u, err)
	}
	f.failing(4) // while the user has the address in another spelling
	if err := changeEmail("1", "ANN@example.com", "2"); err != nil {
		t.Errorf("ChangeEmail that fails four times: %v", err)
	}
	changes := f.failing(0)
	if err := changeEmail("2", "bob@example.com", "3"); !errors.Is(err, models.ErrTaken) || *changes != 1 {
		t.Errorf("ChangeEmail to a taken address: error %v after %d tries, want ErrTaken after 1", err, *changes)
	}
	f.lost.Store(1)
	if err := changeEmail("2", "newer@example.com", "3"); err != nil {
		t.Errorf("ChangeEmail whose first answer is lost before the commit: %v", err)
	}
	f.lostCommits.Store(1)
	if err := changeEmail("3", "newest@example.com", "4"); !errors.Is(err, errInjected) {
		t.Errorf("ChangeEmail with a lost commit: error %v; want the error, as it may be stored", err)
	}
	f.lostCommits.Store(1)
	if u, err := users.ChangeStamp(t.Context(), "1", "4", "5"); u == nil || err != nil {
		t.Errorf("ChangeStamp with a lost commit, which it finds, = %v, error %v", u, err)
	}
	f.lostCommits.Store(1)
	if u, err := users.ChangePassword(t.Context(), "1", "5", "another hash", "6"); u == nil || err != nil || u.AuthPassword() != "another hash" {
		t.Errorf("ChangePassword with a lost commit, which it finds, = %v, error %v", u, err)
	}
	if u, err := users.ChangeStamp(t.Context(), "1", "5", "6"); u != nil || err != nil {
		t.Errorf("ChangeStamp under a former stamp = %v, error %v; want nobody", u, err)
	}
}
