package gormstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/ginauth/ginauth/stores"
)

// New returns stores in the tables that Migrate creates. They use the connections of db
// and do not close db, so closing the set does nothing.
//
// The session store also implements stores.SessionIndex. Each store implements
// stores.Pruner and stores.Checker. Names of rows, tokens and families are 32 lower-case
// hexadecimal digits. No other name is found or can be created. Times are stored to the
// microsecond. Addresses and user agents that are too long for their column are
// truncated.
//
// New panics if db is nil or a transaction, or if it has conditions, clauses, scopes, a
// table or other parts of a statement: they would not hold in the statements of the stores.
//
// The naming strategy of db names the tables as it names models called AuthSession,
// AuthSessionOwner, AuthTokenFamily, AuthToken, AuthAttempt, AuthFactor and AuthIdentity. So they
// follow its prefix or schema. TablePrefix names them in another way. Applications with the same
// tables have the same sessions, tokens, factors, identities and windows.
func New(db *gorm.DB, options ...Option) stores.Set {
	c := newCore(db, "New", options...)
	return stores.Set{
		Sessions: newSessions(c), Tokens: newTokens(c), Limiter: newLimiter(c), Factors: newFactors(c), Identities: newIdentities(c),
	}
}

// Migrate creates the tables of this package, which are auth_sessions, auth_session_owners,
// auth_token_families, auth_tokens, auth_attempts, auth_factors and auth_identities unless the
// naming strategy of db or an option names them in another way, and adds columns and indexes that
// are missing. It deletes nothing and does not change the table of users. It can be
// repeated, but two processes must not run it at the same time: call it during
// deployment, or at the start of a program that runs only once.
//
// The options are those that New gets. Migrate panics for the same db as New.
func Migrate(ctx context.Context, db *gorm.DB, options ...Option) error {
	c := newCore(db, "Migrate", options...)
	for _, r := range records {
		if err := c.migrate(c.db.WithContext(ctx), c.nameOf(r), r.model); err != nil {
			return fault(ctx, "migrate", err)
		}
	}
	return nil
}

// migrate creates a table, or what it lacks. GORM looks for a table in the current database of
// MySQL alone, so for a table in another one a connection changes to that, and is closed.
func (c *core) migrate(db *gorm.DB, name string, model any) error {
	database, table, elsewhere := strings.Cut(name, ".")
	if !elsewhere || c.dialect != mysql {
		return db.Table(name).AutoMigrate(model)
	}
	return db.Connection(func(tx *gorm.DB) error {
		err := tx.Exec("USE " + tx.Statement.Quote(database)).Error
		if err == nil {
			err = tx.Table(table).AutoMigrate(model)
		}
		if conn, ok := tx.Statement.ConnPool.(*sql.Conn); ok {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // closes it
		}
		return err
	})
}

// The names of GORM's dialects.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
	mysql    = "mysql" // and MariaDB
)

// core is what the stores of one database have in common.
type core struct {
	db      *gorm.DB
	direct  *sql.DB // the connections, or nil if they are behind a pool of another type
	dialect string
	options *sql.TxOptions
	// prefix begins the names of the tables, or is nil if the naming strategy names them.
	prefix *string
	// turn holds one element while a change runs on SQLite. It is nil on other
	// engines. SQLite allows one writer. Other writers would poll for its lock,
	// ignore their contexts, and sometimes never get the lock.
	turn chan struct{}
}

// newCore returns a core on a session of db that does not log. If db cannot be used, it
// panics with the name of the exported function.
func newCore(db *gorm.DB, caller string, options ...Option) *core {
	if db == nil || db.Config == nil || db.Dialector == nil || db.Statement == nil {
		panic(fmt.Sprintf("gormstore: %s was given a nil *gorm.DB", caller))
	}
	refuseConditions(db, caller)
	pool := db.Statement.ConnPool
	if _, transaction := pool.(gorm.TxCommitter); transaction {
		panic(fmt.Sprintf("gormstore: %s was given a transaction instead of a database", caller))
	}
	// Without this a change could wait for a statement that a read prepares,
	// while the read waits for the connection of the change.
	if prepared, ok := pool.(*gorm.PreparedStmtDB); ok {
		pool = prepared.ConnPool
	}
	// A pool of another type may have to see each query. PostgreSQL's driver caches
	// prepared statements itself, unless it is configured not to.
	direct, ok := pool.(*sql.DB)
	if ok && db.Dialector.Name() != postgres {
		pool = &statements{DB: direct, known: make(map[string]*sql.Stmt)}
	}
	quiet := db.Session(&gorm.Session{
		NewDB:                  true,
		Context:                context.Background(),
		Logger:                 logger.Discard,
		SkipDefaultTransaction: true,
	})
	quiet.Statement.ConnPool, quiet.Config.ConnPool = pool, pool
	quiet.Config.PrepareStmt = false
	// This is the effect of dbresolver's clause Write. A replica may not have the
	// latest changes yet.
	quiet = quiet.Set("gorm:db_resolver:write", struct{}{}).Session(&gorm.Session{})

	c := &core{db: quiet, direct: direct, dialect: db.Dialector.Name(), options: &sql.TxOptions{}}
	for _, option := range options {
		option(c)
	}
	c.checkPrefix(caller)
	switch c.dialect {
	case sqlite:
		c.turn = make(chan struct{}, 1)
	case postgres:
		// At a stricter default of the server most of many parallel changes
		// would fail. Here this level is enough.
		c.options.Isolation = sql.LevelReadCommitted
	}
	return c
}

// refuseConditions panics if db has conditions or other parts of a statement. The
// statements of this package start from a new session without them, so a provider for the
// users of one tenant would find the users of all.
func refuseConditions(db *gorm.DB, caller string) {
	if parts := statementParts(db.Statement); len(parts) > 0 {
		panic(fmt.Sprintf("gormstore: %s was given a *gorm.DB with %s, which it cannot keep in its statements; "+
			"pass a *gorm.DB without them", caller, strings.Join(parts, ", ")))
	}
}

// statementParts names the parts of a statement that the caller has set.
func statementParts(s *gorm.Statement) []string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.Clauses)) {
		parts = append(parts, "the clause "+name)
	}
	// GORM has no accessor for scopes that have not run yet.
	scopes := reflect.ValueOf(s).Elem().FieldByName("scopes")
	for _, part := range []struct {
		name string
		set  bool
	}{
		{"Table", s.Table != "" || s.TableExpr != nil},
		{"Model", s.Model != nil},
		{"Scopes", !scopes.IsValid() || scopes.Len() > 0},
		{"Unscoped", s.Unscoped},
		{"Select", len(s.Selects) > 0},
		{"Omit", len(s.Omits) > 0},
		{"MapColumns", len(s.ColumnMapping) > 0},
		{"Distinct", s.Distinct},
		{"Joins", len(s.Joins) > 0},
		{"Preload", len(s.Preloads) > 0},
	} {
		if part.set {
			parts = append(parts, part.name)
		}
	}
	return parts
}
