package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/models"
)

// same fails the test unless two answers are the same to a client, apart from
// the date.
func same(t *testing.T, what string, a, b *response) {
	t.Helper()
	names := func(h http.Header) []string {
		var list []string
		for name, values := range h {
			if name == "Set-Cookie" {
				for i := range values {
					values[i], _, _ = strings.Cut(values[i], "=")
				}
			}
			if name != "Date" {
				list = append(list, fmt.Sprint(name, values))
			}
		}
		slices.Sort(list)
		return list
	}
	if a.StatusCode != b.StatusCode || a.body != b.body || !slices.Equal(names(a.Header), names(b.Header)) {
		t.Errorf("%s: answers differ:\n%d %v %s\n%d %v %s", what,
			a.StatusCode, names(a.Header), a.body, b.StatusCode, names(b.Header), b.body)
	}
}

func TestLoginTellsNobodyWhoExists(t *testing.T) { // E01, E02
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, func(c *ginauth.Config) { c.Throttle.InsecureDisable = true }, nil)
		now := a.clock.Now()
		users := map[string]func(*models.User){
			"disabled":   func(u *models.User) { u.DisabledAt = &now },
			"nohash":     func(u *models.User) { u.Password = "" },
			"broken":     func(u *models.User) { u.Password = "$argon2id$v=19$m=8388608,t=1,p=1$AAAA$AAAA" },
			"plain":      func(u *models.User) { u.Password = goodPass },
			"unverified": func(u *models.User) { u.EmailVerifiedAt = nil },
		}
		for name, f := range users {
			u := a.addUser(name, name+"@example.com", goodPass, true)
			b.users.change(u.AuthID(), f)
		}
		count := func(email, password string) (*response, uint64) {
			before := a.m.Hasher().Computations()
			return a.client().login(email, password), a.m.Hasher().Computations() - before
		}
		want, hashes := count(aliceEmail, "wrong password")
		want.want(t, 401)
		if hashes != 1 {
			t.Fatalf("a wrong password costs %d hashes", hashes)
		}
		for email, password := range map[string]string{
			"nobody@example.com": goodPass, "disabled@example.com": goodPass, "nohash@example.com": goodPass,
			"broken@example.com": goodPass, "plain@example.com": goodPass, "unverified@example.com": "wrong password",
		} {
			got, n := count(email, password)
			same(t, email, want, got)
			if n != hashes {
				t.Errorf("%s: %d hashes, a wrong password costs %d", email, n, hashes)
			}
		}
	})
}

func TestPasswordsAreTakenAsTheyAre(t *testing.T) { // P01–P04, P09
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, func(c *ginauth.Config) {
			c.Throttle.InsecureDisable = true
			c.Hashing = hashing.Config{Driver: hashing.Bcrypt{Cost: 4}, InsecureAllowWeakParameters: true}
		}, nil)
		long := strings.Repeat("a", 72)
		a.addUser("Long", "long@example.com", long, true)
		a.addUser("Short", "short@example.com", "ab", true)
		a.addUser("Space", "space@example.com", " pass ", true)
		for _, row := range []struct {
			email, password string
			status          int
		}{
			{"long@example.com", long, 200},
			{"long@example.com", long + "X", 401},
			{"long@example.com", long[1:], 401},
			{"short@example.com", "ab", 200},
			{"short@example.com", "ab\x00ab", 401},
			{"short@example.com", "ab\x00", 401},
			{"space@example.com", " pass ", 200},
			{"space@example.com", "pass", 401},
			{"short@example.com", "", 422},
			{"short@example.com", strings.Repeat("x", 4097), 422},
		} {
			if got := a.client().login(row.email, row.password); got.StatusCode != row.status {
				t.Errorf("%s %.20q: status %d, want %d", row.email, row.password, got.StatusCode, row.status)
			}
		}
		before := a.m.Hasher().Computations()
		for _, password := range []string{`x\ud800`, `x\ud801`, "x\xff", "x\xfe"} {
			a.client().do("POST", "/login", "application/json", `{"email":"a@b.c","password":"`+password+`"}`).want(t, 422)
		}
		for _, size := range []int{1 << 20, 16 << 20} { // P05
			a.client().do("POST", "/login", "application/json",
				`{"email":"a@b.c","password":"`+strings.Repeat("x", size)+`"}`).want(t, 413)
		}
		a.client().login(strings.Repeat("x", 2000)+"@example.com", "x").want(t, 422)
		if n := a.m.Hasher().Computations() - before; n != 0 {
			t.Errorf("%d hashes for input that cannot be right", n)
		}
	})
}

