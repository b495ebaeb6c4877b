package ginauth_test

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// plainNames are users who log in with a name and have an address that they cannot log in with.
type plainNames struct{ namedUsers }

func (p plainNames) LoginFields() []string { return []string{"name"} }

func (p plainNames) ManyIdentifiers() bool { return false }

func (p plainNames) CanonicalIdentifier(field, value string) (string, error) {
	if field == "email" {
		return "", models.ErrUnknownField
	}
	return p.namedUsers.CanonicalIdentifier(field, value)
}

// guess is a way to guess a password with an identifier, by a client who may be logged in.
type guess struct{ door, guard, field, value string }

func (g guess) path() string {
	return "/guess/" + g.door + "?" + url.Values{"guard": {g.guard}, "field": {g.field}, "value": {g.value}}.Encode()
}

// mountGuesses adds the doors at which passwords are guessed.
func mountGuesses(a *testapp.App, r *gin.Engine) {
	const wrong = "wrong"
	r.Use(a.StartSession())
	users := a.Auth("web")
	door := func(name string, call func(context.Context, *ginauth.Authenticator, *gin.Context) error, before ...gin.HandlerFunc) {
		r.POST("/guess/"+name, append(before, func(c *gin.Context) {
			auth := ginauth.From(c)
			if name := c.Query("guard"); name != "" {
				auth = auth.Guard(name)
			}
			if err := call(c.Request.Context(), auth, c); err != nil {
				ginauth.Abort(c, err)
			}
		})...)
	}
	credentials := func(c *gin.Context) ginauth.Credentials {
		return ginauth.Credentials{c.Query("field"): c.Query("value"), "password": wrong}
	}
	door("attempt", func(ctx context.Context, auth *ginauth.Authenticator, c *gin.Context) error {
		_, err := auth.Attempt(ctx, credentials(c))
		return err
	})
	door("once", func(ctx context.Context, auth *ginauth.Authenticator, c *gin.Context) error {
		_, err := auth.Once(ctx, credentials(c))
		return err
	})
	door("throttle", func(ctx context.Context, auth *ginauth.Authenticator, c *gin.Context) error {
		_, err := auth.Throttle(ctx, c.Query("field"), c.Query("value"))
		if err == nil {
			err = ginauth.ErrInvalidCredentials
		}
		return err
	})
	door("confirm", func(ctx context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		return auth.ConfirmPassword(ctx, wrong)
	}, users)
	door("change", func(ctx context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		_, err := auth.ChangePassword(ctx, wrong, testapp.NewPassword)
		return err
	}, users)
	door("others", func(ctx context.Context, auth *ginauth.Authenticator, _ *gin.Context) error {
		_, err := auth.LogoutOtherDevices(ctx, wrong)
		return err
	}, users)
	can, _ := a.Capabilities("web")
	for _, field := range can.LoginFields {
		r.POST("/guess/basic-"+field, a.Basic(ginauth.BasicField(field)), noContent)
	}
	r.POST("/enter", func(c *gin.Context) {
		if _, err := ginauth.From(c).Attempt(c.Request.Context(), ginauth.Credentials{c.Query("field"): c.Query("value"), "password": testapp.Password}); err != nil {
			ginauth.Abort(c, err)
		}
	})
}

// guesses returns every door with every identifier by which users of a provider log in.
func guesses(name string, fields ...string) (all []guess) {
	for _, field := range fields {
		value := name
		if field == "email" {
			value += "@example.com"
		}
		for _, guard := range []string{"web", "api"} {
			all = append(all, guess{"attempt", guard, field, value}, guess{"once", guard, field, value}, guess{"throttle", guard, field, value})
		}
		all = append(all, guess{"basic-" + field, "", field, value})
	}
	if name == "alice" {
		all = append(all, guess{door: "confirm"}, guess{door: "change"}, guess{door: "others"})
	}
	return all
}

