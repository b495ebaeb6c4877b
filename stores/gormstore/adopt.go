package gormstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/models"
)

// Adopted is what Adopt did.
type Adopted struct {
	// Rows is the number of rows, and Changed of those that were changed.
	Rows, Changed int
	// Problems are the rows whose users cannot log in by an identifier, at most 1000 of
	// them. Others is how many more there are.
	Problems []RowProblem
	Others   int
}

// RowProblem is a row whose user cannot log in by an identifier.
type RowProblem struct {
	// Key is the primary key, as fmt.Sprint writes it.
	Key string
	// Credential is the identifier that is wrong, as in "email".
	Credential string
	// Problem says what is wrong. It does not contain the identifier.
	Problem string
}

// maxProblems is how many rows Adopt names.
const maxProblems = 1000

// Why a row cannot log in.
const (
	noForm    = "has no canonical form: it is empty, too long, or has white space or invisible characters"
	twoOfForm = "has the same canonical form as that of another row"
)

// Adopt prepares an existing table with rows for Users with the same options. It
//
//   - adds the columns of the model U that the table lacks. A number or a text without NULL gets the
//     zero value in the rows and as the default of the column, so that an application that does not
//     know the column can add rows. What is neither gets NULL;
//   - stores the canonical form of every identifier, and a security stamp in every row without;
//   - creates the indexes of the model that the table lacks.
//
// It changes no other column and deletes nothing. The application may run meanwhile. It takes
// 500 rows at a time, and can be repeated: after the first run, or after one that was interrupted,
// it changes what has to be changed still. After it db.AutoMigrate does not fail because of
// rows, unless there are problems.
//
// Rows without a canonical form, and rows that have the same one, are problems: their canonical
// column stays NULL, and their users cannot log in until somebody has changed the rows and Adopt
// has run again. A row that has had its canonical form keeps it when another row gets the same
// identifier. If the model has no column for the canonical form, identifiers themselves are
// replaced by it, and problems stay as they are.
//
// Two processes must not run it at the same time. Adopt panics where Users does.
func Adopt[U any, P interface {
	*U
	models.Authenticatable
}](ctx context.Context, db *gorm.DB, opts ...UserOption) (Adopted, error) {
	s := Users[U, P](db, opts...)
	a := adoption[U, P]{UserStore: s}
	err := a.addColumns(ctx)
	if err == nil {
		err = a.countForms(ctx)
	}
	if err == nil {
		err = a.eachBatch(ctx, a.completeRows)
	}
	if err == nil {
		err = a.addIndexes(ctx)
	}
	return a.result, fault(ctx, "adopt users", err)
}

// adoption is one run of Adopt.
type adoption[U any, P interface {
	*U
	models.Authenticatable
}] struct {
	*UserStore[U, P]
	// twice holds, by identifier, the digests of the forms that several rows want.
	twice  []map[uint64]bool
	result Adopted
}

// addColumns adds the columns that the table lacks. They have a default or accept NULL.
func (a *adoption[U, P]) addColumns(ctx context.Context) error {
	db, m := a.db.WithContext(ctx), a.db.WithContext(ctx).Migrator()
	if !m.HasTable(new(U)) {
		return errors.New("the table does not exist")
	}
	for _, f := range a.key.field.Schema.Fields {
		if f.DBName == "" || f.IgnoreMigration || m.HasColumn(new(U), f.DBName) {
			continue
		}
		column := *f
		kind, zero := m.FullDataTypeOf(f).SQL, ""
		switch {
		case slices.ContainsFunc(a.fields.identifiers, func(id identifier) bool { return id.lookup == f }):
			column.NotNull = false // the rows have no canonical form yet
		case !f.NotNull || f.HasDefaultValue:
		case f.DataType == schema.Int || f.DataType == schema.Uint || f.DataType == schema.Float:
			zero = " DEFAULT 0"
		case f.DataType == schema.String && (a.dialect != mysql || strings.HasPrefix(kind, "varchar")):
			zero = " DEFAULT ''" // in MySQL a longer text has none
		case f.DataType != schema.String:
			column.NotNull = false
		}
		table := clause.Table{Name: a.key.field.Schema.Table}
		name := clause.Column{Name: f.DBName}
		err := db.Exec("ALTER TABLE ? ADD COLUMN ? ?"+zero, table, name, m.FullDataTypeOf(&column)).Error
		if err != nil {
			return fmt.Errorf("add column %s: %w", f.DBName, err)
		}
	}
	return nil
}

