package gormstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Scope returns db with conditions, such as db.Where("tenant_id = ?", tenant). The context is
// that of the call, which has the values of the request. To refuse a call, for example because
// its context names no tenant, Scope adds an error to db with AddError, which the call returns.
//
// Its conditions hold in every statement, beside those of the statement itself. A call fails if
// Scope adds no condition, or anything else than conditions, which would not hold. It is called
// for every try of a statement, by several goroutines at once.
type Scope = func(ctx context.Context, db *gorm.DB) *gorm.DB

// WithScope limits a provider of users to those for which the conditions of a Scope hold. Other
// users are not found, cannot log in, and are not changed. CreateUser refuses a user for whom
// they do not hold: set the tenant of a new user in a hook of the model, such as BeforeCreate,
// or in Config.Account.Prepare.
//
// With several options all scopes hold.
func WithScope(scope Scope) UserOption {
	return func(o *userOptions) { o.scopes = append(o.scopes, scope) }
}

// scoped gives a core scopes. It panics with the name of the exported function if one is nil.
func (c *core) scoped(caller string, scopes []Scope) {
	for _, scope := range scopes {
		if scope == nil {
			panic(fmt.Sprintf("gormstore: %s was given a nil Scope", caller))
		}
	}
	c.scopes = scopes
}

// session returns the database for the statements of one call, in which all scopes hold.
func (c *core) session(ctx context.Context) (*gorm.DB, error) {
	db := c.db.WithContext(ctx)
	for _, scope := range c.scopes {
		given := scope(ctx, db.Session(&gorm.Session{NewDB: true}))
		if err := refusal(given); err != nil {
			return nil, permanent{err}
		}
		// A group keeps an OR among its conditions.
		db = db.Where(given)
	}
	if len(c.scopes) > 0 {
		db = db.Session(&gorm.Session{})
	}
	return db, nil
}

// refusal returns why what a Scope returned cannot be used, or nil.
func refusal(given *gorm.DB) error {
	if given == nil || given.Statement == nil {
		return errors.New("the Scope returned no database")
	}
	if given.Error != nil {
		return given.Error
	}
	where := given.Statement.Clauses["WHERE"]
	var others []string
	for _, part := range statementParts(given.Statement) {
		if part != "the clause WHERE" {
			others = append(others, part)
		}
	}
	switch conditions, ok := where.Expression.(clause.Where); {
	case len(others) > 0:
		return fmt.Errorf("the Scope added %s, and only conditions hold", strings.Join(others, ", "))
	case !ok || len(conditions.Exprs) == 0:
		return errors.New("the Scope added no condition")
	}
	return nil
}

// refuseConditions panics if db has conditions or other parts of a statement. The
// statements of this package start from a new session without them, so a provider for the
// users of one tenant would find the users of all.
func refuseConditions(db *gorm.DB, caller string) {
	if parts := statementParts(db.Statement); len(parts) > 0 {
		panic(fmt.Sprintf("gormstore: %s was given a *gorm.DB with %s, which it cannot keep in its statements; "+
			"pass a *gorm.DB without them, and conditions with WithScope", caller, strings.Join(parts, ", ")))
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
