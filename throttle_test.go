package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

func TestThrottledTryCostsNothing(t *testing.T) { // T10, E08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		fb, f := b.Faulty()
		a := testapp.New(t, fb)
		for _, email := range []string{testapp.Alice, "nobody@example.com"} {
			for range 5 {
				a.Client().LogIn(email, "wrong").Want(t, 401)
			}
		}
		hashes, lookups := a.Hasher().Computations(), f.Count(testapp.UserByIdentifier)
		known, right := a.Client().LogIn(testapp.Alice, "wrong").Want(t, 429), a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 429)
		testapp.Same(t, known, right, "a right password while locked")
		testapp.Same(t, known, a.Client().LogIn("nobody@example.com", "wrong"), "a locked unknown name")
		if a.Hasher().Computations() != hashes || f.Count(testapp.UserByIdentifier) != lookups {
			t.Error("a refused try cost a hash or a lookup")
		}
		if n := len(testapp.EventsOf[events.Lockout](a)); n != 3 {
			t.Errorf("%d lockout events", n)
		}
		wait := func(r *testapp.Response) int {
			seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
			if err != nil || seconds < 1 || seconds > 60 {
				t.Fatalf("Retry-After %q", r.Header.Get("Retry-After"))
			}
			return seconds
		}
		first := wait(known)
		a.Clock.Advance(20 * time.Second)
		second := wait(a.Client().LogIn(testapp.Alice, "wrong").Want(t, 429))
		if second != first-20 {
			t.Errorf("Retry-After went from %d to %d in 20 s", first, second)
		}
		a.Clock.Advance(time.Duration(second)*time.Second - time.Millisecond)
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 429)
		a.Clock.Advance(time.Millisecond)
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	})
}

func TestAddressIsThatOfThePeer(t *testing.T) { // T02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		for i := range 6 {
			c := a.Client()
			for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Cf-Connecting-Ip"} {
				c.Header.Set(name, fmt.Sprintf("203.0.113.%d", i))
			}
			want := 401
			if i == 5 {
				want = 429
			}
			c.LogIn(testapp.Alice, "wrong").Want(t, want)
		}
	})
}

// TestClientBehindAProxyIsCounted sends what a proxy on this machine writes about clients, whose own headers differ at
// each try.
func TestClientBehindAProxyIsCounted(t *testing.T) { // T02, G03
	behind := testapp.Configure(func(c *ginauth.Config) { c.TrustedProxies = []string{"127.0.0.0/8", "::1"} })
	for _, tt := range []struct{ name, appended string }{
		{"address", "203.0.113.9"}, {"port", "203.0.113.9:51234"}, {"IPv6 and port", "[2001:db8::1]:443"}, {"unknown", "unknown"},
		{"hidden", "_client"}, {"empty", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := testapp.New(t, testapp.Memory(t), behind)
			for i := range 100 {
				claims := fmt.Sprintf("198.51.100.%d", i)
				c := a.Client()
				c.Header.Set("X-Real-Ip", claims)
				c.Header.Set("X-Forwarded-For", claims+", "+tt.appended)
				want := 401
				if i >= 5 {
					want = 429
				}
				c.LogIn(testapp.Alice, "wrong").Want(t, want)
			}
		})
	}
	a := testapp.New(t, testapp.Memory(t), behind)
	for i := range 40 { // honest clients do not share a count
		c := a.Client()
		c.Header.Set("Forwarded", fmt.Sprintf("for=203.0.113.%d", i))
		c.LogIn(fmt.Sprintf("u%d@example.com", i), "wrong").Want(t, 401)
	}
}

func TestTrustedProxiesAreChecked(t *testing.T) {
	for want, change := range map[string]func(*ginauth.Config){
		"10.0.0.1/8":      func(c *ginauth.Config) { c.TrustedProxies = []string{"10.0.0.1/8"} },
		"beside ClientIP": func(c *ginauth.Config) { c.TrustedProxies, c.ClientIP = []string{"::1"}, (*gin.Context).ClientIP },
	} {
		var cfg ginauth.Config
		change(&cfg)
		_, err := ginauth.New(cfg)
		if !errors.Is(err, ginauth.ErrConfig) || !strings.Contains(err.Error(), "TrustedProxies") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

func TestBadClientIPsShareOneCount(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.ClientIP = func(c *gin.Context) string { return c.GetHeader("X-Test-Ip") }
	}))
	for i := range 40 {
		want := 401
		if i >= 30 {
			want = 429
		}
		a.Client().From("198.51.100.7, 203.0.113.9").LogIn(fmt.Sprintf("u%d@example.com", i), "wrong").Want(t, want)
	}
}

