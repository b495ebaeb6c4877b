package gormstore_test

import (
	"bytes"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

func TestMigrateAgain(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		set := gormstore.New(db)
		if err := set.Sessions.Create(t.Context(), newSession()); err != nil {
			t.Fatal(err)
		}
		if err := gormstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if _, found, err := set.Sessions.Load(t.Context(), row); err != nil || !found {
			t.Errorf("after a second migration Load: found %v, error %v", found, err)
		}
	})
}

// TestMigrateRows takes all columns but the keys away from tables with a row, as older versions
// lacked one or the other, and lets Migrate add them.
func TestMigrateRows(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		row := strings.Repeat("a", 32)
		filled := make(map[string][]string) // tables and what must not be NULL
		for _, record := range []any{
			&models.Session{Row: row, Digest: make([]byte, 32), Principals: []byte{}, Payload: []byte{}},
			&models.SessionOwner{Row: row}, &models.TokenFamily{Family: row},
			&models.Token{ID: row, Digest: make([]byte, 32), Data: []byte{}},
			&models.Attempt{ID: row}, &models.Factor{ID: row}, &models.Identity{ID: row},
		} {
			stmt := &gorm.Statement{DB: db}
			if err := errors.Join(db.Create(record).Error, stmt.Parse(record)); err != nil {
				t.Fatal(err)
			}
			for _, index := range stmt.Schema.ParseIndexes() {
				_ = db.Migrator().DropIndex(record, index.Name)
			}
			for _, f := range stmt.Schema.Fields {
				if f.PrimaryKey {
					continue
				}
				if err := db.Exec(fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", stmt.Table, f.DBName)).Error; err != nil {
					t.Fatal(err)
				}
				if f.NotNull {
					filled[stmt.Table] = append(filled[stmt.Table], f.DBName+" IS NOT NULL")
				}
			}
		}
		for range 2 {
			if err := gormstore.Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		}
		for table, columns := range filled {
			var n int64
			if err := db.Table(table).Where(strings.Join(columns, " AND ")).Count(&n).Error; err != nil || n != 1 {
				t.Errorf("%s: %d rows, error %v", table, n, err)
			}
		}
	})
}

func TestNotMigrated(t *testing.T) {
	set := gormstore.New(openSQLite(t, ""))
	if _, _, err := set.Sessions.Load(t.Context(), row); err == nil {
		t.Error("Load without tables succeeded")
	}
	if err := set.Sessions.Create(t.Context(), newSession()); err == nil || errors.Is(err, stores.ErrExists) {
		t.Errorf("Create without tables: error %v", err)
	}
	if grant, err := set.Limiter.Reserve(t.Context(), now, window); err == nil || grant.OK() {
		t.Errorf("Reserve without tables: %+v, error %v", grant, err)
	}
}

func TestPruneInBatches(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		set := gormstore.New(db)
		sessions := make([]models.Session, 1201)
		for i := range sessions {
			sessions[i] = models.Session{
				Row: fmt.Sprintf("%032x", i), Digest: make([]byte, 32), Principals: []byte{}, Payload: []byte{}, Expires: now.UnixMicro() + int64(i/1200),
			}
		}
		if err := db.CreateInBatches(sessions, 400).Error; err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{1200, 0} {
			if n, err := set.Sessions.(stores.Pruner).Prune(t.Context(), now); err != nil || n != want {
				t.Errorf("Prune = %d, error %v; want %d", n, err, want)
			}
		}
	})
}

// TestQuiet checks that a GORM that logs everything logs nothing of the stores.
func TestQuiet(t *testing.T) {
	var logged bytes.Buffer
	loud := logger.New(log.New(&logged, "", 0), logger.Config{LogLevel: logger.Info, SlowThreshold: time.Nanosecond})
	db, err := gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "auth.db")), &gorm.Config{Logger: loud})
	if err != nil {
		t.Fatal(err)
	}
	pool, _ := db.DB()
	defer pool.Close()
	users := gormstore.Users[models.User](db)
	if err := errors.Join(gormstore.Migrate(t.Context(), db), db.AutoMigrate(&models.User{})); err != nil {
		t.Fatal(err)
	}
	logged.Reset()
	u := &models.User{Email: "ann@example.com", Password: "hash"}
	for range 2 { // which fails the second time
		_ = users.CreateUser(t.Context(), u)
		_ = gormstore.New(db).Sessions.Create(t.Context(), newSession())
	}
	_, _ = users.ChangePassword(t.Context(), "1", u.SecurityStamp, "secret", "stamp")
	_, _ = gormstore.New(db).Limiter.Reserve(t.Context(), now, window)
	if logged.Len() > 0 {
		t.Errorf("GORM logged %.200s", logged.String())
	}
}