func TestOtherAlgorithmsStillLogInAndAreRehashed(t *testing.T) { // P10
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		for name, driver := range map[string]hashing.Driver{
			"bcrypt": hashing.Bcrypt{Cost: 4}, "scrypt": hashing.Scrypt{N: 1024, R: 8, P: 1}, "argon2id": hashing.Argon2id{Memory: 128, Time: 1},
		} {
			old, err := hashing.New(hashing.Config{Driver: driver, InsecureAllowWeakParameters: true})
			if err != nil {
				t.Fatal(err)
			}
			hash, err := old.Hash(context.Background(), goodPass)
			if err != nil {
				t.Fatal(err)
			}
			u := a.addUser(name, name+"@example.com", goodPass, true)
			b.users.change(u.AuthID(), func(u *models.User) { u.Password = hash })
			c := a.client()
			c.login(name+"@example.com", goodPass).want(t, 200)
			stored, _ := b.users.UserByID(context.Background(), u.AuthID())
			if stored.AuthPassword() == hash || a.m.Hasher().NeedsRehash(stored.AuthPassword()) {
				t.Errorf("%s: the hash was not renewed: %s", name, stored.AuthPassword())
			}
			c.get("/me").want(t, 200)
			a.client().login(name+"@example.com", goodPass).want(t, 200)
		}
	})
}

// plainUser is a user type without any optional capability.
type plainUser struct{ id, hash string }

func (u *plainUser) AuthID() string       { return u.id }
func (u *plainUser) AuthPassword() string { return u.hash }

type plainUsers struct {
	*memoryUsers
	user *plainUser
}

func (p plainUsers) UserByID(context.Context, string) (models.Authenticatable, error) {
	return p.user, nil
}

func (p plainUsers) UserByIdentifier(context.Context, string, string) (models.Authenticatable, error) {
	return p.user, nil
}

func (p plainUsers) RehashPassword(context.Context, string, string, string) (bool, error) {
	panic("a user bound to the hash was rehashed")
}

func TestUsersWithoutAStampAreBoundToTheirHash(t *testing.T) {
	eachKind(t, func(t *testing.T, b *backend) {
		p := plainUsers{newMemoryUsers(), &plainUser{id: "7"}}
		a := newApp(t, b, func(c *ginauth.Config) { c.Users = p }, nil)
		old, _ := hashing.New(hashing.Config{Driver: hashing.Bcrypt{Cost: 4}, InsecureAllowWeakParameters: true})
		p.user.hash, _ = old.Hash(context.Background(), goodPass)
		c := a.client()
		c.login("x@example.com", goodPass).want(t, 200)
		c.get("/me").want(t, 200)
		c.get("/verified").want(t, 403) // V06
		p.user.hash, _ = old.Hash(context.Background(), goodPass)
		c.get("/me").is401(t)
	})
}

