package experiments_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/models"
)

// passwordOf returns a password for the n-th of many requests.
func passwordOf(n int) string { return fmt.Sprintf("marbled ocelots juggle %04d", n) }

// Of changes that all give the current password one is made. Nobody else's login
// outlives it, whatever the others were told.
func TestOneOfParallelPasswordChangesIsMade(t *testing.T) { // P12
	for _, one := range []bool{true, false} {
		t.Run(fmt.Sprintf("one session %v", one), func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := testapp.New(t, b, testapp.Configure(testapp.Unlimited))
				clients := make([]*testapp.Client, testsize.Rounds(200, 40))
				first := a.LoggedIn(testapp.Alice)
				for i := range clients {
					if clients[i] = first.With(first.Session()); !one && i%10 == 0 {
						first = a.LoggedIn(testapp.Alice)
					}
				}
				answers := make([]*testapp.Response, len(clients))
				testapp.Race(len(clients), func(i int) {
					var err error
					answers[i], err = clients[i].TryPost("/password", testapp.Passwords(testapp.Password, passwordOf(i)))
					if err != nil {
						t.Error(err)
					}
				})
				winner := -1
				for i, res := range answers {
					switch {
					case res == nil:
					case res.StatusCode == 204 && winner < 0:
						winner = i
					case res.StatusCode != 401 && res.StatusCode != 409 && res.StatusCode != 422:
						t.Errorf("change %d: status %d after %d was made; body %s", i, res.StatusCode, winner, res.Text)
					case len(res.Header["Set-Cookie"]) > 0:
						t.Errorf("change %d: status %d sets %q", i, res.StatusCode, res.Header["Set-Cookie"])
					}
				}
				if winner < 0 {
					t.Fatal("no change was made")
				}
				for i, c := range clients {
					if res := c.Get("/me"); i != winner {
						res.WantDead(t)
					} else if res.StatusCode != 200 {
						t.Errorf("change %d was made and does not go on", i)
					}
				}
				if n := len(testapp.EventsOf[events.PasswordChanged](a)); n != 1 {
					t.Errorf("%d events of a change", n)
				}
				a.Client().LogIn(testapp.Alice, passwordOf(winner)).Want(t, 200)
				a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 401)
			})
		})
	}
}

// betweenUsers lets somebody else change a user after it was looked at, and
// before the first change that the manager makes of it.
type betweenUsers struct {
	testapp.Users
	once    *sync.Once
	between func()
}

func (p betweenUsers) ChangePassword(ctx context.Context, id, oldStamp, newHash, newStamp string) (models.Authenticatable, error) {
	p.once.Do(p.between)
	return p.Users.ChangePassword(ctx, id, oldStamp, newHash, newStamp)
}

func (p betweenUsers) ChangeStamp(ctx context.Context, id, oldStamp, newStamp string) (models.Authenticatable, error) {
	p.once.Do(p.between)
	return p.Users.ChangeStamp(ctx, id, oldStamp, newStamp)
}