// TestPrimaryAndUnprepared checks that statements go to the primary, and that GORM does
// not prepare them.
func TestPrimaryAndUnprepared(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth.db") + sqliteOptions
	db, err := gorm.Open(sqlite.Open(file), &gorm.Config{Logger: logger.Discard, PrepareStmt: true})
	if err != nil {
		t.Fatal(err)
	}
	pool, _ := db.DB()
	defer pool.Close()
	pool.SetMaxOpenConns(2)
	if err := gormstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	check := func(tx *gorm.DB) {
		if _, ok := tx.Statement.Settings.Load("gorm:db_resolver:write"); !ok {
			t.Error("a statement may be sent to a replica")
		}
		switch tx.Statement.ConnPool.(type) {
		case *gorm.PreparedStmtDB, *gorm.PreparedStmtTX:
			t.Error("a statement is prepared by GORM")
		}
	}
	callbacks := db.Callback()
	if err := errors.Join(
		callbacks.Query().Before("*").Register("test", check), callbacks.Row().Before("*").Register("test", check),
		callbacks.Raw().Before("*").Register("test", check), callbacks.Create().Before("*").Register("test", check),
	); err != nil {
		t.Fatal(err)
	}
	sessions := gormstore.New(db).Sessions
	if err := sessions.Create(t.Context(), newSession()); err != nil {
		t.Fatal(err)
	}
	parallel(50, func(i int) {
		_, err := sessions.Update(t.Context(), row, stores.Delta{Set: map[string][]byte{fmt.Sprint(i): nil}})
		if _, _, loadErr := sessions.Load(t.Context(), row); err != nil || loadErr != nil {
			t.Errorf("Update: %v, Load: %v", err, loadErr)
		}
	})
}

func TestCheck(t *testing.T) {
	for options, want := range map[string][]string{
		sqliteOptions:          nil,
		"?_busy_timeout=0":     {"WAL", "lock"},
		"?_synchronous=OFF":    {"WAL", "disk"},
		"?_journal_mode=WAL":   nil,
		"?mode=memory&_x=file": {"SetMaxOpenConns"},
	} {
		path := "file:" + filepath.Join(t.TempDir(), "auth.db")
		db := connect(t, sqlite.Open(path+options))
		if strings.Contains(options, "mode=memory") {
			want = append(want, "missing") // each connection has other tables
		} else if err := gormstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		warnings, err := gormstore.New(db).Sessions.(stores.Checker).Check(t.Context())
		if err != nil || len(warnings) != len(want) {
			t.Errorf("Check with %s: %q, error %v; want %d warnings", options, warnings, err, len(want))
			continue
		}
		for i := range want {
			if !strings.Contains(warnings[i], want[i]) {
				t.Errorf("Check with %s: warning %q does not mention %s", options, warnings[i], want[i])
			}
		}
	}
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		if warnings, err := gormstore.New(db).Limiter.(stores.Checker).Check(t.Context()); err != nil || len(warnings) > 0 {
			t.Errorf("Check: %q, error %v", warnings, err)
		}
		if db.Dialector.Name() != "mysql" {
			return
		}
		if err := db.Exec("ALTER TABLE auth_tokens ENGINE = MyISAM").Error; err != nil {
			t.Fatal(err)
		}
		warnings, err := gormstore.New(db).Tokens.(stores.Checker).Check(t.Context())
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "auth_tokens") {
			t.Errorf("Check with a table without transactions: %q, error %v", warnings, err)
		}
	})
}

// uuid is a key like the types of the usual packages.
type uuid [16]byte

func (u uuid) Value() (driver.Value, error) {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), nil
}

func (u *uuid) Scan(value any) error {
	b, err := hex.DecodeString(strings.ReplaceAll(fmt.Sprintf("%s", value), "-", ""))
	copy(u[:], b)
	return err
}

