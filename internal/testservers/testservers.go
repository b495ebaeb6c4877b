// Package testservers opens databases and Redis servers for the tests of this
// module. The environment contains the addresses of the servers. Tests whose
// server is missing are skipped. Tests use databases, schemas and keys with
// unique names, which are deleted when the test ends.
package testservers

import (
	"os"
	"testing"
)

// The environment variables with the addresses of the servers.
const (
	PostgresVariable = "GINAUTH_TEST_POSTGRES"
	MySQLVariable    = "GINAUTH_TEST_MYSQL"
	RedisVariable    = "GINAUTH_TEST_REDIS"
)

// Address returns the address in an environment variable. If it is not set,
// Address skips the test with a message that begins with "needs GINAUTH_TEST_".
func Address(t testing.TB, variable string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Skipf("needs %s", variable)
	}
	return address
}
