package gormstore

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// New returns stores in the tables that Migrate creates. They share the
// connections of db and do not close it, so Close on the set does nothing.
//
// The sessions also are a stores.SessionIndex, the sessions and the tokens, and
// the limiter too, are stores.Pruners and stores.Checkers. Names of rows, of
// tokens and of families are 32 lower-case hexadecimal digits; any other names
// nothing, and nothing can be created under it. Times are kept to the
// microsecond. An address or user agent that is too long for its column is cut.
//
// New panics if db is nil or a transaction.
func New(db *gorm.DB) stores.Set {
	c := newCore(db, "New")
	return stores.Set{Sessions: newSessions(c), Tokens: newTokens(c), Limiter: newLimiter(c)}
}

// Migrate creates the tables of this package, auth_sessions, auth_session_owners,
// auth_token_families, auth_tokens and auth_attempts, and adds what an older
// version of them lacks. It deletes nothing, and leaves the table of users
// alone. It can be repeated, but not by two processes at once: call it when
// deploying, or at the start of a program that runs once.
//
// Migrate panics if db is nil or a transaction.
func Migrate(ctx context.Context, db *gorm.DB) error {
	err := newCore(db, "Migrate").db.WithContext(ctx).AutoMigrate(
		&models.Session{}, &models.SessionOwner{}, &models.TokenFamily{}, &models.Token{}, &models.Attempt{})
	return fault(ctx, "migrate", err)
}

// The names that GORM's drivers give their dialects.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
	mysql    = "mysql" // and MariaDB
)

// core is what the stores of one database share.
type core struct {
	db      *gorm.DB
	dialect string
	options *sql.TxOptions
	// turn holds one element while a change runs on SQLite, and is nil on other
	// engines. SQLite has one writer; the rest would poll for its lock, deaf to
	// their contexts, and some never get it.
	turn chan struct{}
}

// newCore returns a core on a quiet session of db. It panics, in the name of
// the exported function, if db cannot be used.
func newCore(db *gorm.DB, caller string) *core {
	if db == nil || db.Config == nil || db.Dialector == nil || db.Statement == nil {
		panic(fmt.Sprintf("gormstore: %s was given a nil *gorm.DB", caller))
	}
	pool := db.Statement.ConnPool
	if _, transaction := pool.(gorm.TxCommitter); transaction {
		panic(fmt.Sprintf("gormstore: %s was given a transaction instead of a database", caller))
	}
	// A change that waits for a statement which a read is preparing, while that
	// read waits for the change's connection, would wait forever.
	if prepared, ok := pool.(*gorm.PreparedStmtDB); ok {
		pool = prepared.ConnPool
	}
	quiet := db.Session(&gorm.Session{
		NewDB:                  true,
		Context:                context.Background(),
		Logger:                 logger.Discard,
		SkipDefaultTransaction: true,
	})
	quiet.Statement.ConnPool, quiet.Config.ConnPool = pool, pool
	quiet.Config.PrepareStmt = false
	// What dbresolver calls its clause Write: a replica may not have what was
	// acknowledged a moment ago.
	quiet = quiet.Set("gorm:db_resolver:write", struct{}{}).Session(&gorm.Session{})

	c := &core{db: quiet, dialect: db.Dialector.Name(), options: &sql.TxOptions{}}
	switch c.dialect {
	case sqlite:
		c.turn = make(chan struct{}, 1)
	case postgres:
		// Costs nothing here, whereas a stricter default of the server would
		// make most of many parallel changes fail.
		c.options.Isolation = sql.LevelReadCommitted
	}
	return c
}
