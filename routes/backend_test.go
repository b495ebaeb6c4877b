package routes_test

import (
	"path/filepath"
	"strconv"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
	"github.com/ginauth/ginauth/stores/memstore"
)

// users is a provider that tests can look into.
type users interface {
	models.UserProvider
	models.Registrar
	change(id string, f func(*models.User))
	count() int
}

type sqlUsers struct {
	*gormstore.UserStore[models.User, *models.User]
	db *gorm.DB
}

func (p sqlUsers) change(id string, f func(*models.User)) {
	n, _ := strconv.ParseUint(id, 10, 64)
	u := models.User{ID: n}
	if err := p.db.Take(&u).Error; err != nil {
		panic(err)
	}
	f(&u)
	if err := p.db.Save(&u).Error; err != nil {
		panic(err)
	}
}

func (p sqlUsers) count() int {
	var n int64
	if err := p.db.Model(&models.User{}).Count(&n).Error; err != nil {
		panic(err)
	}
	return int(n)
}

type backend struct {
	set   stores.Set
	users users
}

func eachBackend(t *testing.T, test func(t *testing.T, b backend)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, memory(t)) })
	t.Run("sqlite", func(t *testing.T) {
		dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate&_synchronous=off"
		db := testservers.Connect(t, sqlite.Open(dsn))
		if err := db.AutoMigrate(models.All()...); err != nil {
			t.Fatal(err)
		}
		test(t, backend{gormstore.New(db), sqlUsers{gormstore.Users[models.User](db), db}})
	})
}

func memory(t *testing.T) backend {
	t.Helper()
	set := memstore.New(memstore.Options{PruneEvery: -1})
	t.Cleanup(func() { _ = set.Close() })
	return backend{set, newMemoryUsers()}
}
