package experiments_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/models"
)

// steppedUsers tells how far a login has come, to who listens.
type steppedUsers struct {
	testapp.Users
	steps atomic.Pointer[chan string]
}

func (p *steppedUsers) step(name string) {
	select {
	case *p.steps.Load() <- name:
	default:
	}
}

func (p *steppedUsers) UserByIdentifier(ctx context.Context, field, canonical string) (models.Authenticatable, error) {
	defer p.step(loginFound)
	return p.Users.UserByIdentifier(ctx, field, canonical)
}

func (p *steppedUsers) RehashPassword(ctx context.Context, id, oldHash, newHash string) (bool, error) {
	p.step(loginRehash)
	return p.Users.RehashPassword(ctx, id, oldHash, newHash)
}

// meet returns at once, or when a login that runs has come to one of its steps.
func (p *steppedUsers) meet() {
	steps := *p.steps.Load()
	for at := []string{"", loginFound, loginRehash}[rand.IntN(3)]; at != ""; {
		if step := <-steps; step == at || step == loginDone {
			return
		}
	}
}

// The steps of a login, in their order.
const (
	loginFound  = "found"  // it knows the user's hash
	loginRehash = "rehash" // it knows that the password is right
	loginDone   = "done"
)

func TestRehashUndoesNoPasswordChange(t *testing.T) { // EXP-08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		users := &steppedUsers{Users: b.Users}
		users.steps.Store(new(chan string))
		b.Users = users
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited))
		old, _ := hashing.New(hashing.Config{Driver: hashing.Bcrypt{Cost: 4}, InsecureAllowWeakParameters: true})
		oldHash, _ := old.Hash(context.Background(), testapp.Password)
		const newPass = "an entirely different pass phrase"
		newHash, _ := a.Hasher().Hash(context.Background(), newPass)
		id := a.Alice.AuthID()
		n, overtaken := testsize.Rounds(1000, 40), 0
		for i := range n {
			b.Users.Change(id, func(u *models.User) { u.Password, u.SecurityStamp = oldHash, fmt.Sprint("old", i) })
			steps := make(chan string, 3)
			users.steps.Store(&steps)
			var opened atomic.Pointer[testapp.Client]
			testapp.Race(2, func(n int) {
				if n == 0 {
					users.meet()
					if _, err := b.Users.ChangePassword(context.Background(), id, fmt.Sprint("old", i), newHash, fmt.Sprint("new", i)); err != nil {
						t.Error(err)
					}
					return
				}
				defer users.step(loginDone)
				c := a.Client()
				res, err := c.TryPost("/login", testapp.Credentials(testapp.Alice, testapp.Password))
				if err != nil || (res.StatusCode != 200 && res.StatusCode != 401) {
					t.Errorf("%v %v", res, err)
				}
				if c.Session() != "" {
					opened.Store(c)
				}
			})
			a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 401)
			a.Client().LogIn(testapp.Alice, newPass).Want(t, 200)
			if c := opened.Load(); c != nil { // EXP-09
				c.Get("/me").Want401(t)
				overtaken++
			}
		}
		t.Logf("%d rounds, %d logins overtaken by the change", n, overtaken)
	})
}

// countedUsers counts hashes that were replaced.
type countedUsers struct {
	testapp.Users
	rehashed atomic.Int32
}

func (p *countedUsers) RehashPassword(ctx context.Context, id, oldHash, newHash string) (bool, error) {
	replaced, err := p.Users.RehashPassword(ctx, id, oldHash, newHash)
	if replaced {
		p.rehashed.Add(1)
	}
	return replaced, err
}

func TestParallelRehashWritesOnce(t *testing.T) { // EXP-08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		users := &countedUsers{Users: b.Users}
		b.Users = users
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited))
		old, _ := hashing.New(hashing.Config{Driver: hashing.Bcrypt{Cost: 4}, InsecureAllowWeakParameters: true})
		hash, _ := old.Hash(context.Background(), testapp.Password)
		for range testsize.Rounds(50, 1) {
			b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.Password = hash })
			users.rehashed.Store(0)
			testapp.Race(100, func(int) {
				res, err := a.Client().TryPost("/login", testapp.Credentials(testapp.Alice, testapp.Password))
				if err != nil || res.StatusCode != 200 {
					t.Errorf("%v %v", res, err)
				}
			})
			if n := users.rehashed.Load(); n != 1 {
				t.Errorf("%d writes", n)
			}
		}
	})
}

// waitingDriver hashes when it is told to, so that a test can do something
// while a login hashes.
type waitingDriver struct {
	hashing.Driver
	began, proceed chan struct{}
}

func (d waitingDriver) Verify(password, encoded string) (bool, error) {
	d.began <- struct{}{}
	<-d.proceed
	return d.Driver.Verify(password, encoded)
}

func TestLoginWithAnOldPasswordIsWorthNothing(t *testing.T) { // EXP-09, F07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		d := waitingDriver{ginauthtest.CheapHashing().Driver, make(chan struct{}), make(chan struct{})}
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Hashing.Driver, c.Throttle.InsecureDisable = d, true }))
		hash := a.Alice.Password
		login := func(ctx context.Context, c *testapp.Client) chan *testapp.Response {
			result := make(chan *testapp.Response, 1)
			go func() {
				res, _ := c.Try(ctx, "POST", "/login", "application/json", fmt.Sprintf(`{"email":%q,"password":%q}`, testapp.Alice, testapp.Password))
				result <- res
			}()
			<-d.began
			return result
		}
		for i := range testsize.Rounds(1000, 1) {
			b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.Password, u.SecurityStamp = hash, fmt.Sprint("old", i) })
			c := a.Client()
			result := login(context.Background(), c)
			if _, err := b.Users.ChangePassword(context.Background(), a.Alice.AuthID(), fmt.Sprint("old", i), "$argon2id$x", fmt.Sprint("new", i)); err != nil {
				t.Fatal(err)
			}
			d.proceed <- struct{}{}
			<-result
			c.Get("/me").Want401(t)

			ctx, cancel := context.WithCancel(context.Background())
			gone := a.Client()
			result = login(ctx, gone)
			cancel()
			d.proceed <- struct{}{}
			<-result
			if gone.Session() != "" {
				t.Error("a client that hung up got a session")
			}
		}
	})
}
