package experiments_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// A roundTripJob is a request of a client whose round trips are counted.
type roundTripJob struct {
	name string
	// begin is not counted. It returns the request that is.
	begin  func(a *testapp.App, email string) func() *testapp.Response
	status int
	waits  roundTrips
}

// roundTrips are how often a job waits: with everything in one database, and with users in
// PostgreSQL and the rest in Redis.
type roundTrips struct{ postgres, mysql, users, redis int }

// roundTripJobs are the jobs whose round trips docs/production.md lists.
var roundTripJobs = []roundTripJob{
	// In a database, a login also asks whether its user has too many sessions now. No statement
	// that stores the session can count what parallel logins store.
	{"login", byGuest("/login", credentials), 200, roundTrips{5, 5, 1, 3}},
	{"login, wrong password", byGuest("/login", wrongCredentials), 401, roundTrips{2, 2, 1, 1}},
	{"login, remember", byGuest("/remember", credentials), 204, roundTrips{7, 7, 1, 4}},
	{"login, one session too many", func(a *testapp.App, email string) func() *testapp.Response {
		for range maxSessions {
			a.LoggedIn(email)
		}
		return byGuest("/login", credentials)(a, email)
	}, 200, roundTrips{10, 11, 1, 6}},
	{"logged-in read", byUser("GET", "/me", nil), 200, roundTrips{1, 1, 1, 1}},
	{"session write", byUser("POST", "/set?k=a&v=b", nil), 204, roundTrips{2, 2, 0, 1}},
	{"session write after a read", byUser("POST", "/set?k=n&by=1", nil), 204, roundTrips{2, 2, 0, 2}},
	{"logout", byUser("POST", "/logout", nil), 204, roundTrips{2, 2, 0, 2}},
	{"token pair", byGuest("/api/login", credentials), 200, roundTrips{5, 5, 1, 3}},
	{"API read", func(a *testapp.App, email string) func() *testapp.Response {
		pair := a.IssueTokens(email)
		return func() *testapp.Response { return a.Bearer(pair.AccessToken).Get("/api/me") }
	}, 200, roundTrips{1, 1, 1, 1}},
	{"refresh", func(a *testapp.App, email string) func() *testapp.Response {
		pair, c := a.IssueTokens(email), a.Client()
		return func() *testapp.Response {
			return c.Post("/api/refresh", map[string]string{"refresh_token": pair.RefreshToken})
		}
	}, 200, roundTrips{3, 6, 1, 2}},
	{"register", byGuest("/register", func(email string) any { return registration("new-" + email) }), 201, roundTrips{3, 3, 3, 0}},
	{"change password", byUser("POST", "/password", testapp.Passwords(testapp.Password, testapp.NewPassword)), 204, roundTrips{7, 9, 3, 5}},
	{"devices", byUser("GET", "/devices", nil), 200, roundTrips{2, 2, 1, 3}},
}

func credentials(email string) any      { return testapp.Credentials(email, testapp.Password) }
func wrongCredentials(email string) any { return testapp.Credentials(email, "another password") }

// byGuest is a request of a browser that was not here before.
func byGuest(path string, body func(email string) any) func(*testapp.App, string) func() *testapp.Response {
	return func(a *testapp.App, email string) func() *testapp.Response {
		c := a.Client()
		return func() *testapp.Response { return c.Post(path, body(email)) }
	}
}

// byUser is a request of a logged-in browser.
func byUser(method, path string, body any) func(*testapp.App, string) func() *testapp.Response {
	return func(a *testapp.App, email string) func() *testapp.Response {
		c := a.LoggedIn(email)
		return func() *testapp.Response { return c.Call(method, path, body) }
	}
}

// maxSessions is how many sessions a user has at most.
const maxSessions = 3

// withServers runs a test with everything in PostgreSQL, everything in MariaDB, and users in
// PostgreSQL and the rest in Redis.
func withServers(t *testing.T, test func(t *testing.T, b *testapp.Backend, waits func(roundTrips) []int, servers []*testservers.Proxy)) {
	t.Run("postgres", func(t *testing.T) {
		p, dsn := testservers.Behind(t, testservers.PostgresDSN(t))
		b := testapp.SQL(t, "postgres", testservers.Connect(t, postgres.Open(dsn)))
		test(t, b, func(n roundTrips) []int { return []int{n.postgres} }, []*testservers.Proxy{p})
	})
	t.Run("mysql", func(t *testing.T) {
		p, dsn := testservers.MySQLBehind(t, testservers.MySQLDSN(t))
		b := testapp.SQL(t, "mysql", testservers.Connect(t, mysql.Open(dsn)))
		test(t, b, func(n roundTrips) []int { return []int{n.mysql} }, []*testservers.Proxy{p})
	})
	t.Run("redis", func(t *testing.T) {
		p, dsn := testservers.Behind(t, testservers.PostgresDSN(t))
		b := testapp.SQL(t, "redis", testservers.Connect(t, postgres.Open(dsn)))
		cache, client, prefix := testservers.RedisBehind(t)
		b.Set = redisstore.New(client, redisstore.WithPrefix(prefix))
		test(t, b, func(n roundTrips) []int { return []int{n.users, n.redis} }, []*testservers.Proxy{p, cache})
	})
}