func TestUnacceptableUsersAreNotLoggedIn(t *testing.T) {
	eachKind(t, func(t *testing.T, b *backend) {
		now := time.Now()
		var results []error
		a := newApp(t, b, nil, func(_ *app, r *gin.Engine) {
			r.GET("/try", func(c *gin.Context) {
				for _, u := range []models.Authenticatable{nil, (*models.User)(nil), &models.User{}, &models.User{ID: 1, DisabledAt: &now}} {
					_, err := ginauth.From(c).Login(c.Request.Context(), u)
					results = append(results, err)
				}
				for _, id := range []string{"", "0", "99", "1 OR 1=1"} {
					_, err := ginauth.From(c).LoginUsingID(c.Request.Context(), id)
					results = append(results, err)
				}
			})
		})
		c := a.client()
		c.get("/try").want(t, 200)
		for i, err := range results {
			if !errors.Is(err, ginauth.ErrInvalidCredentials) {
				t.Errorf("user %d: %v", i, err)
			}
		}
		if len(c.cookies) > 0 {
			t.Error("a cookie was set")
		}
	})
}

func TestCredentialsAreStringsInKnownFields(t *testing.T) { // D02, L06
	eachBackend(t, func(t *testing.T, b *backend) {
		var given ginauth.Credentials
		var err error
		a := newApp(t, b, nil, func(_ *app, r *gin.Engine) {
			r.POST("/raw", func(c *gin.Context) {
				if _, err = ginauth.From(c).Attempt(c.Request.Context(), given); err != nil {
					ginauth.Abort(c, err)
				}
			})
		})
		before := a.m.Hasher().Computations()
		for _, given = range []ginauth.Credentials{
			nil, {}, {"password": goodPass}, {"email": aliceEmail}, {"password": goodPass, "is_admin": "true"},
			{"password": goodPass, "users.password": "x"}, {"password": goodPass, "email OR 1=1": "x"},
			{"password": goodPass, "email = '' OR 1=1 --": "x"}, {"password": goodPass, "": "x"},
			{"password": goodPass, "email": []string{aliceEmail}}, {"password": goodPass, "email": nil},
			{"password": goodPass, "email": map[string]any{}}, {"password": goodPass, "email": struct{}{}},
			{"password": goodPass, "email": func() {}}, {"password": []byte(goodPass), "email": aliceEmail},
			{"password": goodPass, "email": aliceEmail, "id": "1"}, {"password": goodPass, "email": "a\x00b@example.com"},
			{"password": goodPass, "EMAIL": aliceEmail}, {"password": goodPass, "email": "  "},
		} {
			res := a.client().post("/raw", nil).want(t, 422)
			var input *ginauth.InputError
			if !errors.As(err, &input) || strings.Contains(res.body, goodPass) || strings.Contains(fmt.Sprintf("%v %+v %#v", given, given, given), goodPass) {
				t.Errorf("%v", err)
			}
		}
		if n := a.m.Hasher().Computations() - before; n != 0 {
			t.Errorf("%d hashes", n)
		}
	})
}

func TestAuthenticatorMethods(t *testing.T) {
	a := newApp(t, memoryBackend(t), nil, func(a *app, r *gin.Engine) {
		creds := ginauth.Credentials{"email": aliceEmail, "password": goodPass}
		r.GET("/once", func(c *gin.Context) {
			au, ctx := ginauth.From(c), c.Request.Context()
			if !au.Guest(ctx) || au.Check(ctx) {
				t.Error("a guest is not one")
			}
			if id, err := au.ID(ctx); id != "" || err != nil {
				t.Errorf("a guest has id %q, %v", id, err)
			}
			if res, err := au.Once(ctx, creds); err != nil || res.User.AuthID() != a.alice.AuthID() {
				t.Errorf("Once: %v %v", res, err)
			}
			if id, _ := au.ID(ctx); id != a.alice.AuthID() || !au.Check(ctx) || au.Guest(ctx) {
				t.Error("Once has no effect")
			}
			if au.GuardName() != "web" || au.Guard("web").GuardName() != "web" {
				t.Error("guard name")
			}
		})
		r.GET("/validate", func(c *gin.Context) {
			au, ctx := ginauth.From(c), c.Request.Context()
			if u, err := au.Validate(ctx, creds); err != nil || u.AuthID() != a.alice.AuthID() || au.Check(ctx) {
				t.Errorf("Validate: %v %v", u, err)
			}
		})
		r.GET("/when", func(c *gin.Context) {
			refuse := func(u models.Authenticatable) bool { return u.AuthID() != a.alice.AuthID() }
			_, err := ginauth.From(c).AttemptWhen(c.Request.Context(), creds, refuse)
			if !errors.Is(err, ginauth.ErrInvalidCredentials) {
				t.Errorf("AttemptWhen: %v", err)
			}
		})
		r.GET("/panics", func(c *gin.Context) { ginauth.From(c).Guard("typo") })
	})
	c := a.client()
	for _, path := range []string{"/once", "/validate", "/when"} {
		c.get(path).want(t, 200)
		if len(c.cookies) > 0 {
			t.Errorf("%s set %v", path, c.cookies)
		}
	}
	c.get("/panics").want(t, 500)
}

