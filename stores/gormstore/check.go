package gormstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/models"
)

// Check implements stores.Checker for each store. It looks for tables that are missing, and for
// settings of the database with which changes fail, acknowledged changes can be lost, or
// transactions do not work.
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
	var missing []string
	for _, r := range records {
		t := c.table(r.model)
		if c.read(ctx, "check", func(db *gorm.DB) error { return db.Exec(t.sql("SELECT 1 FROM {} WHERE 1 = 0")).Error }) != nil {
			missing = append(missing, t.name)
		}
	}
	if len(missing) > 0 && ctx.Err() == nil {
		warnings = append(warnings, "There are tables that are missing, or cannot be read: "+strings.Join(missing, ", ")+". Call gormstore.Migrate.")
	}
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

// readOnly is the warning for a database that refuses changes.
const readOnly = "The database is read-only, such as a replica: every login and every change fails. Connect to the primary."

func checkPostgres(db *gorm.DB) (warnings []string, err error) {
	value, err := setting(db, "SHOW transaction_read_only")
	if err == nil && value == "on" {
		warnings = append(warnings, readOnly)
	}
	if err == nil {
		value, err = setting(db, "SHOW synchronous_commit")
	}
	if err == nil && value == "off" {
		warnings = append(warnings, "PostgreSQL has synchronous_commit off, so a crash can undo the latest revocations: set it to on.")
	}
	return warnings, err
}