// TestDoorsShareOneCount guesses at the doors one after the other, each time from another one on, until all of them
// are locked.
func TestDoorsShareOneCount(t *testing.T) { // N07, T08
	for _, p := range []struct {
		name   string
		users  func(testapp.Users) models.UserProvider
		fields []string
	}{
		{"addresses", func(u testapp.Users) models.UserProvider { return u }, []string{"email"}},
		{"names", func(u testapp.Users) models.UserProvider { return plainNames{namedUsers{u}} }, []string{"name"}},
		{"addresses and names", func(u testapp.Users) models.UserProvider { return namedUsers{u} }, []string{"email", "name"}},
	} {
		for _, client := range []struct {
			name, account string
			want          int
		}{{"stranger", "alice", 5}, {"known device", "alice", 10}, {"nobody", "nobody", 5}} {
			t.Run(p.name+"/"+client.name, func(t *testing.T) {
				if client.account == "nobody" && len(p.fields) > 1 {
					t.Skip("two identifiers of nobody name two accounts")
				}
				all := guesses(client.account, p.fields...)
				for first := range all {
					b := testapp.Memory(t)
					a := testapp.New(t, b, testapp.OnlyRoutes(mountGuesses), testapp.Configure(func(c *ginauth.Config) {
						c.Users = p.users(b.Users)
					}))
					c := a.Client()
					if client.account == "alice" {
						for _, field := range p.fields {
							g := guesses("alice", field)[0]
							c.Post("/enter?field="+field+"&value="+g.value, nil).Want(t, 200)
						}
					}
					if client.want == 5 {
						delete(c.Cookies, testapp.DeviceCookie)
					}
					checked := 0
					for i := range 3 * len(all) {
						g := all[(first+i)%len(all)]
						c.Header.Del("Authorization")
						if strings.HasPrefix(g.door, "basic") {
							c.Header = a.BasicAuth(g.value, "wrong").Header
						}
						switch res := c.Post(g.path(), nil); res.StatusCode {
						case 401, 422:
							checked++
						case 429:
						default:
							t.Fatalf("%+v: status %d %s", g, res.StatusCode, res.Text)
						}
					}
					if checked != client.want {
						t.Errorf("from %+v on: %d passwords were checked, want %d", all[first], checked, client.want)
					}
				}
			})
		}
	}
}

// TestIdentifiersOfNobodyLookLikeOthers compares an account with two identifiers and one that does not exist.
func TestIdentifiersOfNobodyLookLikeOthers(t *testing.T) { // E08
	fb, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, fb, testapp.OnlyRoutes(mountGuesses), testapp.Configure(func(c *ginauth.Config) { c.Users = namedUsers{fb.Users} }))
	for _, field := range []string{"email", "name"} {
		a.Clock.Advance(time.Hour)
		for i := range 7 {
			var res [2]*testapp.Response
			var cost [2][3]int
			for n, name := range []string{"alice", "nobody"} {
				lookups, slots, hashes := f.Count(testapp.UserByIdentifier), f.Count(testapp.ReserveSlots), a.Hasher().Computations()
				res[n] = a.Client().Post(guesses(name, field)[0].path(), nil)
				cost[n] = [3]int{
					f.Count(testapp.UserByIdentifier) - lookups, f.Count(testapp.ReserveSlots) - slots, int(a.Hasher().Computations() - hashes),
				}
			}
			testapp.Same(t, res[0], res[1], fmt.Sprintf("try %d by %s", i, field))
			if cost[0] != cost[1] {
				t.Errorf("try %d by %s: calls %v and %v", i, field, cost[0], cost[1])
			}
		}
	}
}

// TestParallelRequestsWithTheRightPasswordPass sends more of them at once than there are slots.
func TestParallelRequestsWithTheRightPasswordPass(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) { r.GET("/basic", a.Basic(), testapp.Me) }))
		a.Race(16, func(int) { a.BasicAuth(testapp.Alice, testapp.Password).Get("/basic").Want(t, 200) })
		// An office of forty behind one address, at the page for logins.
		a.Race(40, func(i int) {
			email := []string{testapp.Alice, testapp.Bob}[i%2]
			a.Client().LogIn(email, testapp.Password).Want(t, 200)
		})
	})
}

func TestManyParallelGuessesAreLimited(t *testing.T) { // EXP-04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) { r.GET("/basic", a.Basic(), testapp.Me) }))
		hashes := a.Hasher().Computations()
		var refused, throttled atomic.Int64
		a.Race(300, func(int) {
			switch res := a.BasicAuth(testapp.Alice, "wrong").Get("/basic"); res.StatusCode {
			case 401:
				refused.Add(1)
			case 429:
				throttled.Add(1)
			}
		})
		if n := a.Hasher().Computations() - hashes; n != 5 || refused.Load() != 5 || throttled.Load() != 295 {
			t.Errorf("%d hashes, %d refused, %d throttled", n, refused.Load(), throttled.Load())
		}
		// Nobody is in flight now, so it is a lock, and it lasts as long as it says.
		if got := a.BasicAuth(testapp.Alice, testapp.Password).Get("/basic").Want(t, 429).Header.Get("Retry-After"); got != "60" {
			t.Errorf("Retry-After %s", got)
		}
		a.Clock.Advance(time.Minute)
		a.BasicAuth(testapp.Alice, testapp.Password).Get("/basic").Want(t, 200)
	})
}

