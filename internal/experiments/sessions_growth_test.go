package experiments_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/stores"
)

// limited starts an application in which a user may have that many sessions, on a store of
// sessions. In their cookies, nothing knows how many there are.
func limited(t *testing.T, b *testapp.Backend, limit int) *testapp.App {
	t.Helper()
	if b.Set.ClientSessions != nil {
		t.Skip("sessions in cookies are not stored")
	}
	return testapp.New(t, b, testapp.Configure(testapp.Unlimited, testapp.StoreTime(time.Minute), func(c *ginauth.Config) {
		c.Refresh.Rotations = ginauth.Limit{Attempts: 1_000_000, Per: time.Hour} // here the number of sessions is what is limited
		c.Session.MaxPerUser = limit
	}))
}

// sessionsOf counts the stored sessions of a user.
func sessionsOf(t *testing.T, b *testapp.Backend, owner string) int {
	t.Helper()
	rows, err := b.Set.Sessions.(stores.SessionIndex).SessionsOf(t.Context(), owner, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return len(rows)
}

// TestParallelLoginsKeepTheLimit logs one user in many times at once. Of the sessions, exactly
// as many stay as a user may have, and each other one has its event. The clock stands still, so
// that none is older than another.
func TestParallelLoginsKeepTheLimit(t *testing.T) { // B02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		logins, limit := 300, 100
		if testing.Short() {
			logins, limit = 60, 20
		}
		a := limited(t, b, limit)
		bob := a.LoggedIn(testapp.Bob)
		clients := make([]*testapp.Client, logins)
		for i := range clients {
			clients[i] = a.Client()
			if i%2 == 0 { // in a session that exists already
				clients[i].Post("/set?k=cart&v=full", nil).Want(t, 204)
			}
		}
		a.Race(logins, func(i int) { clients[i].LogIn(testapp.Alice, testapp.Password).Want(t, 200) })
		if n := sessionsOf(t, b, "users:1"); n != limit {
			t.Errorf("%d logins at once leave %d sessions, want %d", logins, n, limit)
		}
		alive := 0
		for _, c := range clients {
			switch status := c.Get("/me").StatusCode; status {
			case 200:
				alive++
			case 401:
			default:
				t.Errorf("GET /me: status %d", status)
			}
		}
		if alive != limit {
			t.Errorf("%d of the clients are logged in, want %d", alive, limit)
		}
		testapp.WantEvents[events.SessionEvicted](a, logins-limit)
		bob.Get("/me").Want(t, 200)
	})
}

// TestSessionsOfOneClientStayBounded lets one client do over and over what makes sessions. Its
// user never has more of them than allowed, and the heap does not grow with the repetitions.
func TestSessionsOfOneClientStayBounded(t *testing.T) { // B01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		const limit = 10
		a := limited(t, b, limit)
		a.Events.Clear()
		bob := a.LoggedIn(testapp.Bob)
		remembered := a.Remembered(testapp.Alice)
		loops := map[string]func(){
			"login": func() { a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200) },
			"remember cookie alone": func() {
				remembered = remembered.Only(testapp.RememberCookie)
				remembered.Get("/me").Want(t, 200)
			},
			"login and logout": func() {
				c := a.LoggedIn(testapp.Alice)
				c.Post("/logout", nil).Want(t, 204)
			},
		}
		for name, once := range loops {
			repeat := func(n int) (heap uint64) {
				for range n {
					a.Clock.Advance(time.Millisecond)
					once()
				}
				a.Events.Clear()
				return heapInUse()
			}
			before := repeat(2 * limit)
			after := repeat(testsize.Of(100_000, 200))
			if n := sessionsOf(t, b, "users:1"); n > limit {
				t.Errorf("%s: the user has %d sessions, want at most %d", name, n, limit)
			}
			if testsize.Full() && after > before+32<<20 {
				t.Errorf("%s: the heap has grown from %d to %d MiB", name, before>>20, after>>20)
			}
			bob.Get("/me").Want(t, 200)
		}
	})
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// TestEndedSessionsLeaveNothing ends sessions by logout and by the limit. No store keeps
// anything that names them, apart from marks in Redis that expire soon.
func TestEndedSessionsLeaveNothing(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := limited(t, b, 1)
		var rows []string
		for i := range 6 {
			a.Clock.Advance(time.Second)
			c := a.LoggedIn(testapp.Alice)
			rows = append(rows, testapp.RowOf(t, c))
			if i%2 == 1 {
				c.Post("/logout", nil).Want(t, 204)
			}
		}
		a.LoggedIn(testapp.Bob)
		for _, row := range rows {
			if _, found, err := b.Set.Sessions.Load(t.Context(), row); found || err != nil {
				t.Errorf("session %s: found %v, error %v", row, found, err)
			}
		}
		if b.DB == nil && b.Redis == nil && b.Dir == "" {
			return // in memory, where the heap is measured
		}
		if b.Redis != nil {
			marks := testservers.RedisKeys(t, b.Redis, b.Prefix+"sd:")
			for _, key := range marks {
				if left := b.Redis.PTTL(t.Context(), key).Val(); left <= 0 || left > stores.DeletedFor {
					t.Errorf("a mark expires in %v", left)
				}
				b.Redis.Del(t.Context(), key)
			}
			if len(marks) != len(rows) {
				t.Errorf("%d sessions are marked as deleted, want %d", len(marks), len(rows))
			}
		}
		dump := b.Dump(t)
		for _, row := range rows {
			if strings.Contains(dump, row) {
				t.Errorf("the store still names session %s", row)
			}
		}
	})
}
