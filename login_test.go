package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

func TestLoginTellsNobodyWhoExists(t *testing.T) { // E01, E02
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited))
		now := a.Clock.Now()
		users := map[string]func(*models.User){
			"disabled":   func(u *models.User) { u.DisabledAt = &now },
			"nohash":     func(u *models.User) { u.Password = "" },
			"broken":     func(u *models.User) { u.Password = "$argon2id$v=19$m=8388608,t=1,p=1$AAAA$AAAA" },
			"plain":      func(u *models.User) { u.Password = testapp.Password },
			"unverified": func(u *models.User) { u.EmailVerifiedAt = nil },
		}
		for name, f := range users {
			u := a.AddUser(name, name+"@example.com", testapp.Password)
			b.Users.Change(u.AuthID(), f)
		}
		count := func(email, password string) (*testapp.Response, uint64) {
			before := a.Hasher().Computations()
			return a.Client().LogIn(email, password), a.Hasher().Computations() - before
		}
		want, hashes := count(testapp.Alice, "wrong password")
		want.Want(t, 401)
		if hashes != 1 {
			t.Fatalf("a wrong password costs %d hashes", hashes)
		}
		for email, password := range map[string]string{
			"nobody@example.com": testapp.Password, "disabled@example.com": testapp.Password, "nohash@example.com": testapp.Password,
			"broken@example.com": testapp.Password, "plain@example.com": testapp.Password, "unverified@example.com": "wrong password",
		} {
			got, n := count(email, password)
			testapp.Same(t, want, got, email)
			if n != hashes {
				t.Errorf("%s: %d hashes, a wrong password costs %d", email, n, hashes)
			}
		}
	})
}

func TestHiddenAccountsTellNothingAtLogin(t *testing.T) { // E01, E06
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Account.HideAccountExistence = true
	}))
	right, wrong := a.Client().LogIn(testapp.Bob, testapp.Password), a.Client().LogIn(testapp.Bob, "wrong") // Bob's address is not verified
	if right.StatusCode != 401 || right.Text != wrong.Text {
		t.Errorf("%d %s and %d %s", right.StatusCode, right.Text, wrong.StatusCode, wrong.Text)
	}
	a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
}

func TestPasswordsAreTakenAsTheyAre(t *testing.T) { // P01–P04, P09
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			c.Throttle.InsecureDisable = true
			c.Hashing = hashing.Config{Driver: hashing.Bcrypt{Cost: 4}, InsecureAllowWeakParameters: true}
		}))
		long := strings.Repeat("a", 72)
		a.AddUser("Long", "long@example.com", long)
		a.AddUser("Short", "short@example.com", "ab")
		a.AddUser("Space", "space@example.com", " pass ")
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
			if got := a.Client().LogIn(row.email, row.password); got.StatusCode != row.status {
				t.Errorf("%s %.20q: status %d, want %d", row.email, row.password, got.StatusCode, row.status)
			}
		}
		before := a.Hasher().Computations()
		for _, password := range []string{`x\ud800`, `x\ud801`, "x\xff", "x\xfe"} {
			a.Client().Do("POST", "/login", "application/json", `{"email":"a@b.c","password":"`+password+`"}`).Want(t, 422)
		}
		for _, size := range []int{1 << 20, 16 << 20} { // P05
			a.Client().Do("POST", "/login", "application/json",
				`{"email":"a@b.c","password":"`+strings.Repeat("x", size)+`"}`).Want(t, 413)
		}
		a.Client().LogIn(strings.Repeat("x", 2000)+"@example.com", "x").Want(t, 422)
		if n := a.Hasher().Computations() - before; n != 0 {
			t.Errorf("%d hashes for input that cannot be right", n)
		}
	})
}

func TestOtherAlgorithmsStillLogInAndAreRehashed(t *testing.T) { // P10
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		for name, driver := range map[string]hashing.Driver{
			"bcrypt": hashing.Bcrypt{Cost: 4}, "scrypt": hashing.Scrypt{N: 1024, R: 8, P: 1}, "argon2id": hashing.Argon2id{Memory: 128, Time: 1},
		} {
			old, err := hashing.New(hashing.Config{Driver: driver, InsecureAllowWeakParameters: true})
			if err != nil {
				t.Fatal(err)
			}
			hash, err := old.Hash(context.Background(), testapp.Password)
			if err != nil {
				t.Fatal(err)
			}
			u := a.AddUser(name, name+"@example.com", testapp.Password)
			b.Users.Change(u.AuthID(), func(u *models.User) { u.Password = hash })
			c := a.Client()
			c.LogIn(name+"@example.com", testapp.Password).Want(t, 200)
			stored, _ := b.Users.UserByID(context.Background(), u.AuthID())
			if stored.AuthPassword() == hash || a.Hasher().NeedsRehash(stored.AuthPassword()) {
				t.Errorf("%s: the hash was not renewed: %s", name, stored.AuthPassword())
			}
			c.Get("/me").Want(t, 200)
			a.Client().LogIn(name+"@example.com", testapp.Password).Want(t, 200)
		}
	})
}

// plainUser is a user type without any optional capability.
type plainUser struct{ id, hash string }

func (u *plainUser) AuthID() string { return u.id }

func (u *plainUser) AuthPassword() string { return u.hash }

