package gormstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

func TestMeasure(t *testing.T) {
	for _, o := range []string{
		"?_journal_mode=WAL&_busy_timeout=1000&_txlock=immediate", "?_journal_mode=WAL&_busy_timeout=1000", "?_busy_timeout=1000", "?_journal_mode=WAL&_busy_timeout=1", "?_busy_timeout=1", ""} {
		t.Run("sqlite"+o, func(t *testing.T) {
			db := migrated(func(t *testing.T) *gorm.DB { return connect(t, sqlite.Open(filepath.Join(t.TempDir(), "x.db")+o)) })(t)
			measure(t, db)
		})
	}
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		measure(t, migrated(open)(t))
	})
}

func measure(t *testing.T, db *gorm.DB) {
	set := gormstore.New(db)
	s := newSession()
	if err := set.Sessions.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	var failed atomic.Int64
	began := time.Now()
	parallel(100, func(i int) {
		if _, err := set.Sessions.Update(t.Context(), row, stores.Delta{Set: map[string][]byte{fmt.Sprint("k", i): nil}}); err != nil {
			failed.Add(1)
			if failed.Load() == 1 { t.Log(err) }
		}
	})
	took := time.Since(began)
	got, _, _ := set.Sessions.Load(t.Context(), row)
	t.Logf("100 deltas: %d kept, %d failed, %v", got.Values.Len(), failed.Load(), took)

	failed.Store(0)
	began = time.Now()
	parallel(100, func(i int) {
		err := db.Transaction(func(tx *gorm.DB) error {
			var r models.Session
			if err := tx.Where("1=1").Take(&r).Error; err != nil { return err }
			v, err := stores.ParseValues(r.Payload)
			if err != nil { return err }
			return tx.Model(&models.Session{}).Where("1=1").UpdateColumn("payload", v.With(stores.Delta{Set: map[string][]byte{fmt.Sprint("r", i): nil}}).Encoded()).Error
		})
		if err != nil { failed.Add(1) }
	})
	after, _, _ := set.Sessions.Load(t.Context(), row)
	t.Logf("100 read-first: %d kept, %d failed, %v", after.Values.Len()-got.Values.Len(), failed.Load(), time.Since(began))

	failed.Store(0)
	var ok atomic.Int64
	began = time.Now()
	w := stores.Window{Key: stores.DigestOf([]byte("x")), Limit: 5, Period: time.Hour}
	w2 := stores.Window{Key: stores.DigestOf([]byte("y")), Limit: 500, Period: time.Hour}
	parallel(1000, func(i int) {
		g, err := set.Limiter.Take(t.Context(), now, w, w2)
		if err != nil { failed.Add(1) } else if g.OK() { ok.Add(1) }
	})
	t.Logf("1000 takes of 5: %d, failed %d, %v", ok.Load(), failed.Load(), time.Since(began))

	n := 500
	began = time.Now()
	for range n { set.Sessions.Load(t.Context(), row) }
	load := time.Since(began)/time.Duration(n)
	began = time.Now()
	for range n { set.Sessions.Update(t.Context(), row, stores.Delta{LastSeen: now}) }
	touch := time.Since(began)/time.Duration(n)
	began = time.Now()
	for range n { set.Sessions.Update(t.Context(), row, stores.Delta{Set: map[string][]byte{"a": nil}}) }
	merge := time.Since(began)/time.Duration(n)
	w2.Limit = 1<<30
	began = time.Now()
	for range n { set.Limiter.Take(t.Context(), now, w2) }
	take := time.Since(began)/time.Duration(n)
	began = time.Now()
	for range n { set.Limiter.Take(t.Context(), now, w) }
	refused := time.Since(began)/time.Duration(n)
	t.Logf("sequential: load %v touch %v merge %v take %v refused take %v", load, touch, merge, take, refused)
	_ = os.Args
}