type document struct {
	ID    uuid `gorm:"primaryKey;type:char(36)"`
	Title string
}

type post struct {
	ID        int32
	Title     string
	DeletedAt gorm.DeletedAt
}

func TestFind(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := tables(open, &post{}, &document{})(t)
		find := gormstore.Find[post](db)
		for _, title := range []string{"first", "second", "deleted"} {
			if err := db.Create(&post{Title: title}).Error; err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Delete(&post{ID: 3}).Error; err != nil {
			t.Fatal(err)
		}
		if p, ok, err := find(t.Context(), "2"); err != nil || !ok || p.Title != "second" {
			t.Errorf("Find(2) = %v, %v, error %v", p, ok, err)
		}
		for _, id := range append(identifiersOfNobody, "3", "4", "-2", "2147483648", "4294967298") {
			if p, ok, err := find(t.Context(), id); err != nil || ok || p != nil {
				t.Errorf("Find(%.40q) = %v, %v, error %v; want none", id, p, ok, err)
			}
		}

		documents := gormstore.Find[document](db)
		const id = "00112233-4455-6677-8899-aabbccddeeff"
		key := uuid{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
		if err := db.Create(&document{ID: key, Title: "report"}).Error; err != nil {
			t.Fatal(err)
		}
		if d, ok, err := documents(t.Context(), id); err != nil || !ok || d.Title != "report" {
			t.Errorf("Find(%s) = %v, %v, error %v", id, d, ok, err)
		}
		for _, id := range append(identifiersOfNobody, strings.ToUpper(id), strings.ReplaceAll(id, "-", ""), "{"+id+"}", id+" ",
			"00112233-44556677-8899-aabb-ccddeeff", "00000000-0000-0000-0000-000000000000", id[:35]+"e") {
			if d, ok, err := documents(t.Context(), id); err != nil || ok || d != nil {
				t.Errorf("Find(%.40q) = %v, %v, error %v; want none", id, d, ok, err)
			}
		}
	})
}

type keyless struct{ Name string }

type composite struct {
	A, B int `gorm:"primaryKey"`
}

type floating struct {
	ID float64 `gorm:"primaryKey"`
}

type unstamped struct{ models.User }

type bare struct{ ID uint64 }

func (*bare) AuthID() string       { return "" }
func (*bare) AuthPassword() string { return "" }

func TestPanicsAtStart(t *testing.T) {
	db := openSQLite(t, "")
	tx := db.Begin()
	defer tx.Rollback()
	for want, start := range map[string]func(){
		"New was given a nil":                      func() { gormstore.New(nil) },
		"New was given a transaction":              func() { gormstore.New(tx) },
		"Migrate was given a nil":                  func() { _ = gormstore.Migrate(t.Context(), nil) },
		"Users was given a nil":                    func() { gormstore.Users[models.User](nil) },
		"Find was given a nil":                     func() { gormstore.Find[post](&gorm.DB{}) },
		"keyless has 0 primary keys":               func() { gormstore.Find[keyless](db) },
		"composite has 2 primary keys":             func() { gormstore.Find[composite](db) },
		"primary key of type float64":              func() { gormstore.Find[floating](db) },
		"cannot use *int":                          func() { gormstore.Find[int](db) },
		`bare has no column for the field "Email"`: func() { gormstore.Users[bare](db) },
		`no column for the field "Phone"`: func() {
			gormstore.Users[models.User](db, gormstore.WithIdentifier("phone", "Phone"))
		},
		`no column for the field "email"`: func() {
			gormstore.Users[models.User](db, gormstore.WithIdentifier("email", "email"))
		},
		"it must be a string":      func() { gormstore.Users[models.User](db, gormstore.WithPasswordField("ID")) },
		"a credential has no name": func() { gormstore.Users[models.User](db, gormstore.WithIdentifier("", "Email")) },
		"it must be a time.Time":   func() { gormstore.Users[models.User](db, gormstore.WithVerifiedField("Name")) },
		"for the field \"Proved\"": func() { gormstore.Users[models.User](db, gormstore.WithVerifiedField("Proved")) },
		"has a security stamp":     func() { gormstore.Users[unstamped](db, gormstore.WithStampField("")) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("panic %q, want one with %q", got, want)
				}
			}()
			start()
		}()
	}
}
