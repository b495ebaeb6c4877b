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

// Connections is the maximum number of connections to a database of this
// package.
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

// PostgresDSN returns a data source name with a new, empty schema for the test.
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

// Postgres opens a new schema for the test.
func Postgres(t testing.TB) *gorm.DB {
	t.Helper()
	return Connect(t, postgres.Open(PostgresDSN(t)))
}

// MySQL opens a new database for the test, with the collation that treats the
// most letters as equal.
func MySQL(t testing.TB) *gorm.DB {
	t.Helper()
	return Connect(t, mysql.Open(MySQLDSN(t)))
}

// MySQLDSN returns a data source name with a new, empty database for the test.
func MySQLDSN(t testing.TB) string {
	t.Helper()
	server := Address(t, MySQLVariable)
	config, err := mysqldriver.ParseDSN(server)
	if err != nil {
		t.Fatal(err)
	}
	config.DBName = create(t, mysql.Open(server),
		"CREATE DATABASE %s CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "DROP DATABASE %s")
	return config.FormatDSN()
}

// create creates a database or schema with a new name. It is dropped when the
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

// MySQLBehind returns a proxy for the server of a MySQL data source name, and the data source
// name that uses the proxy.
func MySQLBehind(t testing.TB, dsn string) (p *Proxy, through string) {
	t.Helper()
	config, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p = NewProxy(t, config.Addr)
	config.Addr = p.Address()
	return p, config.FormatDSN()
}

// Behind returns a proxy for the server of a PostgreSQL data source name, which
// must be a URL, and the data source name that uses the proxy.
func Behind(t testing.TB, dsn string) (p *Proxy, through string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil || u.Host == "" {
		t.Fatalf("%s must be a URL", PostgresVariable)
	}
	p = NewProxy(t, net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "5432")))
	u.Host = p.Address()
	return p, u.String()
}