// heldDriver computes a hash when the test says so.
type heldDriver struct {
	hashing.Driver
	arrived, proceed chan struct{}
	on               *atomic.Bool
}

func (d heldDriver) Verify(password, encoded string) (bool, error) {
	if d.on.Load() {
		d.arrived <- struct{}{}
		<-d.proceed
	}
	return d.Driver.Verify(password, encoded)
}

// TestAttemptInFlightIsWaitedFor stops five attempts while their passwords are checked, and lets them end one way or
// the other.
func TestAttemptInFlightIsWaitedFor(t *testing.T) {
	for password, want := range map[string]int{testapp.Password: 200, "wrong": 429} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			d := heldDriver{ginauthtest.CheapHashing().Driver, make(chan struct{}), make(chan struct{}), new(atomic.Bool)}
			fb, f := testapp.Memory(t).Faulty()
			a := testapp.New(t, fb, testapp.Configure(func(c *ginauth.Config) {
				c.Hashing.Driver, c.Hashing.Concurrency = d, 8
			}))
			d.on.Store(true)
			var others sync.WaitGroup
			for range 5 {
				others.Go(func() { a.Client().LogIn(testapp.Alice, password) })
				<-d.arrived
			}
			sixth := make(chan int, 1)
			go func() { sixth <- a.Client().LogIn(testapp.Alice, testapp.Password).StatusCode }()
			for f.Count(testapp.ReserveSlots) < 6 {
				runtime.Gosched()
			}
			for range 4 { // the fifth is still in flight
				d.proceed <- struct{}{}
			}
			got := 0
			if want == 200 { // slots came back
				select {
				case <-d.arrived:
					d.proceed <- struct{}{}
				case got = <-sixth:
				}
			}
			d.proceed <- struct{}{}
			if others.Wait(); got == 0 {
				got = <-sixth
			}
			if got != want {
				t.Errorf("the sixth is answered with %d, want %d", got, want)
			}
		})
	}
}

// TestPollingClientGivesGuessersNothing lets a client poll with the right password while others guess it from many
// addresses.
func TestPollingClientGivesGuessersNothing(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.AddressFromHeader), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/basic", a.Basic(), testapp.Me)
		}))
		owner := a.Client().From("192.0.2.1")
		owner.LogIn(testapp.Alice, testapp.Password).Want(t, 200) // makes the device known
		device := owner.Cookies[testapp.DeviceCookie]
		checked := 0
		for i := range 120 {
			poll := a.WithCookie(testapp.DeviceCookie, device).From("192.0.2.1")
			poll.Header.Set("Authorization", a.BasicAuth(testapp.Alice, testapp.Password).Header.Get("Authorization"))
			poll.Get("/basic").Want(t, 200)
			if i < 40 { // without its cookie, as long as nobody has locked the account
				a.Clock.Advance(time.Second)
				poll.Cookies = map[string]string{}
				poll.Get("/basic").Want(t, 200)
			}
			if a.Client().From(fmt.Sprintf("198.51.100.%d", i)).LogIn(testapp.Alice, "wrong").StatusCode == 401 {
				checked++
			}
		}
		if checked != 50 {
			t.Errorf("%d guesses from 120 addresses were checked, want 50", checked)
		}
	})
}

func TestNetworkIsLimitedOverItsAddresses(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(testapp.AddressFromHeader))
	checked := 0
	for i := range 1000 { // each from a /64 of its own
		res := a.Client().From(fmt.Sprintf("2001:db8:1:%x::1", i)).LogIn(fmt.Sprintf("u%d@example.com", i), "wrong")
		if res.StatusCode == 401 {
			checked++
		}
	}
	if checked != 600 {
		t.Errorf("%d passwords of one /48 were checked, want 600", checked)
	}
	a.Client().From("2001:db8:2::1").LogIn("other@example.com", "wrong").Want(t, 401)
	a.Client().From("198.51.100.1").LogIn("other@example.com", "wrong").Want(t, 401)
}

func TestRightPasswordsAreLimitedByAddress(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(testapp.AddressFromHeader, func(c *ginauth.Config) {
		c.Throttle.Passwords = ginauth.Limit{Attempts: 20, Per: time.Minute}
	}))
	for range 20 {
		a.Client().From("198.51.100.1").LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	}
	res := a.Client().From("198.51.100.1").LogIn(testapp.Bob, testapp.Password).Want(t, 429)
	if got := res.Header.Get("Retry-After"); got != "60" {
		t.Errorf("Retry-After %q", got)
	}
	a.Client().From("198.51.100.2").LogIn(testapp.Alice, testapp.Password).Want(t, 200)
}