// eachBatch calls f with all rows, in batches, by their keys.
func (a *adoption[U, P]) eachBatch(ctx context.Context, f func(ctx context.Context, rows []U) error) error {
	columns := []string{a.key.field.DBName}
	for _, id := range a.fields.identifiers {
		columns = append(columns, id.source.DBName, id.lookup.DBName)
	}
	if a.fields.stamp != nil {
		columns = append(columns, a.fields.stamp.DBName)
	}
	var last any
	for {
		var rows []U
		err := a.read(ctx, "read rows", func(db *gorm.DB) error {
			query := db.Session(&gorm.Session{SkipHooks: true}).Unscoped().Select(columns)
			if last != nil {
				query = query.Where(clause.Gt{Column: columnOf(a.key.field), Value: last})
			}
			return query.Order(clause.OrderByColumn{Column: columnOf(a.key.field)}).Limit(pruneBatch).Find(&rows).Error
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := f(ctx, rows); err != nil {
			return err
		}
		last = a.keyOf(ctx, &rows[len(rows)-1])
	}
}

func (a *adoption[U, P]) keyOf(ctx context.Context, row *U) any {
	key, _ := a.key.field.ValueOf(ctx, reflect.ValueOf(row).Elem())
	return key
}

// wanted returns the canonical form that a row has to get for an identifier. It returns false
// if there is none, and "" if the row has it.
func (a *adoption[U, P]) wanted(ctx context.Context, id identifier, row *U) (form string, ok bool) {
	form, err := id.canonical(textOf(ctx, id.source, row))
	if err != nil {
		return "", false
	}
	if textOf(ctx, id.lookup, row) == form {
		return "", true
	}
	return form, true
}

// shortDigest stands for a form while forms are counted. Two forms with the same one are taken
// for the same, which takes billions of rows.
func shortDigest(form string) uint64 {
	sum := sha256.Sum256([]byte(form))
	return binary.BigEndian.Uint64(sum[:])
}

// countForms finds the forms that several rows want, or that one row wants and another has.
func (a *adoption[U, P]) countForms(ctx context.Context) error {
	wanted, had := make([][]uint64, len(a.fields.identifiers)), make([][]uint64, len(a.fields.identifiers))
	err := a.eachBatch(ctx, func(ctx context.Context, rows []U) error {
		for r := range rows {
			for i, id := range a.fields.identifiers {
				if form, ok := a.wanted(ctx, id, &rows[r]); form != "" {
					wanted[i] = append(wanted[i], shortDigest(form))
				} else if ok {
					had[i] = append(had[i], shortDigest(textOf(ctx, id.lookup, &rows[r])))
				}
			}
		}
		return nil
	})
	for i := range wanted {
		slices.Sort(wanted[i])
		slices.Sort(had[i])
		twice := make(map[uint64]bool)
		for n, d := range wanted[i] {
			_, other := slices.BinarySearch(had[i], d)
			if other || n > 0 && d == wanted[i][n-1] {
				twice[d] = true
			}
		}
		a.twice = append(a.twice, twice)
	}
	return err
}

// rowChange is what a row has to get.
type rowChange struct {
	key     any
	columns map[string]any
	// guards are the conditions that the row has not changed meanwhile.
	guards []clause.Expression
	forms  []string // the credentials among the columns
}

// completeRows stores what rows lack: all in one transaction or, if that fails, one after the
// other.
func (a *adoption[U, P]) completeRows(ctx context.Context, rows []U) error {
	var changes []rowChange
	for i := range rows {
		a.result.Rows++
		if c := a.changeOf(ctx, &rows[i]); len(c.columns) > 0 {
			changes = append(changes, c)
		}
	}
	n := 0
	err := a.transact(ctx, "complete rows", true, func(tx *gorm.DB) (bool, error) {
		n = 0
		for _, c := range changes {
			changed, err := a.store(tx, c)
			if err != nil {
				return false, permanent{err}
			}
			n += changed
		}
		return true, nil
	})
	if err == nil {
		a.result.Changed += n
		return nil
	}
	for _, c := range changes {
		if err := a.completeOne(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// completeOne stores what one row lacks. If another row has its identifier, it gets the rest.
func (a *adoption[U, P]) completeOne(ctx context.Context, c rowChange) error {
	err := a.change(ctx, "complete row", func(db *gorm.DB) error {
		n, err := a.store(db, c)
		if err != nil && a.duplicate(err) {
			return permanent{models.ErrTaken}
		}
		a.result.Changed += n
		return err
	})
	if !errors.Is(err, models.ErrTaken) {
		return err
	}
	for _, id := range a.fields.identifiers {
		if slices.Contains(c.forms, id.credential) {
			a.problem(c.key, id.credential, twoOfForm)
			delete(c.columns, id.lookup.DBName)
		}
	}
	c.forms = nil
	if len(c.columns) == 0 {
		return nil
	}
	return a.completeOne(ctx, c)
}

func (a *adoption[U, P]) store(db *gorm.DB, c rowChange) (int, error) {
	query := db.Session(&gorm.Session{SkipHooks: true}).Unscoped().Model(new(U)).Where(a.key.is(a.core, c.key))
	for _, guard := range c.guards {
		query = query.Where(guard)
	}
	answer := query.UpdateColumns(c.columns)
	return int(answer.RowsAffected), answer.Error
}

func (a *adoption[U, P]) changeOf(ctx context.Context, row *U) rowChange {
	c := rowChange{key: a.keyOf(ctx, row), columns: make(map[string]any)}
	for i, id := range a.fields.identifiers {
		form, ok := a.wanted(ctx, id, row)
		switch {
		case !ok && id.optional && textOf(ctx, id.source, row) == "":
		case !ok:
			a.problem(c.key, id.credential, noForm)
		case form == "":
		case a.twice[i][shortDigest(form)]:
			a.problem(c.key, id.credential, twoOfForm)
		default:
			c.columns[id.lookup.DBName] = form
			c.forms = append(c.forms, id.credential)
			c.guards = append(c.guards, a.same(columnOf(id.source), textOf(ctx, id.source, row)))
		}
	}
	if stamp := a.fields.stamp; stamp != nil && textOf(ctx, stamp, row) == "" {
		var random [16]byte
		rand.Read(random[:]) // never fails
		c.columns[stamp.DBName] = hex.EncodeToString(random[:])
		c.guards = append(c.guards, a.holds(stamp, ""))
	}
	return c
}

func (a *adoption[U, P]) problem(key any, credential, why string) {
	if len(a.result.Problems) >= maxProblems {
		a.result.Others++
		return
	}
	a.result.Problems = append(a.result.Problems, RowProblem{fmt.Sprint(key), credential, why})
}

// addIndexes creates the indexes that the table lacks.
func (a *adoption[U, P]) addIndexes(ctx context.Context) error {
	m := a.db.WithContext(ctx).Migrator()
	for _, index := range a.key.field.Schema.ParseIndexes() {
		if m.HasIndex(new(U), index.Name) {
			continue
		}
		if err := m.CreateIndex(new(U), index.Name); err != nil {
			return fmt.Errorf("create index %s: %w", index.Name, err)
		}
	}
	return nil
}
