// Package gormstore keeps sessions, tokens and throttle windows in SQLite,
// PostgreSQL, MySQL or MariaDB, and loads users from there, through GORM:
//
//	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{})
//	…
//	err = gormstore.Migrate(ctx, db) // or a migration tool of your own
//	set := gormstore.New(db)         // sessions, tokens, limiter
//	users := gormstore.Users[models.User](db)
//
// No change rests on something read before it: it is one conditional statement,
// or a transaction whose first statement writes and so waits for its turn. That
// holds at the default isolation level of each engine. What the database undid
// itself, because of a deadlock for example, is tried again a few times.
//
// The package runs its statements without GORM's logger, so that no digest and
// no password hash reaches a log, without GORM's cache of prepared statements,
// and on the primary if the dbresolver plugin is in use. Callbacks registered
// with GORM see them. The query that loads a session is prepared once per
// connection on SQLite and MySQL, where that saves a third of its time or more,
// if the pool below GORM is a plain *sql.DB.
//
// # SQLite
//
// Open a file with
//
//	auth.db?_journal_mode=WAL&_busy_timeout=1000&_txlock=immediate
//
// (the spelling of github.com/mattn/go-sqlite3; for modernc.org/sqlite, which
// needs no cgo, it is _pragma=journal_mode(WAL)&_pragma=busy_timeout(1000) and
// the same _txlock). WAL lets readers go on while
// one writes. The timeout is in milliseconds, and how long one try waits for a
// writer outside the stores, which queue among themselves: for that long a call
// does not notice that its context has ended, and it tries up to five times.
// The stores write first and so need no immediate transactions, but those of an
// application that read first fail without them. A database in memory needs
// SetMaxOpenConns(1), because every connection to it opens another.
//
// # MySQL and MariaDB
//
// The usual collations take "é" for "e" and "A" for "a". The stores and the
// user provider compare text byte by byte nevertheless, so nobody is taken for
// his twin; but a unique index on such a column lets only one of the two
// register. Give the column a binary collation, such as utf8mb4_bin, if both
// should. Tables must be of an engine with transactions, such as InnoDB.
//
// The data source name needs parseTime=true for models with times, such as
// models.User. With interpolateParams=true a statement that is not prepared takes
// one round trip instead of two.
package gormstore
