package gormstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// refusing is a connection pool that refuses some statements.
type refusing struct {
	*sql.DB
	refuse func(query string) error
}

func (p *refusing) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := p.refuse(query); err != nil {
		return nil, err
	}
	return p.DB.ExecContext(ctx, query, args...)
}

func (p *refusing) BeginTx(ctx context.Context, options *sql.TxOptions) (gorm.ConnPool, error) {
	return p.DB.BeginTx(ctx, options)
}

// GetDBConn lets GORM find the pool.
func (p *refusing) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// onMySQL runs a test on MySQL, the one server on which a token and its root take two statements.
func onMySQL(t *testing.T, test func(t *testing.T, db *gorm.DB, pool *sql.DB)) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		if db.Name() != "mysql" {
			t.Skip("one statement stores both, or a transaction")
		}
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		test(t, db, pool)
	})
}

// TestJoinRefused ends the statement that stores the token of a root, which another one of the same
// call has stored, by a deadlock.
func TestJoinRefused(t *testing.T) {
	onMySQL(t, func(t *testing.T, db *gorm.DB, pool *sql.DB) {
		joins := 0
		p := &refusing{pool, func(query string) error {
			if !strings.Contains(query, "INSERT INTO `auth_tokens`") {
				return nil
			}
			if joins++; joins > 1 {
				return nil
			}
			return &mysqldriver.MySQLError{Number: 1213, SQLState: [5]byte([]byte("40001")), Message: "Deadlock found"}
		}}
		tokens := gormstore.New(connect(t, mysql.New(mysql.Config{Conn: p}))).Tokens
		created, ended, err := tokens.(stores.TokenLimit).CreateLimited(t.Context(), now, newToken(), stores.FamilyLimit{Families: 2})
		if !created || len(ended) > 0 || err != nil || joins != 2 {
			t.Errorf("%v, ends %v, error %v after %d joins; want true after 2", created, ended, err, joins)
		}
		_, _, err = tokens.(stores.TokenLimit).CreateLimited(t.Context(), now, newToken(), stores.FamilyLimit{Families: 2})
		if !errors.Is(err, stores.ErrExists) {
			t.Errorf("the same token again: %v", err)
		}
	})
}

// TestClientGoneBeforeItsToken ends the context of a call once the root is stored.
func TestClientGoneBeforeItsToken(t *testing.T) {
	onMySQL(t, func(t *testing.T, db *gorm.DB, pool *sql.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		p := &refusing{pool, func(query string) error {
			if strings.Contains(query, "INSERT INTO `auth_tokens`") {
				cancel()
			}
			return nil
		}}
		tokens := gormstore.New(connect(t, mysql.New(mysql.Config{Conn: p}))).Tokens
		given := newToken()
		_, _, err := tokens.(stores.TokenLimit).CreateLimited(ctx, now, given, stores.FamilyLimit{Families: 2})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want none or that the call was canceled", err)
		}
		family, found, err := gormstore.New(db).Tokens.Family(t.Context(), now, given.Family)
		if !found || !family.Usable || err != nil {
			t.Errorf("a family without its token: %+v, %v, error %v", family, found, err)
		}
	})
}

// TestEndedBeforeItsToken lets another call end a family whose root is stored, and whose token is not.
func TestEndedBeforeItsToken(t *testing.T) {
	onMySQL(t, func(t *testing.T, db *gorm.DB, pool *sql.DB) {
		others, one := gormstore.New(db).Tokens, stores.FamilyLimit{Families: 1}
		p := &refusing{pool, func(query string) error {
			if strings.Contains(query, "INSERT INTO `auth_tokens`") {
				other := newToken()
				other.ID, other.Family = strings.Repeat("0", 32), strings.Repeat("0", 32)
				created, ended, err := others.(stores.TokenLimit).CreateLimited(t.Context(), now, other, one)
				if !created || len(ended) != 1 || err != nil {
					t.Errorf("the other call: %v, ends %v, error %v; want true, one", created, ended, err)
				}
			}
			return nil
		}}
		tokens := gormstore.New(connect(t, mysql.New(mysql.Config{Conn: p}))).Tokens
		created, ended, err := tokens.(stores.TokenLimit).CreateLimited(t.Context(), now, newToken(), one)
		if !created || len(ended) > 0 || err != nil {
			t.Errorf("%v, ends %v, error %v; want true, as on other engines", created, ended, err)
		}
		if lives, err := others.Lives(t.Context(), now, row, strings.Repeat("0", 32)); err != nil || lives[0] == stores.Alive || lives[1] != stores.Alive {
			t.Errorf("lives %v, error %v", lives, err)
		}
	})
}

// TestTokenRefusedEndsNothing never stores the token of a root, while the owner has another family.
func TestTokenRefusedEndsNothing(t *testing.T) {
	onMySQL(t, func(t *testing.T, db *gorm.DB, pool *sql.DB) {
		others, one := gormstore.New(db).Tokens, stores.FamilyLimit{Families: 1}
		first := newToken()
		if _, _, err := others.(stores.TokenLimit).CreateLimited(t.Context(), now, first, one); err != nil {
			t.Fatal(err)
		}
		p := &refusing{pool, func(query string) error {
			if !strings.Contains(query, "INSERT INTO `auth_tokens`") {
				return nil
			}
			return &mysqldriver.MySQLError{Number: 1213, SQLState: [5]byte([]byte("40001")), Message: "Deadlock found"}
		}}
		tokens := gormstore.New(connect(t, mysql.New(mysql.Config{Conn: p}))).Tokens
		second := newToken()
		second.ID, second.Family = strings.Repeat("0", 32), strings.Repeat("0", 32)
		created, ended, err := tokens.(stores.TokenLimit).CreateLimited(t.Context(), now, second, one)
		if created || len(ended) > 0 || err == nil {
			t.Errorf("%v, ends %v, error %v; want an error", created, ended, err)
		}
		if lives, err := others.Lives(t.Context(), now, first.Family); err != nil || lives[0] != stores.Alive {
			t.Errorf("lives %v, error %v", lives, err)
		}
	})
}

// TestSafeUpdates ends most of the families in a database that refuses to change rows which it does
// not find by a key.
func TestSafeUpdates(t *testing.T) {
	onMySQL(t, func(t *testing.T, db *gorm.DB, pool *sql.DB) {
		pool.SetMaxOpenConns(1)
		if err := db.Exec("SET SESSION sql_safe_updates = 1").Error; err != nil {
			t.Fatal(err)
		}
		tokens := gormstore.New(db).Tokens
		for i, limit := range []int{3, 3, 3, 1} {
			next := newToken()
			next.ID = fmt.Sprintf("%032x", i)
			next.Family = next.ID
			created, ended, err := tokens.(stores.TokenLimit).CreateLimited(t.Context(), now, next, stores.FamilyLimit{Families: limit})
			if !created || len(ended) != max(0, i+1-limit) || err != nil {
				t.Errorf("family %d of %d: %v, ends %v, error %v", i+1, limit, created, ended, err)
			}
		}
	})
}