func TestSpellingsOfOneAccountShareACount(t *testing.T) { // T03, T12
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		for i, email := range []string{"Alice@example.com", "ALICE@EXAMPLE.COM", " alice@example.com", "\talice@example.com ", "Ａlice@example.com"} {
			if res := a.Client().LogIn(email, "wrong"); res.StatusCode != 401 {
				t.Errorf("spelling %d: status %d %s", i, res.StatusCode, res.Text)
			}
		}
		a.Client().LogIn("alice@EXAMPLE.com", "wrong").Want(t, 429)
		for _, other := range []string{"alice@example.com.", "alice+tag@example.com", "al\u0131ce@example.com", "alice|@example.com", "alice:@example.com"} {
			if res := a.Client().LogIn(other, "wrong"); res.StatusCode != 401 && res.StatusCode != 422 {
				t.Errorf("%q shares alice's count: status %d", other, res.StatusCode)
			}
		}
		hashes := a.Hasher().Computations()
		for _, none := range []string{"al\u200bice@example.com", "alice\x00@example.com", "alice\n@example.com", "al ice@example.com"} {
			a.Client().LogIn(none, "wrong").Want(t, 422)
		}
		if a.Hasher().Computations() != hashes {
			t.Error("what can name nobody was hashed for")
		}
	})
}

// namedUsers can also be named by their names.
type namedUsers struct{ testapp.Users }

func (p namedUsers) ManyIdentifiers() bool { return true }

func (p namedUsers) LoginFields() []string { return []string{"email", "name"} }

func (p namedUsers) CanonicalIdentifier(field, value string) (string, error) {
	if field == "name" {
		field = "email"
	}
	return p.Users.CanonicalIdentifier(field, value)
}

func (p namedUsers) UserByIdentifier(ctx context.Context, field, canonical string) (models.Authenticatable, error) {
	if field == "name" {
		canonical += "@example.com"
	}
	return p.Users.UserByIdentifier(ctx, "email", canonical)
}

func TestTwoNamesOfOneAccountShareACount(t *testing.T) { // T03
	b := testapp.Memory(t)
	a := testapp.New(t, b,
		testapp.Configure(func(c *ginauth.Config) { c.Users = namedUsers{b.Users} }),
		testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/by-name", func(c *gin.Context) {
				_, err := ginauth.From(c).Attempt(c.Request.Context(), ginauth.Credentials{"name": c.Query("name"), "password": c.Query("p")})
				if err != nil {
					ginauth.Abort(c, err)
				}
			})
		}))
	for range 3 {
		a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401)
	}
	for i := range 4 {
		want := 401
		if i >= 2 {
			want = 429
		}
		a.Client().Post("/by-name?name=alice&p=wrong", nil).Want(t, want)
	}
	for i := range 6 {
		want := 401
		if i == 5 {
			want = 429
		}
		a.Client().Post("/by-name?name=nobody&p=wrong", nil).Want(t, want)
	}
	a.Clock.Advance(time.Minute)
	a.Client().Post("/by-name?name=alice&p="+strings.ReplaceAll(testapp.Password, " ", "+"), nil).Want(t, 200)
	for range 5 {
		a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401)
	}
}

func TestManyAddressesShareTheCountOfOneAccount(t *testing.T) { // T04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.AddressFromHeader))
		for i := range 100 {
			want := 401
			if i >= 50 {
				want = 429
			}
			a.Client().From(fmt.Sprintf("198.51.100.%d", i)).LogIn(testapp.Alice, "wrong").Want(t, want)
		}
	})
}

