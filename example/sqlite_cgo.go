//go:build cgo

package main

import (
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// openSQLite opens a SQLite file with the settings that gormstore requires.
func openSQLite(file string) gorm.Dialector {
	return sqlite.Open(file + "?_journal_mode=WAL&_busy_timeout=1000&_txlock=immediate")
}
