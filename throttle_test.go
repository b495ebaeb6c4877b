package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/models"
)

// fromHeader lets a test choose its address.
func fromHeader(c *ginauth.Config) {
	c.ClientIP = func(c *gin.Context) string {
		if ip := c.GetHeader("X-Test-Ip"); ip != "" {
			return ip
		}
		return "127.0.0.1"
	}
}

func (c *client) from(ip string) *client { c.header.Set("X-Test-Ip", ip); return c }

func TestThrottleAdmitsExactlyTheLimit(t *testing.T) { // T01, EXP-04
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		other := newSibling(a, func(*ginauth.Config) {}) // another process on the same stores
		for round := range rounds(50, 4) {
			a.clock.advance(16 * time.Minute)
			hashes := func() uint64 { return a.m.Hasher().Computations() + other.m.Hasher().Computations() }
			before := hashes()
			var throttled, refused atomic.Int64
			together(205, func(i int) {
				res, err := []*app{a, other}[i%2].client().try(context.Background(), "POST", "/login", "application/json",
					fmt.Sprintf(`{"email":%q,"password":"wrong"}`, aliceEmail))
				switch {
				case err != nil:
					t.Error(err)
				case res.StatusCode == 429:
					throttled.Add(1)
				case res.StatusCode == 401:
					refused.Add(1)
				default:
					t.Errorf("status %d: %s", res.StatusCode, res.body)
				}
			})
			if n := hashes() - before; n != 5 || refused.Load() != 5 || throttled.Load() != 200 {
				t.Fatalf("round %d: %d hashes, %d refused, %d throttled", round, n, refused.Load(), throttled.Load())
			}
		}
	})
}

func TestRightPasswordAmongGuesses(t *testing.T) { // EXP-04
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		for range rounds(50, 10) {
			a.clock.advance(16 * time.Minute)
			right, tries := rand.IntN(10), 0
			for i := range 10 {
				password, want := "wrong", 401
				if i == right {
					password, want = goodPass, 200
				}
				if tries++; tries > 5 {
					want = 429
				}
				a.client().login(aliceEmail, password).want(t, want)
				if want == 200 {
					tries = 0
				}
			}
		}
	})
}

func TestThrottledTryCostsNothing(t *testing.T) { // T10, E08
	eachBackend(t, func(t *testing.T, b *backend) {
		fb, f := b.faulty()
		a := newApp(t, fb, nil, nil)
		for _, email := range []string{aliceEmail, "nobody@example.com"} {
			for range 5 {
				a.client().login(email, "wrong").want(t, 401)
			}
		}
		hashes, lookups := a.m.Hasher().Computations(), f.count("user by identifier")
		known, right := a.client().login(aliceEmail, "wrong").want(t, 429), a.client().login(aliceEmail, goodPass).want(t, 429)
		same(t, "a right password while locked", known, right)
		same(t, "a locked unknown name", known, a.client().login("nobody@example.com", "wrong"))
		if a.m.Hasher().Computations() != hashes || f.count("user by identifier") != lookups {
			t.Error("a refused try cost a hash or a lookup")
		}
		if n := len(eventsOf[events.Lockout](a)); n != 3 {
			t.Errorf("%d lockout events", n)
		}
		wait := func(r *response) int {
			seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
			if err != nil || seconds < 1 || seconds > 60 {
				t.Fatalf("Retry-After %q", r.Header.Get("Retry-After"))
			}
			return seconds
		}
		first := wait(known)
		a.clock.advance(20 * time.Second)
		second := wait(a.client().login(aliceEmail, "wrong").want(t, 429))
		if second != first-20 {
			t.Errorf("Retry-After went from %d to %d in 20 s", first, second)
		}
		a.clock.advance(time.Duration(second)*time.Second - time.Millisecond)
		a.client().login(aliceEmail, goodPass).want(t, 429)
		a.clock.advance(time.Millisecond)
		a.client().login(aliceEmail, goodPass).want(t, 200)
	})
}

func TestAddressIsThePeers(t *testing.T) { // T02
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		for i := range 6 {
			c := a.client()
			for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Cf-Connecting-Ip"} {
				c.header.Set(name, fmt.Sprintf("203.0.113.%d", i))
			}
			want := 401
			if i == 5 {
				want = 429
			}
			c.login(aliceEmail, "wrong").want(t, want)
		}
	})
}

