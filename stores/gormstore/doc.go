// Package gormstore keeps sessions, tokens and throttle windows in SQLite,
// PostgreSQL, MySQL or MariaDB, and loads users from there, through GORM:
//
//	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{})
//	…
//	err = gormstore.Migrate(ctx, db) // or a migration tool of your own
//	set := gormstore.New(db)         // sessions, tokens, limiter
//	users := gormstore.Users[models.User](db)
//
// Nothing is read before it is written: a change is one conditional statement,
// or a transaction whose first statement writes and so waits for its turn. That
// holds at the default isolation level of each engine. What the database undid
// itself, because of a deadlock for example, is tried again a few times.
//
// The package runs its statements without GORM's logger, so that no digest and
// no password hash reaches a log, without GORM's cache of prepared statements,
// and on the primary if the dbresolver plugin is in use. Callbacks registered
// with GORM see them.
//
// # SQLite
//
// Open a file with
//
//	auth.db?_journal_mode=WAL&_busy_timeout=1000&_txlock=immediate
//
// (the spelling of github.com/mattn/go-sqlite3). WAL lets readers go on while
// one writes. The timeout is how long a writer waits for one of another
// process; within this one the stores queue. A database in memory needs
// SetMaxOpenConns(1), because every connection to it opens another.
//
// # MySQL and MariaDB
//
// The usual collations take "é" for "e" and "A" for "a". The stores and the
// user provider compare text byte by byte nevertheless, so nobody is taken for
// his twin; but a unique index on such a column lets only one of the two
// register. Give the column a binary collation, such as utf8mb4_bin, if both
// should. Tables must be of an engine with transactions, such as InnoDB.
package gormstore
