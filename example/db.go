package main

import (
	"fmt"
	"net/url"
	"strings"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// dialector returns the GORM dialector for the flag -db:
// postgres://user:password@host/database, mysql://user:password@host/database,
// or the name of a SQLite file.
func dialector(source string) (gorm.Dialector, error) {
	scheme, _, found := strings.Cut(source, "://")
	if !found {
		return openSQLite(source), nil
	}
	switch scheme {
	case "postgres", "postgresql":
		return postgres.Open(source), nil
	case "mysql":
		dsn, err := mysqlDSN(source)
		return mysql.Open(dsn), err
	}
	return nil, fmt.Errorf("-db: unknown scheme %q: use postgres or mysql", scheme)
}

// mysqlDSN converts a URL to the data source name of the driver.
func mysqlDSN(source string) (string, error) {
	u, err := url.Parse(source)
	if err != nil {
		return "", fmt.Errorf("-db: not a URL") // the error would quote the password
	}
	host := u.Host
	if u.Port() == "" {
		host += ":3306"
	}
	password, _ := u.User.Password()
	return fmt.Sprintf("%s:%s@tcp(%s)%s?parseTime=true&charset=utf8mb4", u.User.Username(), password, host, u.Path), nil
}

// connections is the maximum number of connections to the database.
const connections = 20

// keepConnections keeps all connections open. By default, database/sql keeps
// only two idle connections, so that a busy server opens and closes a
// connection for almost every request.
func keepConnections(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return nil
}