func TestSpellingsOfOneAccountShareACount(t *testing.T) { // T03, T12
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		for i, email := range []string{"Alice@example.com", "ALICE@EXAMPLE.COM", " alice@example.com", "\talice@example.com ", "Ａlice@example.com"} {
			if res := a.client().login(email, "wrong"); res.StatusCode != 401 {
				t.Errorf("spelling %d: status %d %s", i, res.StatusCode, res.body)
			}
		}
		a.client().login("alice@EXAMPLE.com", "wrong").want(t, 429)
		for _, other := range []string{"alice@example.com.", "alice+tag@example.com", "al\u0131ce@example.com", "alice|@example.com", "alice:@example.com"} {
			if res := a.client().login(other, "wrong"); res.StatusCode != 401 && res.StatusCode != 422 {
				t.Errorf("%q shares alice's count: status %d", other, res.StatusCode)
			}
		}
		hashes := a.m.Hasher().Computations()
		for _, none := range []string{"al\u200bice@example.com", "alice\x00@example.com", "alice\n@example.com", "al ice@example.com"} {
			a.client().login(none, "wrong").want(t, 422)
		}
		if a.m.Hasher().Computations() != hashes {
			t.Error("what can name nobody was hashed for")
		}
	})
}

func TestManyAddressesOneAccount(t *testing.T) { // T04
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, fromHeader, nil)
		for i := range 100 {
			want := 401
			if i >= 50 {
				want = 429
			}
			a.client().from(fmt.Sprintf("198.51.100.%d", i)).login(aliceEmail, "wrong").want(t, want)
		}
	})
}

func TestOneAddressManyAccounts(t *testing.T) { // T05
	addresses := map[string]func(int) string{
		"IPv4":        func(int) string { return "198.51.100.7" },
		"mapped IPv4": func(i int) string { return []string{"198.51.100.7", "::ffff:198.51.100.7"}[i%2] },
		"IPv6 /64":    func(i int) string { return fmt.Sprintf("2001:db8:1:2::%x", i+1) },
	}
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, fromHeader, nil)
		for name, address := range addresses {
			t.Run(name, func(t *testing.T) {
				a.clock.advance(time.Hour)
				for i := range 35 {
					want := 401
					if i >= 30 {
						want = 429
					}
					a.client().from(address(i)).login(fmt.Sprintf("user%d@example.com", i), "wrong").want(t, want)
				}
				a.client().from("2001:db8:1:3::1").login(aliceEmail, goodPass).want(t, 200)
				// The route refuses a locked address before it reads the body.
				a.client().from(address(0)).do("POST", "/login", "text/plain", "x").want(t, 429)
			})
		}
	})
}

func TestStrangerCannotLockTheOwnerOut(t *testing.T) { // T06
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, fromHeader, nil)
		owner := a.client().from("192.0.2.1")
		owner.login(aliceEmail, goodPass).want(t, 200)
		owner.post("/logout", nil).want(t, 204)
		for i := range 60 {
			a.client().from(fmt.Sprintf("198.51.100.%d", i)).login(aliceEmail, "wrong")
		}
		a.client().from("192.0.2.2").login(aliceEmail, goodPass).want(t, 429)
		owner.login(aliceEmail, goodPass).want(t, 200)
		// A stranger with somebody else's device is a stranger.
		mallory := a.client().from("198.51.100.200")
		mallory.login(bobEmail, goodPass).want(t, 200)
		mallory.login(aliceEmail, goodPass).want(t, 429)
		// The device has a limit of its own.
		for i := range 11 {
			want := 401
			if i == 10 {
				want = 429
			}
			owner.login(aliceEmail, "wrong").want(t, want)
		}
		// A device from before the stamp changed is a stranger, and costs no
		// more hashes than one.
		a.clock.advance(16 * time.Minute)
		b.users.change(a.alice.AuthID(), func(u *models.User) { u.SecurityStamp = "new" })
		for i := range 6 {
			want := 401
			if i == 5 {
				want = 429
			}
			owner.login(aliceEmail, "wrong").want(t, want)
		}
	})
}

func TestOnlySuccessOnTheAccountClearsIt(t *testing.T) { // T07
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		for i := range 7 {
			want := 401
			if i >= 5 {
				want = 429
			}
			a.client().login(aliceEmail, "wrong").want(t, want)
			a.client().login(bobEmail, goodPass).want(t, 200)
		}
	})
}

func TestOfficeBehindOneAddress(t *testing.T) {
	a := newApp(t, memoryBackend(t), nil, nil)
	for range 40 {
		a.client().login(aliceEmail, goodPass).want(t, 200)
	}
	// The address keeps the slots of failures.
	for i := range 30 {
		a.client().login(fmt.Sprintf("user%d@example.com", i), "wrong").want(t, 401)
	}
	a.client().login(aliceEmail, goodPass).want(t, 429)
}