type plainUsers struct {
	*ginauthtest.Users
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
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		p := plainUsers{new(ginauthtest.Users), &plainUser{id: "7"}}
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users = p }))
		old, _ := hashing.New(hashing.Config{Driver: hashing.Bcrypt{Cost: 4}, InsecureAllowWeakParameters: true})
		p.user.hash, _ = old.Hash(context.Background(), testapp.Password)
		c := a.Client()
		c.LogIn("x@example.com", testapp.Password).Want(t, 200)
		c.Get("/me").Want(t, 200)
		c.Get("/verified").Want(t, 403) // V06
		p.user.hash, _ = old.Hash(context.Background(), testapp.Password)
		c.Get("/me").Want401(t)
	})
}

// TestUserWithEmptyStampGetsOne logs in a user whose row another program has made.
func TestUserWithEmptyStampGetsOne(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b)
		b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "" })
		clients := make([]*testapp.Client, 3)
		testapp.Race(len(clients), func(i int) {
			clients[i] = a.Client()
			clients[i].LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		})
		if a.User(a.Alice.AuthID()).SecurityStamp == "" {
			t.Error("the user has no stamp")
		}
		for _, c := range clients {
			c.Get("/me").Want(t, 200)
		}
	})
}

// noStamps is a provider that changes no stamps.
type noStamps struct{ models.UserProvider }

func TestUserWithEmptyStampIsNotLoggedIn(t *testing.T) {
	b := testapp.Memory(t)
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users = noStamps{b.Users} }))
	b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "" })
	if res := a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 500); len(res.Header["Set-Cookie"]) > 0 {
		t.Error("a session that ends at once was begun")
	}
	if !strings.Contains(a.Logs.String(), "empty security stamp") {
		t.Error("the log does not say why")
	}
}

func TestCredentialsAreStringsInKnownFields(t *testing.T) { // D02, L06
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		var given ginauth.Credentials
		var err error
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.POST("/raw", func(c *gin.Context) {
				if _, err = ginauth.From(c).Attempt(c.Request.Context(), given); err != nil {
					ginauth.Abort(c, err)
				}
			})
		}))
		before := a.Hasher().Computations()
		for _, given = range []ginauth.Credentials{
			nil, {}, {"password": testapp.Password}, {"email": testapp.Alice}, {"password": testapp.Password, "is_admin": "true"},
			{"password": testapp.Password, "users.password": "x"}, {"password": testapp.Password, "email OR 1=1": "x"},
			{"password": testapp.Password, "email = '' OR 1=1 --": "x"}, {"password": testapp.Password, "": "x"},
			{"password": testapp.Password, "email": []string{testapp.Alice}}, {"password": testapp.Password, "email": nil},
			{"password": testapp.Password, "email": map[string]any{}}, {"password": testapp.Password, "email": struct{}{}},
			{"password": testapp.Password, "email": func() {}}, {"password": []byte(testapp.Password), "email": testapp.Alice},
			{"password": testapp.Password, "email": testapp.Alice, "id": "1"}, {"password": testapp.Password, "email": "a\x00b@example.com"},
			{"password": testapp.Password, "EMAIL": testapp.Alice}, {"password": testapp.Password, "email": "  "},
		} {
			res := a.Client().Post("/raw", nil).Want(t, 422)
			var input *ginauth.InputError
			if !errors.As(err, &input) || strings.Contains(res.Text, testapp.Password) || strings.Contains(fmt.Sprintf("%v %+v %#v", given, given, given), testapp.Password) {
				t.Errorf("%v", err)
			}
		}
		if n := a.Hasher().Computations() - before; n != 0 {
			t.Errorf("%d hashes", n)
		}
	})
}

func TestLoginIntoBegunResponseIsRefused(t *testing.T) {
	testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
		var loginErr error
		a := testapp.New(t, b)
		r := gin.New()
		r.Use(func(c *gin.Context) { c.Writer.Flush() }, a.StartSession())
		r.GET("/x", func(c *gin.Context) { _, loginErr = ginauth.From(c).LoginUsingID(c.Request.Context(), "1") })
		a.Serve(r)
		a.Client().Get("/x").Want(t, 200)
		if !errors.Is(loginErr, ginauth.ErrCommitted) || strings.Contains(a.EventNames(), "login") {
			t.Errorf("login into a response that has begun: %v, events %s", loginErr, a.EventNames())
		}
	})
}

// TestOptionsDecideNeitherWhoNorWhatWasProved tries an option that replaces the whole request.
func TestOptionsDecideNeitherWhoNorWhatWasProved(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) { c.Account.HideAccountExistence = true }),
		testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.POST("/in", func(c *gin.Context) {
				auth := ginauth.From(c)
				res, ok := testapp.Attempt(c, auth, func(r *ginauth.LoginRequest) { *r = ginauth.LoginRequest{User: a.Bob, Remember: true} })
				if ok {
					testapp.Answer(c, res, nil)
				}
			})
		}))
	c := a.Client()
	c.Post("/in", testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 204)
	if name := c.Get("/me").Want(t, 200).UserName(t); name != "Alice" {
		t.Errorf("%s is logged in", name)
	}
	if c.Remember() == "" {
		t.Error("the option did not make the login outlast the session")
	}
	// Bob's address is not verified, which counts for logins by a password.
	a.Client().Post("/in", testapp.Credentials(testapp.Bob, testapp.Password)).Want(t, 401)
}

func TestErrorsAreNotShared(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t))
	reset := func() *ginauth.InputError {
		err := a.Reset(testapp.Alice, "wrong", testapp.NewPassword)
		input, ok := errors.AsType[*ginauth.InputError](err)
		if !ok {
			t.Fatal(err)
		}
		return input
	}
	first := reset()
	want := first.Reason
	first.Reason = "translated by the application"
	if got := reset().Reason; got != want {
		t.Errorf("another request's error says %q", got)
	}
}
