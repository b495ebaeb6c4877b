package experiments_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/testapp"
)

// writers is how many write at once.
const writers = 32

// login is one session as its user knows it.
type login struct {
	user    int
	session string
	keys    []string
	// logout is what became of the logout: not tried, no answer, done.
	logout state
}

type state int

const (
	untried state = iota
	unknown
	done
)

// ledger holds what an application has acknowledged.
type ledger struct {
	mu     sync.Mutex
	logins []*login
	writes int
}

// counts are numbers of what was acknowledged.
type counts struct{ logins, keys, logouts int }

func (l *ledger) counts() (n counts) {
	for _, in := range l.logins {
		n.logins++
		n.keys += len(in.keys)
		if in.logout == done {
			n.logouts++
		}
	}
	return n
}

// write lets all writers log in, set keys and log out, and calls kill, which ends
// the application or its store, once enough of that was acknowledged. What has
// no answer, or 503, may or may not have been carried out.
func (l *ledger) write(t *testing.T, app func() *testapp.Client, enough int, kill func()) {
	t.Helper()
	killed := make(chan struct{})
	var once sync.Once
	acknowledge := func(note func()) {
		l.mu.Lock()
		note()
		l.writes++
		reached := l.writes >= enough
		l.mu.Unlock()
		if reached {
			once.Do(func() { kill(); close(killed) })
		}
	}
	l.writes = 0
	var group sync.WaitGroup
	for user := range writers {
		group.Go(func() {
			for n := 0; ; n++ {
				err := l.life(app(), &login{user: user}, n, acknowledge)
				if err != nil && !errors.Is(err, errUnknown) {
					t.Errorf("u%d: %v", user, err)
					return
				}
				select {
				case <-killed:
					return
				default:
				}
			}
		})
	}
	group.Wait()
	once.Do(kill)
}

// life is one session, from its login to its end, if it has one. An error other
// than errUnknown is a wrong answer.
func (l *ledger) life(c *testapp.Client, in *login, n int, acknowledge func(func())) error {
	res, err := logIn(c, in.user, testapp.Password)
	if err := expect(res, err, 200); err != nil {
		return err
	}
	in.session = c.Session()
	acknowledge(func() { l.logins = append(l.logins, in) })
	for k := range 1 + n%4 {
		key := fmt.Sprintf("k%d", k)
		res, err := ask(c, "POST", "/set?v=1&k="+key, "")
		if err := expect(res, err, 204); err != nil {
			return err
		}
		acknowledge(func() { in.keys = append(in.keys, key) })
	}
	if (in.user+n)%2 == 1 {
		return nil // stays logged in
	}
	l.mu.Lock()
	in.logout = unknown
	l.mu.Unlock()
	res, err = ask(c, "POST", "/logout", "")
	if err := expect(res, err, 204); err != nil {
		return err
	}
	acknowledge(func() { in.logout = done })
	return nil
}

// expect returns nil for the right status, errUnknown if there is no answer or
// an outage, and another error for any other answer.
func expect(res *testapp.Response, err error, want int) error {
	switch {
	case err != nil:
		return err
	case res.StatusCode == want:
		return nil
	case res.StatusCode == http.StatusServiceUnavailable:
		return errUnknown
	}
	return fmt.Errorf("status %d, want %d", res.StatusCode, want)
}

// check asks the application, which is up again, about each session from the
// number given on.
func (l *ledger) check(t *testing.T, app func() *testapp.Client, from int) {
	t.Helper()
	var next, lost atomic.Int64
	next.Store(int64(from))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(l.logins) {
					return
				}
				if err := l.logins[i].check(app()); err != nil {
					if lost.Add(1) <= 10 {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if lost.Load() > 0 {
		t.Fatalf("%d of %d sessions are not what was acknowledged", lost.Load(), len(l.logins)-from)
	}
}

func (in *login) check(c *testapp.Client) error {
	c = c.With(in.session)
	status, keys, err := look(c, in.user)
	// Connections of before the crash may still be found dead: an outage is no
	// answer, and is over within seconds.
	for end := time.Now().Add(10 * time.Second); err == nil && status == http.StatusServiceUnavailable && time.Now().Before(end); {
		status, keys, err = look(c, in.user)
	}
	switch {
	case err != nil:
		return err
	case in.logout == unknown && status == 401:
		return nil
	case in.logout == done && status != 401:
		return fmt.Errorf("a logout of u%d is lost: status %d", in.user, status)
	case in.logout == done:
		return nil
	case status != 200:
		return fmt.Errorf("a login of u%d is lost: status %d", in.user, status)
	}
	for _, key := range in.keys {
		if keys[key] != "1" {
			return fmt.Errorf("key %s of u%d is lost", key, in.user)
		}
	}
	return nil
}
