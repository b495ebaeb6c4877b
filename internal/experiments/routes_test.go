package experiments_test

import (
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/routes"
)

// mountRoutes adds the routes of package routes.
func mountRoutes(a *testapp.App, r *gin.Engine) { routes.Mount(r, a.Manager, routes.Options{}) }

// newRoutesApp starts an application with the routes of package routes alone,
// whose clients may open as many links as they like. What it says is checked for
// leaks.
func newRoutesApp(t *testing.T, b *testapp.Backend, configure ...func(*ginauth.Config)) *testapp.App {
	t.Helper()
	return testapp.New(t, b, testapp.CheckLeaks(), testapp.OnlyRoutes(mountRoutes), testapp.Configure(func(c *ginauth.Config) {
		c.StoreTimeout = 20 * time.Second // the race detector is slow
		c.Throttle.Address = ginauth.Limit{Attempts: 1000, Per: time.Minute}
		c.Throttle.Register = ginauth.Limit{Attempts: 1000, Per: time.Minute}
	}), testapp.Configure(configure...))
}

func registration(email string) map[string]string {
	return map[string]string{"name": "Ann", "email": email, "password": testapp.NewPassword}
}

// racers is how many requests race: enough to find out, and fewer where the tests
// are to be quick.
func racers() int {
	if testing.Short() {
		return 40
	}
	return 200
}
