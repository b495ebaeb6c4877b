package gormstore_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// TestConditionsAreRefused checks that no part of a statement is dropped in silence.
func TestConditionsAreRefused(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := open(t)
		for part, given := range map[string]*gorm.DB{
			"the clause WHERE":    db.Where("tenant_id = ?", 1),
			"the clause FOR":      db.Clauses(clause.Locking{Strength: "UPDATE"}),
			"the clause ORDER BY": db.Order("id"),
			"the clause LIMIT":    db.Limit(1),
			"Table":               db.Table("people"),
			"Model":               db.Model(&models.User{}),
			"Scopes":              db.Scopes(func(db *gorm.DB) *gorm.DB { return db.Where("tenant_id = ?", 1) }),
			"Unscoped":            db.Unscoped(),
			"Select":              db.Select("id"),
			"Omit":                db.Omit("password"),
			"MapColumns":          db.MapColumns(map[string]string{"email": "login"}),
			"Distinct":            db.Distinct(),
			"Joins":               db.Joins("Company"),
			"Preload":             db.Preload("Company"),
		} {
			given = given.Session(&gorm.Session{})
			for caller, call := range map[string]func(){
				"Users":   func() { gormstore.Users[models.User](given) },
				"Find":    func() { gormstore.Find[models.User](given) },
				"New":     func() { gormstore.New(given) },
				"Migrate": func() { _ = gormstore.Migrate(t.Context(), given) },
			} {
				t.Run(caller+" with "+part, func(t *testing.T) {
					defer func() {
						got := fmt.Sprint(recover())
						if !strings.Contains(got, caller+" was given") || !strings.Contains(got, part) {
							t.Errorf("panic %q does not name %s and %q", got, caller, part)
						}
					}()
					call()
				})
			}
		}
	})
}

// TestSessionsOfGORMAreAccepted checks that settings which are no part of a statement are
// not refused.
func TestSessionsOfGORMAreAccepted(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		for _, given := range []*gorm.DB{
			db, db.Debug(), db.WithContext(t.Context()), db.Session(&gorm.Session{PrepareStmt: true}),
		} {
			gormstore.New(given)
			gormstore.Users[models.User](given)
			gormstore.Find[models.User](given)
		}
	})
}
