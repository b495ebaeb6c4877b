//go:build !cgo

package main

import (
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite" // the driver "sqlite" in pure Go
)

// openSQLite opens a SQLite file with the settings that gormstore requires.
func openSQLite(file string) gorm.Dialector {
	return sqlite.New(sqlite.Config{
		DriverName: "sqlite",
		DSN:        file + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(1000)&_txlock=immediate",
	})
}
