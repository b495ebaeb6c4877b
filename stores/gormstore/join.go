package gormstore

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// joinable is a UserStore whose rows another query can load.
type joinable interface {
	// joined returns how the rows are read, or nil if they cannot be joined.
	joined() *userRows
}

// userRows is how the rows of a user table are read in a query of another table.
type userRows struct {
	// store is the UserStore itself.
	store  models.UserProvider
	core   *core
	table  table
	key    key
	fields []*schema.Field
	// deleted are the fields that mark users as deleted.
	deleted []*schema.Field
	// new returns an empty user, of and as the model.
	new func() (models.Authenticatable, reflect.Value)
}

// joined returns nil if reading a user does more than to read its row.
func (s *UserStore[U, P]) joined() *userRows {
	t := newTable(s.db, new(U))
	if t.schema.AfterFind || len(s.scopes) > 0 || s.dialect == sqlite { // which waits for no network
		return nil
	}
	rows := &userRows{store: s, core: s.core, table: t, key: s.key, new: func() (models.Authenticatable, reflect.Value) {
		u := P(new(U))
		return u, reflect.ValueOf(u).Elem()
	}}
	for _, f := range t.schema.Fields {
		if f.DBName != "" && f.Readable {
			rows.fields = append(rows.fields, f)
		}
		if f.FieldType == deletedAt {
			rows.deleted = append(rows.deleted, f)
		}
	}
	if len(t.schema.QueryClauses) != len(rows.deleted) { // a condition of another kind
		return nil
	}
	return rows
}

var deletedAt = reflect.TypeFor[gorm.DeletedAt]()

// keyOf returns the condition that the user u has the key that the owner of the session s
// names after the prefix, or "" if the engine cannot be trusted to compare the two.
func (u *userRows) keyOf(prefix, owner string) string {
	start := len(prefix) + 1
	column := "u." + u.table.quote(u.key.field.DBName)
	switch kind := u.key.field.FieldType.Kind(); {
	case kind >= reflect.Int && kind <= reflect.Uint64 && u.core.dialect == postgres:
		return fmt.Sprintf("%s = CASE WHEN %s ~ '^%s[1-9][0-9]{0,17}$' THEN CAST(substr(%s, %d) AS bigint) END", column, owner, prefix, owner, start)
	case kind >= reflect.Int && kind <= reflect.Uint64 && u.core.dialect == mysql:
		return fmt.Sprintf("%s = CASE WHEN %s REGEXP '^%s[1-9][0-9]{0,17}$' THEN CAST(SUBSTR(%s, %d) AS SIGNED) END", column, owner, prefix, owner, start)
	case kind == reflect.String && u.core.dialect == postgres:
		return fmt.Sprintf("%s = CASE WHEN starts_with(%s, '%s') THEN substr(%s, %d) END", column, owner, prefix, owner, start)
	}
	return ""
}

var _ stores.UserSessions = (*sessions)(nil)

// WithUsers implements stores.UserSessions for a UserStore on the same connections.
func (s *sessions) WithUsers(users models.UserProvider, prefix string) stores.LoadWithUser {
	provider, ok := users.(joinable)
	if !ok || strings.Trim(prefix, "abcdefghijklmnopqrstuvwxyz:/") != "" {
		return nil
	}
	u := provider.joined()
	// A provider that embeds a UserStore may find users in another way, and is asked.
	if u == nil || u.store != users || u.core.direct == nil || u.core.direct != s.direct {
		return nil
	}
	owner := s.table.sql("s.{Owner}")
	condition := u.keyOf(prefix, owner)
	if condition == "" {
		return nil
	}
	var columns []string
	for _, f := range u.fields {
		columns = append(columns, "u."+u.table.quote(f.DBName))
	}
	get := newLookup(s.core, s.table.sql(loadColumns("s."))+", "+strings.Join(columns, ", ")+
		s.table.sql(" FROM {} s")+u.table.sql(" LEFT JOIN {} u ON ")+condition+s.table.sql(" AND s.{AllOwners} = '' WHERE s.{Row} = ?"))
	return func(ctx context.Context, row string) (stores.Session, models.Authenticatable, bool, error) {
		return s.loadWith(ctx, get, u, prefix, row)
	}
}

func (s *sessions) loadWith(ctx context.Context, get *lookup, u *userRows, prefix, row string) (got stores.Session, user models.Authenticatable, found bool, err error) {
	const what = "load session"
	if !validName(row) || ctx.Err() != nil {
		return stores.Session{}, nil, false, fault(ctx, what, ctx.Err())
	}
	record := models.Session{Row: row}
	values := u.values()
	defer u.release(values)
	if found, err = get.one(ctx, row, append(targets(&record), values...)...); err != nil || !found {
		return stores.Session{}, nil, false, fault(ctx, what, err)
	}
	if got, err = decodeSession(&record); err != nil {
		return stores.Session{}, nil, false, err
	}
	if id, ok := strings.CutPrefix(record.Owner, prefix); ok && len(got.Owners) == 1 {
		user = u.user(ctx, values, id)
	}
	return got, user, true, nil
}

// values returns what the columns of a user are read into.
func (u *userRows) values() []any {
	values := make([]any, len(u.fields))
	for i, f := range u.fields {
		values[i] = f.NewValuePool.Get()
	}
	return values
}

func (u *userRows) release(values []any) {
	for i, f := range u.fields {
		f.NewValuePool.Put(values[i])
	}
}

// user returns the user that was read, or nil if it is not the one with the id. A column that
// does not fit the model is left to the provider, which reports it.
func (u *userRows) user(ctx context.Context, values []any, id string) models.Authenticatable {
	user, into := u.new()
	for i, f := range u.fields {
		if err := f.Set(ctx, into, values[i]); err != nil {
			return nil
		}
	}
	for _, f := range u.deleted {
		if _, zero := f.ValueOf(ctx, into); !zero {
			return nil
		}
	}
	if want, ok := u.key.value(id); !ok || !u.key.of(ctx, into, want) || user.AuthID() != id {
		return nil
	}
	return user
}
