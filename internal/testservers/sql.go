package testservers

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Connections is how many connections a database of this package has at most.
const Connections = 20

// Connect opens a database and closes it when the test ends.
func Connect(t testing.TB, dialector gorm.Dialector) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(Connections)
	pool.SetMaxIdleConns(Connections)
	t.Cleanup(func() { _ = pool.Close() })
	return db
}

// PostgresDSN returns a data source name whose schema is the test's own and
// empty.
func PostgresDSN(t testing.TB) string {
	t.Helper()
	server := Address(t, PostgresVariable)
	name := create(t, postgres.Open(server), "CREATE SCHEMA %s", "DROP SCHEMA %s CASCADE")
	switch {
	case !strings.Contains(server, "://"):
		return server + " search_path=" + name
	case strings.Contains(server, "?"):
		return server + "&search_path=" + name
	default:
		return server + "?search_path=" + name
	}
}

// Postgres opens a schema of the test's own.
func Postgres(t testing.TB) *gorm.DB {
	t.Helper()
	return Connect(t, postgres.Open(PostgresDSN(t)))
}

// MySQL opens a database of the test's own, with the collation that confuses
// most letters.
func MySQL(t testing.TB) *gorm.DB {
	t.Helper()
	server := Address(t, MySQLVariable)
	config, err := mysqldriver.ParseDSN(server)
	if err != nil {
		t.Fatal(err)
	}
	config.DBName = create(t, mysql.Open(server),
		"CREATE DATABASE %s CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "DROP DATABASE %s")
	return Connect(t, mysql.Open(config.FormatDSN()))
}

// create creates a database or schema with a new name, and drops it when the
// test ends.
func create(t testing.TB, server gorm.Dialector, statement, drop string) string {
	t.Helper()
	admin := Connect(t, server)
	name := "ginauth_test_" + strings.ToLower(rand.Text()[:12])
	if err := admin.Exec(fmt.Sprintf(statement, name)).Error; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Exec(fmt.Sprintf(drop, name)).Error; err != nil {
			t.Errorf("dropping %s: %v", name, err)
		}
	})
	return name
}

// Behind returns a proxy before the server of a PostgreSQL data source name,
// which is a URL, and the name that leads through it.
func Behind(t testing.TB, dsn string) (p *Proxy, through string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" {
		t.Fatalf("%s has to hold a URL", PostgresVariable)
	}
	p = NewProxy(t, net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "5432")))
	u.Host = p.Address()
	return p, u.String()
}