func TestMalformedRequestsAreNoTries(t *testing.T) {
	a := newApp(t, memoryBackend(t), nil, func(a *app, r *gin.Engine) {
		// A handler that answers a wrong PIN with 422.
		r.POST("/strict", func(c *gin.Context) {
			_, err := ginauth.From(c).Throttle(c.Request.Context(), "email", aliceEmail)
			if err == nil {
				err = &ginauth.InputError{Field: "pin", Reason: "is required"}
			}
			ginauth.Abort(c, err)
		})
		// One that does so after it had a password checked.
		r.POST("/late", func(c *gin.Context) {
			_, err := ginauth.From(c).Validate(c.Request.Context(), ginauth.Credentials{"email": bobEmail, "password": "wrong"})
			if errors.Is(err, ginauth.ErrInvalidCredentials) {
				err = &ginauth.InputError{Field: "age", Reason: "is required"}
			}
			ginauth.Abort(c, err)
		})
	})
	for range 10 {
		a.client().do("POST", "/login", "text/plain", "x").want(t, 415)
		a.client().login(aliceEmail, "").want(t, 422)
		a.client().do("POST", "/login", "application/json", "{").want(t, 400)
	}
	a.client().login(aliceEmail, "wrong").want(t, 401)
	// A handler that answers a checked secret with 422 is guessed at no faster.
	for range 4 {
		a.client().post("/strict", nil).want(t, 422)
	}
	a.client().post("/strict", nil).want(t, 429)
	for range 5 {
		a.client().post("/late", nil).want(t, 422)
	}
	a.client().post("/late", nil).want(t, 429)
}

func TestThrottleForOtherHandlers(t *testing.T) { // T08
	eachBackend(t, func(t *testing.T, b *backend) {
		var attempt *ginauth.LoginAttempt
		a := newApp(t, b, nil, func(a *app, r *gin.Engine) {
			r.POST("/pin", func(c *gin.Context) {
				var err error
				if attempt, err = ginauth.From(c).Throttle(c.Request.Context(), "email", aliceEmail); err != nil {
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
			r.POST("/few", a.m.ThrottleLogins(ginauth.LimitAccountAddress(1, time.Minute)), login)
		})
		c := a.client()
		for range 3 {
			c.post("/pin", nil).want(t, 200)
		}
		c.login(aliceEmail, "wrong").want(t, 401)
		for range 9 {
			c.post("/pin?do=release", nil).want(t, 200)
		}
		c.post("/pin?do=right", nil).want(t, 200)
		for range 5 {
			c.login(aliceEmail, "wrong").want(t, 401)
		}
		c.post("/pin", nil).want(t, 429)
		a.clock.advance(16 * time.Minute)
		c.post("/few", loginForm{bobEmail, "wrong"}).want(t, 401)
		c.post("/few", loginForm{bobEmail, "wrong"}).want(t, 429)
		mustPanic(t, "limit", func() { a.m.ThrottleLogins(ginauth.LimitAddress(0, time.Minute)) })
	})
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), want) {
			t.Errorf("panic %v, want one that says %q", r, want)
		}
	}()
	f()
}

// namedUsers can also be named by their names.
type namedUsers struct{ *memoryUsers }

func (p namedUsers) ManyIdentifiers() bool { return true }

func (p namedUsers) CanonicalIdentifier(field, value string) (string, error) {
	if field == "name" {
		field = "email"
	}
	return p.memoryUsers.CanonicalIdentifier(field, value)
}

func (p namedUsers) UserByIdentifier(ctx context.Context, field, canonical string) (models.Authenticatable, error) {
	if field == "name" {
		canonical += "@example.com"
	}
	return p.memoryUsers.UserByIdentifier(ctx, "email", canonical)
}

func TestTwoNamesOfOneAccountShareACount(t *testing.T) { // T03
	b := memoryBackend(t)
	a := newApp(t, b, func(c *ginauth.Config) { c.Users = namedUsers{b.users.(*memoryUsers)} }, func(_ *app, r *gin.Engine) {
		r.POST("/by-name", func(c *gin.Context) {
			_, err := ginauth.From(c).Attempt(c.Request.Context(), ginauth.Credentials{"name": c.Query("name"), "password": c.Query("p")})
			if err != nil {
				ginauth.Abort(c, err)
			}
		})
	})
	for range 3 {
		a.client().login(aliceEmail, "wrong").want(t, 401)
	}
	for i := range 4 {
		want := 401
		if i >= 2 {
			want = 429
		}
		a.client().post("/by-name?name=alice&p=wrong", nil).want(t, want)
	}
	for i := range 6 {
		want := 401
		if i == 5 {
			want = 429
		}
		a.client().post("/by-name?name=nobody&p=wrong", nil).want(t, want)
	}
	a.clock.advance(time.Minute)
	a.client().post("/by-name?name=alice&p="+strings.ReplaceAll(goodPass, " ", "+"), nil).want(t, 200)
	for range 5 {
		a.client().login(aliceEmail, "wrong").want(t, 401)
	}
}