func TestOneAddressIsLimitedOverManyAccounts(t *testing.T) { // T05
	addresses := map[string]func(int) string{
		"IPv4":        func(int) string { return "198.51.100.7" },
		"mapped IPv4": func(i int) string { return []string{"198.51.100.7", "::ffff:198.51.100.7"}[i%2] },
		"IPv6 /64":    func(i int) string { return fmt.Sprintf("2001:db8:1:2::%x", i+1) },
	}
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.AddressFromHeader))
		for name, address := range addresses {
			t.Run(name, func(t *testing.T) {
				a.Clock.Advance(time.Hour)
				for i := range 35 {
					want := 401
					if i >= 30 {
						want = 429
					}
					a.Client().From(address(i)).LogIn(fmt.Sprintf("user%d@example.com", i), "wrong").Want(t, want)
				}
				a.Client().From("2001:db8:1:3::1").LogIn(testapp.Alice, testapp.Password).Want(t, 200)
				// The route refuses a locked address before it reads the body.
				a.Client().From(address(0)).Do("POST", "/login", "text/plain", "x").Want(t, 429)
			})
		}
	})
}

func TestSprayingInOneRequestIsLimited(t *testing.T) {
	hashes := 0
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		r.POST("/batch", func(c *gin.Context) {
			for i := range 20 {
				_, err := ginauth.From(c).Validate(c.Request.Context(), ginauth.Credentials{"email": fmt.Sprintf("u%s-%d@example.com", c.Query("n"), i), "password": "x"})
				if errors.Is(err, ginauth.ErrInvalidCredentials) {
					hashes++
				}
			}
			_, _ = ginauth.From(c).Attempt(c.Request.Context(), ginauth.Credentials{"email": testapp.Bob, "password": testapp.Password})
		})
	}))
	for i := range 5 {
		a.Client().Post(fmt.Sprint("/batch?n=", i), nil)
	}
	if hashes > 30 {
		t.Errorf("%d accounts were tried from one address", hashes)
	}
}

func TestStrangerCannotLockTheOwnerOut(t *testing.T) { // T06
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.AddressFromHeader))
		owner := a.Client().From("192.0.2.1")
		owner.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		owner.Post("/logout", nil).Want(t, 204)
		for i := range 60 {
			a.Client().From(fmt.Sprintf("198.51.100.%d", i)).LogIn(testapp.Alice, "wrong")
		}
		a.Client().From("192.0.2.2").LogIn(testapp.Alice, testapp.Password).Want(t, 429)
		owner.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		// A stranger with somebody else's device is a stranger.
		mallory := a.Client().From("198.51.100.200")
		mallory.LogIn(testapp.Bob, testapp.Password).Want(t, 200)
		mallory.LogIn(testapp.Alice, testapp.Password).Want(t, 429)
		// The device has a limit of its own.
		for i := range 11 {
			want := 401
			if i == 10 {
				want = 429
			}
			owner.LogIn(testapp.Alice, "wrong").Want(t, want)
		}
		// A device from before the stamp changed is a stranger, and costs no
		// more hashes than one.
		a.Clock.Advance(16 * time.Minute)
		b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "new" })
		for i := range 6 {
			want := 401
			if i == 5 {
				want = 429
			}
			owner.LogIn(testapp.Alice, "wrong").Want(t, want)
		}
	})
}

func TestOnlySuccessOnTheAccountClearsIt(t *testing.T) { // T07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		for i := range 7 {
			want := 401
			if i >= 5 {
				want = 429
			}
			a.Client().LogIn(testapp.Alice, "wrong").Want(t, want)
			a.Client().LogIn(testapp.Bob, testapp.Password).Want(t, 200)
		}
	})
}

func TestSuccessesDoNotLockAnAddress(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	for range 40 {
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	}
	// The address keeps the slots of failures.
	for i := range 30 {
		a.Client().LogIn(fmt.Sprintf("user%d@example.com", i), "wrong").Want(t, 401)
	}
	a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 429)
}