func TestEventsOfALogin(t *testing.T) {
	heard := make(chan events.Event, 10)
	a := newApp(t, memoryBackend(t), nil, nil)
	ginauth.On(a.m, func(_ context.Context, e events.Login) { heard <- e })
	ginauth.On(a.m, func(_ context.Context, e events.Failed) { panic("CANARY-listener") })
	c := a.client()
	c.login(aliceEmail, "wrong").want(t, 401)
	c.login("nobody@example.com", "wrong").want(t, 401)
	c.login(aliceEmail, goodPass).want(t, 200)
	if err := a.m.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := eventNames(a); got != "attempting failed attempting failed attempting authenticated login" {
		t.Errorf("events: %s", got)
	}
	if e := (<-heard).EventMeta(); e.UserID != a.alice.AuthID() || e.Guard != "web" || e.Address != "127.0.0.1" || e.UserAgent == "" || !e.Time.Equal(a.clock.Now()) {
		t.Errorf("event %+v", e)
	}
	failed := eventsOf[events.Failed](a)
	if failed[0].UserID != a.alice.AuthID() || failed[1].UserID != "" || failed[0].Account == failed[1].Account || failed[1].Account == "" {
		t.Errorf("failed events %+v", failed)
	}
	if logs := a.logs.String(); strings.Contains(logs, "CANARY") || !strings.Contains(logs, "listener panicked") {
		t.Errorf("logs: %s", logs)
	}
}

func TestSlowListenerDelaysNobody(t *testing.T) { // L05
	block := make(chan struct{})
	a := newApp(t, memoryBackend(t), func(c *ginauth.Config) { c.EventQueue = 1; c.Throttle.InsecureDisable = true }, nil)
	ginauth.On(a.m, func(context.Context, events.Event) { <-block })
	c := a.client()
	for range 5 {
		c.login(aliceEmail, goodPass).want(t, 200)
	}
	if a.m.DroppedEvents() == 0 {
		t.Error("nothing was counted as dropped")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.m.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	close(block)
}

func TestMiddlewares(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a := newApp(t, b, nil, nil)
		guest, alice, bob := a.client(), a.loggedIn(aliceEmail), a.loggedIn(bobEmail)
		for _, row := range []struct {
			c      *client
			path   string
			status int
		}{
			{guest, "/me", 401}, {alice, "/me", 200}, {guest, "/guest", 200}, {alice, "/guest", 403},
			{guest, "/verified", 401}, {alice, "/verified", 200}, {bob, "/verified", 403},
		} {
			row.c.get(row.path).want(t, row.status)
		}
		res := guest.get("/me")
		if res.Header.Get("WWW-Authenticate") != `Session realm="web"` || !strings.Contains(res.body, `"unauthenticated"`) {
			t.Errorf("challenge %v, body %s", res.Header, res.body)
		}
		if code := bob.get("/verified").body; !strings.Contains(code, `"email_not_verified"`) {
			t.Errorf("body %s", code)
		}
	})
}
