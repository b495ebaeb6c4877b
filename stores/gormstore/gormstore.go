package gormstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/models"
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
		return c.migrateTable(db.Table(name).Session(&gorm.Session{}), model)
	}
	return db.Connection(func(tx *gorm.DB) error {
		err := tx.Exec("USE " + tx.Statement.Quote(database)).Error
		if err == nil {
			err = c.migrateTable(tx.Table(table).Session(&gorm.Session{}), model)
		}
		if conn, ok := tx.Statement.ConnPool.(*sql.Conn); ok {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // closes it
		}
		return err
	})
}

// migrateTable adds what GORM cannot add to a table with rows, a column without NULL and
// without a default, and leaves the rest to GORM. The rows get the zero value, as MySQL gives
// it by itself.
func (c *core) migrateTable(db *gorm.DB, model any) error {
	m := db.Migrator()
	if c.dialect == mysql || !m.HasTable(model) {
		return m.AutoMigrate(model)
	}
	for _, f := range newTable(db, model).schema.Fields {
		if f.DBName == "" || !f.NotNull || f.PrimaryKey || m.HasColumn(model, f.DBName) {
			continue
		}
		zero := "''"
		if f.DataType == schema.Int {
			zero = "0"
		}
		column, table := clause.Column{Name: f.DBName}, clause.Table{Name: clause.CurrentTable}
		err := db.Exec("ALTER TABLE ? ADD COLUMN ? ? DEFAULT "+zero, table, column, m.FullDataTypeOf(f)).Error
		if err == nil && c.dialect == postgres {
			err = db.Exec("ALTER TABLE ? ALTER COLUMN ? DROP DEFAULT", table, column).Error
		}
		if err != nil {
			return err
		}
	}
	return m.AutoMigrate(model)
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
	// scopes add conditions to each statement.
	scopes []Scope
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
	quiet := quietSession(db, pool)
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

// quietSession returns a new session of db on a pool.
func quietSession(db *gorm.DB, pool gorm.ConnPool) *gorm.DB {
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
	quiet = quiet.Set("gorm:db_resolver:write", struct{}{})
	// What the caller has set is for callbacks, hooks and Migrate, such as gorm:table_options.
	db.Statement.Settings.Range(func(key, value any) bool {
		quiet.Statement.Settings.Store(key, value)
		return true
	})
	return quiet.Session(&gorm.Session{})
}

// An Option is a setting of New and Migrate. TablePrefix is one.
type Option func(*core)

// TablePrefix gives the tables the names auth_sessions, auth_session_owners,
// auth_token_families, auth_tokens, auth_attempts, auth_factors and auth_identities after the
// prefix, whatever the naming strategy of the database says. A prefix that ends in a dot is a schema of
// PostgreSQL or a database of MySQL, which has to exist. Without this option the naming
// strategy names the tables.
//
// Applications that share a database need different prefixes. New, Migrate and every other
// program with the same sessions need the same one.
//
// New and Migrate panic if the prefix is longer than 32 bytes, or has other characters than
// letters, digits, underscores and one dot at most.
func TablePrefix(prefix string) Option { return func(c *core) { c.prefix = &prefix } }

// maxPrefix leaves room for the names of tables within the limit of 63 bytes of PostgreSQL.
const maxPrefix = 32

// record is a model of this package.
type record struct {
	model any
	plain string // the name of its table without a prefix
	name  string // the name that the naming strategy gets
}

// records are the models of this package.
var records = []record{
	{&models.Session{}, models.Session{}.TableName(), "AuthSession"},
	{&models.SessionOwner{}, models.SessionOwner{}.TableName(), "AuthSessionOwner"},
	{&models.TokenFamily{}, models.TokenFamily{}.TableName(), "AuthTokenFamily"},
	{&models.Token{}, models.Token{}.TableName(), "AuthToken"},
	{&models.Attempt{}, models.Attempt{}.TableName(), "AuthAttempt"},
	{&models.Factor{}, models.Factor{}.TableName(), "AuthFactor"},
	{&models.Identity{}, models.Identity{}.TableName(), "AuthIdentity"},
}

// nameOf returns the name of a table of this package.
func (c *core) nameOf(r record) string {
	if c.prefix != nil {
		return *c.prefix + r.plain
	}
	return c.db.NamingStrategy.TableName(r.name)
}

// table returns the table of a model of this package.
func (c *core) table(model any) table {
	t := newTable(c.db, model)
	for _, r := range records {
		if reflect.TypeOf(r.model) == reflect.TypeOf(model) {
			t.name = c.nameOf(r)
			return t
		}
	}
	panic(fmt.Sprintf("gormstore: %T is not among the records", model))
}

// checkPrefix panics if the prefix cannot begin the name of a table.
func (c *core) checkPrefix(caller string) {
	if c.prefix == nil {
		return
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."
	if p := *c.prefix; len(p) > maxPrefix || strings.Trim(p, allowed) != "" || strings.Count(p, ".") > 1 || strings.HasPrefix(p, ".") {
		panic(fmt.Sprintf("gormstore: %s was given the table prefix %.64q, which cannot begin the name of a table", caller, p))
	}
}