func (c *core) checkMySQL(db *gorm.DB) (warnings []string, err error) {
	value, err := setting(db, "SELECT @@GLOBAL.read_only = 1 OR @@SESSION.transaction_read_only = 1")
	if err != nil { // MariaDB names it in another way
		value, err = setting(db, "SELECT @@GLOBAL.read_only = 1 OR @@SESSION.tx_read_only = 1")
	}
	if err == nil && value == "1" {
		warnings = append(warnings, readOnly)
	}
	if err == nil {
		value, err = setting(db, "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit")
	}
	if err != nil {
		return warnings, err
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

var _ models.UserChecker = (*UserStore[models.User, *models.User])(nil)

// sampled is how many of the oldest and of the newest users CheckUsers looks at the hashes of.
const sampled = 500

// CheckUsers implements models.UserChecker. It finds columns that users cannot log in with, and
// whether there are rows that cannot log in, which Adopt completes and counts.
func (s *UserStore[U, P]) CheckUsers(ctx context.Context, hash models.HashCheck) (problems []string, err error) {
	if len(s.scopes) > 0 {
		return nil, nil // which need a tenant
	}
	problems, err = s.checkTable(ctx, hash.Longest)
	if err != nil {
		return problems, err
	}
	rows, err := s.checkRows(ctx)
	if err != nil {
		return append(problems, rows...), err
	}
	hashes, err := s.checkHashes(ctx, hash.Readable)
	return slices.Concat(problems, rows, hashes), err
}

// checkTable finds missing unique indexes, a column that is too short for password hashes, and
// times that the driver does not read.
func (s *UserStore[U, P]) checkTable(ctx context.Context, longest int) (problems []string, err error) {
	if times, err := s.readsTimes(ctx); err != nil {
		return nil, err
	} else if !times {
		problems = append(problems, "The driver does not read times, so users cannot be read: add parseTime=true to the data source name of MySQL.")
	}
	m := s.db.WithContext(ctx).Migrator()
	indexes, err := m.GetIndexes(new(U))
	if err != nil {
		return problems, fault(ctx, "check users", err)
	}
	for _, id := range s.fields.identifiers {
		unique := slices.ContainsFunc(indexes, func(i gorm.Index) bool {
			is, ok := i.Unique()
			return ok && is && slices.Equal(i.Columns(), []string{id.lookup.DBName})
		})
		if !unique {
			problems = append(problems, fmt.Sprintf("The column %s, by which users are looked up, has no unique index: "+
				"two users can get the same identifier, and then neither can log in. Create one, or call gormstore.Adopt.", id.lookup.DBName))
		}
	}
	if s.fields.password == nil {
		return problems, nil
	}
	columns, err := m.ColumnTypes(new(U))
	for _, column := range columns {
		size, ok := column.Length()
		if column.Name() == s.fields.password.DBName && ok && 0 < size && size < int64(longest) {
			problems = append(problems, fmt.Sprintf("The column %s has room for %d bytes, and password hashes have up to %d: "+
				"make it longer, such as varchar(255).", column.Name(), size, longest))
		}
	}
	return problems, fault(ctx, "check users", err)
}

// readsTimes reports whether the driver reads times, if the model has one.
func (s *UserStore[U, P]) readsTimes(ctx context.Context) (ok bool, err error) {
	has := slices.ContainsFunc(s.key.field.Schema.Fields, func(f *schema.Field) bool { return f.DataType == schema.Time })
	if s.dialect != mysql || !has {
		return true, nil
	}
	var now any
	err = s.read(ctx, "check users", func(db *gorm.DB) error { return db.Raw("SELECT NOW()").Row().Scan(&now) })
	_, ok = now.(time.Time)
	return ok, err
}

// checkRows finds whether there are rows that cannot log in.
func (s *UserStore[U, P]) checkRows(ctx context.Context) (problems []string, err error) {
	for _, id := range s.fields.identifiers {
		missing := s.holds(id.lookup, "")
		if id.optional {
			missing = clause.And(missing, clause.Neq{Column: columnOf(id.source), Value: ""}) // nor NULL
		}
		found, err := s.exists(ctx, missing)
		if err != nil {
			return problems, err
		}
		if found {
			problems = append(problems, fmt.Sprintf("There are users whose column %s is empty, who cannot log in by their %s: "+
				"call gormstore.Adopt, which names them.", id.lookup.DBName, id.credential))
		}
		twice := ""
		err = s.read(ctx, "find users", func(db *gorm.DB) error {
			return db.Unscoped().Model(new(U)).Select("MIN(?)", columnOf(id.lookup)).Where(clause.Neq{Column: columnOf(id.lookup), Value: ""}).
				Group(id.lookup.DBName).Having("COUNT(*) > 1").Limit(1).Scan(&twice).Error
		})
		if err != nil {
			return problems, err
		}
		if twice != "" {
			problems = append(problems, fmt.Sprintf("There are users with the same %s, who cannot log in by their %s.",
				id.lookup.DBName, id.credential))
		}
	}
	if s.fields.stamp == nil {
		return problems, nil
	}
	found, err := s.exists(ctx, s.holds(s.fields.stamp, ""))
	if found {
		problems = append(problems, fmt.Sprintf("There are users whose column %s is empty: they get a security stamp at their next login, "+
			"or from gormstore.Adopt.", s.fields.stamp.DBName))
	}
	return problems, err
}

// checkHashes finds password hashes that cannot be verified, among those of the oldest and of
// the newest users.
func (s *UserStore[U, P]) checkHashes(ctx context.Context, readable func(string) bool) (problems []string, err error) {
	if s.fields.password == nil || readable == nil {
		return nil, nil
	}
	unknown := make(map[string]bool)
	for _, newest := range []bool{false, true} {
		var rows []U
		err := s.read(ctx, "find users", func(db *gorm.DB) error {
			return db.Session(&gorm.Session{SkipHooks: true}).Select(s.key.field.DBName, s.fields.password.DBName).
				Order(clause.OrderByColumn{Column: columnOf(s.key.field), Desc: newest}).Limit(sampled).Find(&rows).Error
		})
		if err != nil {
			return problems, err
		}
		for i := range rows {
			if hash := textOf(ctx, s.fields.password, &rows[i]); hash != "" && !readable(hash) {
				unknown[formatOf(hash)] = true
			}
		}
	}
	for format := range unknown {
		problems = append(problems, fmt.Sprintf("There are users whose password hash %s cannot be verified, who cannot log in by their password. "+
			"See hashing.Legacy.", format))
	}
	slices.Sort(problems)
	return problems, nil
}

// formatOf describes a hash by what names its algorithm, and never by more: it may be a password.
func formatOf(hash string) string {
	name, _, found := strings.Cut(strings.TrimPrefix(hash, "$"), "$")
	if !found || len(name) > 20 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return "of an unknown format"
	}
	return "that begins with " + hash[:strings.Index(hash, name)+len(name)+1]
}
