package gormstore_test

import (
	"context"
	"database/sql"
	"errors"
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

// TestJoinRefused ends the statement that stores the token of a root, which another one of the same
// call has stored, by a deadlock.
func TestJoinRefused(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		if db.Name() != "mysql" {
			t.Skip("one statement stores both, or a transaction")
		}
		pool, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
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
