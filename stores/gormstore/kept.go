package gormstore

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
)

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
