package experiments_test

import (
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/stores"
)

// TestKilledApplication kills an application amid logins, changes and logouts,
// starts it again, and asks for all that it had acknowledged.
func TestKilledApplication(t *testing.T) { // EXP-12
	for _, store := range []struct {
		name string
		spec func(t *testing.T) spec
	}{
		{"sqlite", func(t *testing.T) spec { return spec{SQLite: filepath.Join(t.TempDir(), "app.db")} }},
		{"file", func(t *testing.T) spec {
			dir := t.TempDir()
			return spec{SQLite: filepath.Join(dir, "app.db"), Dir: filepath.Join(dir, "sessions")}
		}},
		{"postgres", func(t *testing.T) spec { return spec{Postgres: testservers.PostgresDSN(t)} }},
		{"redis", func(t *testing.T) spec {
			_, prefix := testservers.Redis(t)
			return spec{
				SQLite: filepath.Join(t.TempDir(), "app.db"),
				Redis:  testservers.Address(t, testservers.RedisVariable), Prefix: prefix,
			}
		}},
	} {
		t.Run(store.name, func(t *testing.T) { killApplication(t, store.spec(t)) })
	}
}

func killApplication(t *testing.T, s spec) {
	if err := s.prepare(writers); err != nil {
		t.Fatal(err)
	}
	cycles := testsize.Rounds(200, 3)
	l := new(ledger)
	app := s.start(t)
	for range cycles {
		before := len(l.logins)
		l.write(t, app.client, 1+rand.IntN(300), app.kill)
		app = s.start(t)
		l.check(t, app.client, before)
	}
	l.check(t, app.client, 0)
	app.kill()
	checkFiles(t, s)
	t.Logf("%d cycles, acknowledged: %+v", cycles, l.counts())
}

// checkFiles asserts that a kill leaves no damage in files.
func checkFiles(t *testing.T, s spec) {
	t.Helper()
	b, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	if s.SQLite != "" {
		var verdict string
		if err := b.db.Raw("PRAGMA integrity_check").Scan(&verdict).Error; err != nil || verdict != "ok" {
			t.Errorf("the database is %q, error %v", verdict, err)
		}
	}
	if s.Dir == "" {
		return
	}
	if _, err := b.set.Sessions.(stores.Pruner).Prune(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	rows := filepath.Join(s.Dir, "rows")
	err = filepath.WalkDir(rows, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if _, found, err := b.set.Sessions.Load(t.Context(), filepath.Base(path)); !found || err != nil {
			t.Errorf("file %s: found %v, error %v", filepath.Base(path), found, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