// A change that lost says so. What recovers an account takes effect all the same.
func TestChangesInBetweenAreNoticed(t *testing.T) { // S06, W10
	reset := func(a *testapp.App) func() error {
		token := a.ResetToken(testapp.Alice)
		return func() error {
			return a.Reset(testapp.Alice, token, testapp.NewPassword)
		}
	}
	request := func(path string, form testapp.PasswordForm) func(*testapp.App) func() error {
		return func(a *testapp.App) func() error {
			c := a.LoggedIn(testapp.Alice)
			return func() error {
				res := c.Post(path, form)
				if len(res.Header["Set-Cookie"]) > 0 {
					a.Errorf("status %d sets %q", res.StatusCode, res.Header["Set-Cookie"])
				}
				c.Get("/me").Want401(a)
				if res.Want(a, 409); len(testapp.EventsOf[events.PasswordChanged](a))+len(testapp.EventsOf[events.OtherDeviceLogout](a)) > 0 {
					a.Error("an event of what was not done")
				}
				return nil
			}
		}
	}
	const lost, made = testapp.Password, testapp.NewPassword // the password afterwards
	for name, row := range map[string]struct {
		begin func(*testapp.App) func() error
		after string
	}{
		"password change": {request("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)), lost},
		"other devices":   {request("/logout-others", testapp.Passwords("", testapp.Password)), lost},
		"reset":           {reset, made},
		"revocation": {func(a *testapp.App) func() error {
			return func() error { return a.RevokeUser(a.Context(), "web", a.Alice.AuthID()) }
		}, lost},
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				between := func() {}
				wrapped := *b
				wrapped.Users = betweenUsers{b.Users, new(sync.Once), func() { between() }}
				a := testapp.New(t, &wrapped, testapp.Configure(testapp.Unlimited))
				finish := row.begin(a)
				session, stamp := "", ""
				between = func() { // whoever else has the password signs the others out
					stamp = "stamp in between"
					u, err := b.Users.ChangeStamp(context.Background(), a.Alice.AuthID(), a.Alice.SecurityStamp, stamp)
					if err != nil || u == nil {
						t.Errorf("in between: %v, %v", u, err)
					}
					session = a.LoggedIn(testapp.Alice).Session()
				}
				if err := finish(); err != nil {
					t.Fatal(err)
				}
				if stamp == "" {
					t.Fatal("nothing came in between")
				}
				overruled := name == "reset" || name == "revocation"
				if got := a.Client().With(session).Get("/me").StatusCode; got != map[bool]int{true: 401, false: 200}[overruled] {
					t.Errorf("the login in between: status %d", got)
				}
				a.Client().LogIn(testapp.Alice, row.after).Want(t, 200)
			})
		})
	}
}

// A reset that comes while the owner of the account changes the address, or is
// disabled, proves nothing any more.
func TestResetOverrulesNoOtherOwner(t *testing.T) { // W05
	for name, change := range map[string]func(*models.User){
		"address":  func(u *models.User) { u.Email, u.EmailCanonical = "new@example.com", "new@example.com" },
		"disabled": func(u *models.User) { u.DisabledAt = &u.CreatedAt },
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachKindOfSession(t, func(t *testing.T, b *testapp.Backend) {
				between := func() {}
				wrapped := *b
				wrapped.Users = betweenUsers{b.Users, new(sync.Once), func() { between() }}
				a := testapp.New(t, &wrapped)
				token := a.ResetToken(testapp.Alice)
				between = func() {
					b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.SecurityStamp = "another"; change(u) })
				}
				err := a.Reset(testapp.Alice, token, testapp.NewPassword)
				if ginauth.StatusOf(err) != 422 {
					t.Errorf("reset: %v", err)
				}
				if u, err := b.Users.UserByID(t.Context(), a.Alice.AuthID()); err != nil || u.AuthPassword() != a.Alice.Password {
					t.Errorf("the password is another, %v", err)
				}
			})
		})
	}
}

// Of a change and a reset at once what was acknowledged is true: a reset that was
// done is in force, and where it was not the change is.
func TestPasswordChangeAgainstReset(t *testing.T) { // EXP-09, W10
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(testapp.Unlimited, testapp.UnlimitedMails))
		password := testapp.Password
		for i := range testsize.Rounds(200, 20) {
			c := a.Client()
			c.LogIn(testapp.Alice, password).Want(t, 200)
			token := a.ResetToken(testapp.Alice)
			changed, chosen := passwordOf(2*i), passwordOf(2*i+1)
			var res *testapp.Response
			var err, resetErr error
			testapp.Race(2, func(n int) {
				if n == 0 {
					res, err = c.TryPost("/password", testapp.Passwords(password, changed))
					return
				}
				resetErr = a.Reset(testapp.Alice, token, chosen)
			})
			switch {
			case err != nil:
				t.Fatal(err)
			case resetErr == nil: // in force, whatever the change was told
				password = chosen
				c.Get("/me").Want401(t)
			case res.StatusCode == 204 && ginauth.StatusOf(resetErr) == 422:
				password = changed
				c.Get("/me").Want(t, 200)
			default:
				t.Fatalf("the change: status %d; the reset: %v", res.StatusCode, resetErr)
			}
			for _, p := range []string{changed, chosen} {
				a.Client().LogIn(testapp.Alice, p).Want(t, map[bool]int{true: 200, false: 401}[p == password])
			}
		}
	})
}