// TestRoundTrips counts how often each job waits for its servers. A statement is prepared when a
// connection first uses it, or before its second transaction, so the third time counts. The
// servers answer late: what is sent at the same time is one wait. On a busy machine it may be sent
// too late for that, which another try shows. One user does one job.
func TestRoundTrips(t *testing.T) {
	withServers(t, func(t *testing.T, b *testapp.Backend, waits func(roundTrips) []int, servers []*testservers.Proxy) {
		a, plain := testapp.New(t, b), plainUsers(b)
		for _, p := range servers {
			p.SetDelay(10 * time.Millisecond)
		}
		for i, job := range roundTripJobs {
			t.Run(job.name, func(t *testing.T) {
				want, got := waits(job.waits), []int(nil)
				for again := 0; again < 3 || again < 8 && slices.Compare(got, want) > 0; again++ {
					job.run(t, a, fmt.Sprintf("user%d-%d@example.com", i, again), func(request func()) {
						setAll(servers, testservers.Slow)
						defer setAll(servers, testservers.Forward)
						got = waited(servers)
						request()
						for k, n := range waited(servers) {
							got[k] = n - got[k]
						}
					}, plain)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s waits %d times for each server, want %d", job.name, got, want)
				}
			})
			a.Clock.Advance(time.Hour) // no limit of one job counts in the next
		}
	})
}

// plainUsers configures the provider as applications do. That of the tests embeds it, and is
// therefore asked for each user.
func plainUsers(b *testapp.Backend) func(*ginauth.Config) {
	users := gormstore.Users[models.User](b.DB)
	return func(c *ginauth.Config) { c.Users, c.Session.MaxPerUser = users, maxSessions }
}

// run makes a new user do a job, in a process of its own: its background work ends with it.
// Around is given the request itself.
func (job roundTripJob) run(t *testing.T, a *testapp.App, email string, around func(request func()), change ...func(*ginauth.Config)) {
	t.Helper()
	a.AddUser("Ann", email, testapp.Password)
	process := a.Sibling(change...)
	request := job.begin(process, email)
	around(func() { request().Want(t, job.status) })
	if err := process.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestDistantServers runs each job with the default StoreTimeout and servers that are 40 ms
// away.
func TestDistantServers(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for slow connections")
	}
	withServers(t, func(t *testing.T, b *testapp.Backend, _ func(roundTrips) []int, servers []*testservers.Proxy) {
		a, plain := testapp.New(t, b), plainUsers(b)
		for _, p := range servers {
			p.SetDelay(40 * time.Millisecond)
		}
		for i, job := range roundTripJobs {
			t.Run(job.name, func(t *testing.T) {
				for again := range 3 {
					job.run(t, a, fmt.Sprintf("user%d-%d@example.com", i, again), func(request func()) {
						if again == 2 {
							setAll(servers, testservers.Slow)
							defer setAll(servers, testservers.Forward)
						}
						request()
					}, plain, testapp.StoreTime(0))
				}
			})
			a.Clock.Advance(time.Hour)
		}
	})
}

func setAll(servers []*testservers.Proxy, m testservers.Mode) {
	for _, p := range servers {
		p.Set(m)
	}
}

func waited(servers []*testservers.Proxy) []int {
	counts := make([]int, len(servers))
	for i, p := range servers {
		counts[i] = p.Waits()
	}
	return counts
}

// TestRoundTripTable compares the table of docs/production.md with the jobs.
func TestRoundTripTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/production.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range roundTripJobs {
		n := job.waits
		line := fmt.Sprintf("| %s | %d | %d | %d + %d |\n", job.name, n.postgres, n.mysql, n.users, n.redis)
		if !bytes.Contains(page, []byte(line)) {
			t.Errorf("docs/production.md lacks the line %q", line)
		}
	}
}
