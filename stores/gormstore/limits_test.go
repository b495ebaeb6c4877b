package gormstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

func TestCorrupt(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		set := gormstore.New(db)
		ctx := t.Context()
		if err := set.Sessions.Create(ctx, newSession()); err != nil {
			t.Fatal(err)
		}
		if _, err := set.Tokens.Create(ctx, newToken()); err != nil {
			t.Fatal(err)
		}
		for name, payload := range map[string][]byte{
			"random": {0xff, 0x00, 0x17}, "truncated": {1, 9, 'a'}, "large": []byte(strings.Repeat("x", stores.MaxValues+1)),
		} {
			if err := db.Model(&models.Session{}).Where("1 = 1").UpdateColumn("payload", payload).Error; err != nil {
				t.Fatal(err)
			}
			if _, found, err := set.Sessions.Load(ctx, row); found || !errors.Is(err, stores.ErrCorrupt) {
				t.Errorf("Load of a %s payload: found %v, error %v; want ErrCorrupt", name, found, err)
			}
			if _, err := set.Sessions.Update(ctx, row, stores.Delta{Set: map[string][]byte{"a": nil}}); !errors.Is(err, stores.ErrCorrupt) {
				t.Errorf("Update of a %s payload: error %v; want ErrCorrupt", name, err)
			}
		}
		for column, value := range map[string]any{"all_owners": "{", "generation": -1, "digest": []byte("short")} {
			whole := newSession()
			whole.Row = "00000000000000000000000000000001"
			if err := set.Sessions.Create(ctx, whole); err != nil {
				t.Fatal(err)
			}
			if err := db.Model(&models.Session{}).Where("1 = 1").UpdateColumn(column, value).Error; err != nil {
				t.Fatal(err)
			}
			if _, found, err := set.Sessions.Load(ctx, whole.Row); found || !errors.Is(err, stores.ErrCorrupt) {
				t.Errorf("Load with a corrupt %s: found %v, error %v; want ErrCorrupt", column, found, err)
			}
			if existed, err := set.Sessions.Delete(ctx, whole.Row); !existed || err != nil {
				t.Errorf("Delete with a corrupt %s: %v, error %v", column, existed, err)
			}
		}
		for column, value := range map[string]any{"digest": []byte("short"), "abilities": "{"} {
			if err := db.Model(&models.Token{}).Where("1 = 1").UpdateColumn(column, value).Error; err != nil {
				t.Fatal(err)
			}
			if _, found, err := set.Tokens.Find(ctx, row, row); found || !errors.Is(err, stores.ErrCorrupt) {
				t.Errorf("Find with a corrupt %s: found %v, error %v; want ErrCorrupt", column, found, err)
			}
		}
	})
}

func TestTooLarge(t *testing.T) {
	set, _ := faulty(t)
	ctx := t.Context()
	s := newSession()
	s.UserAgent, s.Address = strings.Repeat("é", 200)+"\xff\x00", strings.Repeat("a", 100)
	if err := set.Sessions.Create(ctx, s); err != nil {
		t.Fatal(err)
	}
	got, _, err := set.Sessions.Load(ctx, row)
	if err != nil || got.UserAgent != strings.Repeat("é", 127) || len(got.Address) != 64 {
		t.Errorf("address and user agent are %q and %q, error %v", got.Address, got.UserAgent, err)
	}
	large := map[string][]byte{"a": make([]byte, stores.MaxValues)}
	if _, err := set.Sessions.Update(ctx, row, stores.Delta{Set: large}); err == nil {
		t.Error("Update to more than MaxValues succeeded")
	}
	if after, _, err := set.Sessions.Load(ctx, row); err != nil || after.Values.Len() != 0 {
		t.Errorf("after it the values are %v, error %v", after.Values, err)
	}
	token := newToken()
	token.Data = make([]byte, 4097)
	if ok, err := set.Tokens.Create(ctx, token); ok || err == nil {
		t.Error("Create of a token with 4097 bytes of data succeeded")
	}
}

// TestWaitEndsWithContext waits for a row that another transaction has locked.
func TestWaitEndsWithContext(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		set := gormstore.New(db)
		if err := set.Sessions.Create(t.Context(), newSession()); err != nil {
			t.Fatal(err)
		}
		other := db.WithContext(t.Context()).Begin()
		if err := other.Model(&models.Session{}).Where("1 = 1").Update("version", 7).Error; err != nil {
			t.Fatal(err)
		}
		for name, delta := range map[string]stores.Delta{
			"touch": {LastSeen: now}, "keys": {Set: map[string][]byte{"a": nil}},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			began := time.Now()
			_, err := set.Sessions.Update(ctx, row, delta)
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 3*time.Second {
				t.Errorf("%s: error %v after %v; want the end of the context, soon after 50ms", name, err, took)
			}
			cancel()
		}
		if err := other.Rollback().Error; err != nil {
			t.Fatal(err)
		}
		if outcome, err := set.Sessions.Update(t.Context(), row, stores.Delta{LastSeen: now}); err != nil || outcome != stores.Updated {
			t.Errorf("Update afterwards: %v, error %v", outcome, err)
		}
	})
}
