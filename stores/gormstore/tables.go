package gormstore

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/ginauth/ginauth/models"
)

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
