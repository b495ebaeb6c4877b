// Package testservers opens databases and Redis servers for the tests of this
// module. A test that needs a server finds its address in the environment, and
// is skipped without it. What a test creates is its own, has a name that nothing
// else has, and is deleted when the test ends.
package testservers

import (
	"os"
	"testing"
)

// The environment variables that hold the addresses of servers.
const (
	PostgresVariable = "GINAUTH_TEST_POSTGRES"
	MySQLVariable    = "GINAUTH_TEST_MYSQL"
	RedisVariable    = "GINAUTH_TEST_REDIS"
)

// Address returns the address that an environment variable holds, or skips the
// test with a message that begins "needs GINAUTH_TEST_".
func Address(t testing.TB, variable string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Skipf("needs %s", variable)
	}
	return address
}