func TestMalformedRequestsAreNoTries(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		// A handler that answers a wrong PIN with 422.
		r.POST("/strict", func(c *gin.Context) {
			_, err := ginauth.From(c).Throttle(c.Request.Context(), "email", testapp.Alice)
			if err == nil {
				err = &ginauth.InputError{Field: "pin", Reason: "is required"}
			}
			ginauth.Abort(c, err)
		})
		// One that does so after it had a password checked.
		r.POST("/late", func(c *gin.Context) {
			_, err := ginauth.From(c).Validate(c.Request.Context(), ginauth.Credentials{"email": testapp.Bob, "password": "wrong"})
			if errors.Is(err, ginauth.ErrInvalidCredentials) {
				err = &ginauth.InputError{Field: "age", Reason: "is required"}
			}
			ginauth.Abort(c, err)
		})
	}))
	for range 10 {
		a.Client().Do("POST", "/login", "text/plain", "x").Want(t, 415)
		a.Client().LogIn(testapp.Alice, "").Want(t, 422)
		a.Client().Do("POST", "/login", "application/json", "{").Want(t, 400)
	}
	a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401)
	// A handler that answers a checked secret with 422 is guessed at no faster.
	for range 4 {
		a.Client().Post("/strict", nil).Want(t, 422)
	}
	a.Client().Post("/strict", nil).Want(t, 429)
	for range 5 {
		a.Client().Post("/late", nil).Want(t, 422)
	}
	a.Client().Post("/late", nil).Want(t, 429)
}

func TestRouteLimitsCountByTheHour(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Routes(func(a *testapp.App, r *gin.Engine) {
		r.POST("/admin-login", a.ThrottleLogins(ginauth.LimitAccountAddress(3, time.Hour)), testapp.Login)
	}))
	a.Client().LogIn(testapp.Alice, "wrong").Want(t, 401)
	for i := range 20 {
		want := 401
		if i >= 3 {
			want = 429
		}
		a.Client().Post("/admin-login", testapp.Credentials(testapp.Alice, "wrong")).Want(t, want)
		a.Clock.Advance(time.Minute)
	}
}

func TestThrottleCountsForOtherHandlers(t *testing.T) { // T08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		var attempt *ginauth.LoginAttempt
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.POST("/pin", func(c *gin.Context) {
				var err error
				if attempt, err = ginauth.From(c).Throttle(c.Request.Context(), "email", testapp.Alice); err != nil {
					ginauth.Abort(c, err)
					return
				}
				switch c.Query("do") {
				case "right":
					err = attempt.Succeed(c.Request.Context())
				case "release":
					err = attempt.Release(c.Request.Context())
				}
				if err != nil {
					t.Error(err)
				}
			})
			r.POST("/few", a.ThrottleLogins(ginauth.LimitAccountAddress(1, time.Minute)), testapp.Login)
		}))
		c := a.Client()
		for range 3 {
			c.Post("/pin", nil).Want(t, 200)
		}
		c.LogIn(testapp.Alice, "wrong").Want(t, 401)
		for range 9 {
			c.Post("/pin?do=release", nil).Want(t, 200)
		}
		c.Post("/pin?do=right", nil).Want(t, 200)
		for range 5 {
			c.LogIn(testapp.Alice, "wrong").Want(t, 401)
		}
		c.Post("/pin", nil).Want(t, 429)
		a.Clock.Advance(16 * time.Minute)
		c.Post("/few", testapp.Credentials(testapp.Bob, "wrong")).Want(t, 401)
		c.Post("/few", testapp.Credentials(testapp.Bob, "wrong")).Want(t, 429)
		testapp.MustPanic(t, "limit", func() { a.ThrottleLogins(ginauth.LimitAddress(0, time.Minute)) })
	})
}

func TestTokenGuessesAreLimited(t *testing.T) { // T08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		alice := a.LoggedIn(testapp.Alice)
		token := alice.Personal("read")
		alice.Do("DELETE", "/tokens/"+token.ID, "", "").Want(t, 204)
		other := testapp.New(t, testapp.Memory(t))
		guess := other.LoggedIn(testapp.Alice).Personal("read").Text // of the right shape, and nobody's
		for range 30 {
			a.Bearer(guess).Get("/token/me").WantBadToken(t)
		}
		res := a.Bearer(guess).Get("/token/me").Want(t, 429)
		if res.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		a.Bearer(alice.Personal("read").Text).Get("/token/me").Want(t, 200)
		a.Bearer("gat_typo").Get("/token/me").WantBadToken(t)
	})
}
