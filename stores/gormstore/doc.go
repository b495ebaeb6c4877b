// Package gormstore keeps sessions, tokens and throttle windows in SQLite,
// PostgreSQL, MySQL or MariaDB, and loads users from there, through GORM:
//
//	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{})
//	…
//	err = gormstore.Migrate(ctx, db) // or your own migration tool
//	set := gormstore.New(db)         // sessions, tokens, limiter
//	users := gormstore.Users[models.User](db)
//
// No change depends on something that was read before it. Each change is either one
// conditional statement, or a transaction whose first statement is a write and so waits
// for its turn. That is correct at the default isolation level of each engine. Changes
// that the database itself rolled back, for example because of a deadlock, are tried
// again a few times.
//
// The package runs its statements without GORM's logger, so that no digest and no
// password hash reaches a log, without GORM's cache of prepared statements, and on the
// primary if the plugin dbresolver is used. Callbacks that are registered with GORM see
// them. On SQLite and MySQL the query that loads a session is prepared once per
// connection, which saves at least a third of its time there, if the pool below GORM is
// a plain *sql.DB.
//
// # Owners of sessions
//
// A session that never had more than one owner is one record in auth_sessions, whose
// column owner is indexed. A session that has, or has had, several owners also has a
// record for each of them in auth_session_owners.
//
// # SQLite
//
// Open a file with
//
//	auth.db?_journal_mode=WAL&_busy_timeout=1000&_txlock=immediate
//
// This is the spelling of github.com/mattn/go-sqlite3. For modernc.org/sqlite, which
// needs no cgo, it is _pragma=journal_mode(WAL)&_pragma=busy_timeout(1000) and the same
// _txlock. With WAL, readers do not wait for a writer. The timeout is in milliseconds. It
// is how long one try waits for a writer outside the stores; the stores queue their own
// writers. During that time a call does not notice that its context has ended, and a call
// tries up to five times. The stores write first and need no immediate transactions, but
// transactions of the application that read first fail without them. A database in memory
// needs SetMaxOpenConns(1), because every connection opens another database.
//
// # MySQL and MariaDB
//
// The usual collations consider "é" equal to "e" and "A" equal to "a". The stores and the
// user provider nevertheless compare text byte by byte, so no user is confused with
// another. But a unique index on such a column allows only one of two such users. If both
// should be able to register, give the column a binary collation, such as utf8mb4_bin.
// The tables need an engine with transactions, such as InnoDB.
//
// The data source name needs parseTime=true for models with times, such as models.User.
// With interpolateParams=true a statement that is not prepared takes one round trip
// instead of two.
package gormstore
