package gormstore

import (
	"context"
	"strings"

	"gorm.io/gorm"
)

// Check implements stores.Checker for each store. It looks for settings of the database
// with which acknowledged changes can be lost, or transactions do not work.
func (c *core) Check(ctx context.Context) (warnings []string, err error) {
	err = c.read(ctx, "check", func(db *gorm.DB) error {
		switch c.dialect {
		case sqlite:
			warnings, err = checkSQLite(db)
		case postgres:
			warnings, err = checkPostgres(db)
		case mysql:
			warnings, err = c.checkMySQL(db)
		}
		return err
	})
	return warnings, err
}

// setting returns the single value that a query returns.
func setting(db *gorm.DB, query string, args ...any) (value string, err error) {
	err = db.Raw(query, args...).Scan(&value).Error
	return value, err
}

func checkSQLite(db *gorm.DB) (warnings []string, err error) {
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	file, err := setting(db, "SELECT file FROM pragma_database_list WHERE name = 'main'")
	if err != nil {
		return nil, err
	}
	if file == "" {
		if pool.Stats().MaxOpenConnections == 1 {
			return nil, nil
		}
		return []string{"SQLite in memory opens a database for each connection: limit the pool to one connection with SetMaxOpenConns(1)."}, nil
	}
	for _, check := range []struct {
		query, value, warning string
	}{
		{"PRAGMA journal_mode", "wal", "SQLite is not in WAL mode, so a reader and a writer block each other: open the file with _journal_mode=WAL."},
		{"SELECT (SELECT timeout FROM pragma_busy_timeout) > 0", "1",
			"SQLite does not wait for the lock of another process: open the file with _busy_timeout=1000."},
		{"SELECT (SELECT synchronous FROM pragma_synchronous) > 0", "1",
			"SQLite does not wait for the disk, so a crash can damage the file: do not set synchronous to OFF."},
	} {
		value, err := setting(db, check.query)
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(value, check.value) {
			warnings = append(warnings, check.warning)
		}
	}
	return warnings, nil
}

func checkPostgres(db *gorm.DB) ([]string, error) {
	value, err := setting(db, "SHOW synchronous_commit")
	if err != nil || value != "off" {
		return nil, err
	}
	return []string{"PostgreSQL has synchronous_commit off, so a crash can undo the latest revocations: set it to on."}, nil
}

func (c *core) checkMySQL(db *gorm.DB) (warnings []string, err error) {
	value, err := setting(db, "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit")
	if err != nil {
		return nil, err
	}
	if value != "1" {
		warnings = append(warnings,
			"MySQL has innodb_flush_log_at_trx_commit other than 1, so a crash can undo the latest revocations: set it to 1.")
	}
	for _, r := range records {
		place, table := "DATABASE()", c.nameOf(r)
		args := []any{table}
		if database, name, found := strings.Cut(table, "."); found {
			place, args = "?", []any{database, name}
		}
		found, err := setting(db, "SELECT table_name FROM information_schema.tables WHERE table_schema = "+place+
			" AND table_name = ? AND engine <> 'InnoDB'", args...)
		if err != nil {
			return nil, err
		}
		if found != "" {
			warnings = append(warnings, "The table "+table+" does not use the engine InnoDB, so it has no transactions.")
		}
	}
	return warnings, nil
}
