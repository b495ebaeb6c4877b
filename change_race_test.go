package ginauth_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// passwordOf returns a password for the n-th of many requests.
func passwordOf(n int) string { return fmt.Sprintf("marbled ocelots juggle %04d", n) }

// Of changes that all give the current password one is made. Nobody else's login
// outlives it, whatever the others were told.
func TestParallelPasswordChanges(t *testing.T) { // P12
	for _, one := range []bool{true, false} {
		t.Run(fmt.Sprintf("one session %v", one), func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b *backend) {
				a, _ := accounts(t, b, unlimited)
				clients := make([]*client, rounds(200, 40))
				first := a.loggedIn(aliceEmail)
				for i := range clients {
					if clients[i] = first.with(first.session()); !one && i%10 == 0 {
						first = a.loggedIn(aliceEmail)
					}
				}
				answers := make([]*response, len(clients))
				together(len(clients), func(i int) {
					var err error
					answers[i], err = clients[i].try(context.Background(), "POST", "/password", "application/json",
						fmt.Sprintf(`{"current":%q,"password":%q}`, goodPass, passwordOf(i)))
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
						t.Errorf("change %d: status %d after %d was made; body %s", i, res.StatusCode, winner, res.body)
					case len(res.Header["Set-Cookie"]) > 0:
						t.Errorf("change %d: status %d sets %q", i, res.StatusCode, res.Header["Set-Cookie"])
					}
				}
				if winner < 0 {
					t.Fatal("no change was made")
				}
				for i, c := range clients {
					if want := map[bool]int{true: 200, false: 401}[i == winner]; c.get("/me").StatusCode != want {
						t.Errorf("change %d goes on, and %d was made", i, winner)
					}
				}
				if n := len(eventsOf[events.PasswordChanged](a)); n != 1 {
					t.Errorf("%d events of a change", n)
				}
				a.client().login(aliceEmail, passwordOf(winner)).want(t, 200)
				a.client().login(aliceEmail, goodPass).want(t, 401)
			})
		})
	}
}

// unlimited lets tests try as often as they like.
func unlimited(c *ginauth.Config) { c.Throttle.InsecureDisable = true }

// betweenUsers lets somebody else change a user after it was looked at, and
// before the first change that the manager makes of it.
type betweenUsers struct {
	userBackend
	once    *sync.Once
	between func()
}

func (p betweenUsers) ChangePassword(ctx context.Context, id, oldStamp, newHash, newStamp string) (models.Authenticatable, error) {
	p.once.Do(p.between)
	return p.userBackend.ChangePassword(ctx, id, oldStamp, newHash, newStamp)
}

func (p betweenUsers) ChangeStamp(ctx context.Context, id, oldStamp, newStamp string) (models.Authenticatable, error) {
	p.once.Do(p.between)
	return p.userBackend.ChangeStamp(ctx, id, oldStamp, newStamp)
}

// A change that lost says so. What recovers an account takes effect all the same.
func TestChangesInBetween(t *testing.T) { // S06, W10
	reset := func(a *app, box *ginauthtest.Mailbox) func() error {
		if err := a.m.Broker("web").SendResetLink(a.Context(), aliceEmail); err != nil {
			a.Fatal(err)
		}
		token := box.Token(a.T, mail.ResetPassword)
		return func() error {
			return a.m.Broker("web").Reset(a.Context(), ginauth.PasswordReset{Email: aliceEmail, Token: token, Password: nextPass})
		}
	}
	request := func(path string, form passwordForm) func(*app, *ginauthtest.Mailbox) func() error {
		return func(a *app, _ *ginauthtest.Mailbox) func() error {
			c := a.loggedIn(aliceEmail)
			return func() error {
				res := c.post(path, form)
				if len(res.Header["Set-Cookie"]) > 0 {
					a.Errorf("status %d sets %q", res.StatusCode, res.Header["Set-Cookie"])
				}
				c.get("/me").is401(a.T)
				if res.want(a.T, 409); len(eventsOf[events.PasswordChanged](a))+len(eventsOf[events.OtherDeviceLogout](a)) > 0 {
					a.Error("an event of what was not done")
				}
				return nil
			}
		}
	}
	const lost, made = goodPass, nextPass // the password afterwards
	for name, row := range map[string]struct {
		begin func(*app, *ginauthtest.Mailbox) func() error
		after string
	}{
		"password change": {request("/password", passwordForm{goodPass, nextPass}), lost},
		"other devices":   {request("/logout-others", passwordForm{Password: goodPass}), lost},
		"reset":           {reset, made},
		"revocation": {func(a *app, _ *ginauthtest.Mailbox) func() error {
			return func() error { return a.m.RevokeUser(a.Context(), "web", a.alice.AuthID()) }
		}, lost},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b *backend) {
				between := func() {}
				wrapped := *b
				wrapped.users = betweenUsers{b.users, new(sync.Once), func() { between() }}
				a, box := accounts(t, &wrapped, unlimited)
				finish := row.begin(a, box)
				session, stamp := "", ""
				between = func() { // whoever else has the password signs the others out
					stamp = "stamp in between"
					u, err := b.users.ChangeStamp(context.Background(), a.alice.AuthID(), a.alice.SecurityStamp, stamp)
					if err != nil || u == nil {
						t.Errorf("in between: %v, %v", u, err)
					}
					session = a.loggedIn(aliceEmail).session()
				}
				if err := finish(); err != nil {
					t.Fatal(err)
				}
				if stamp == "" {
					t.Fatal("nothing came in between")
				}
				overruled := name == "reset" || name == "revocation"
				if got := a.client().with(session).get("/me").StatusCode; got != map[bool]int{true: 401, false: 200}[overruled] {
					t.Errorf("the login in between: status %d", got)
				}
				a.client().login(aliceEmail, row.after).want(t, 200)
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
			eachKind(t, func(t *testing.T, b *backend) {
				between := func() {}
				wrapped := *b
				wrapped.users = betweenUsers{b.users, new(sync.Once), func() { between() }}
				a, box := accounts(t, &wrapped)
				if err := a.m.Broker("web").SendResetLink(t.Context(), aliceEmail); err != nil {
					t.Fatal(err)
				}
				token := box.Token(t, mail.ResetPassword)
				between = func() {
					b.users.change(a.alice.AuthID(), func(u *models.User) { u.SecurityStamp = "another"; change(u) })
				}
				err := a.m.Broker("web").Reset(t.Context(), ginauth.PasswordReset{Email: aliceEmail, Token: token, Password: nextPass})
				if ginauth.StatusOf(err) != 422 {
					t.Errorf("reset: %v", err)
				}
				if u, err := b.users.UserByID(t.Context(), a.alice.AuthID()); err != nil || u.AuthPassword() != a.alice.Password {
					t.Errorf("the password is another, %v", err)
				}
			})
		})
	}
}

// Of a change and a reset at once what was acknowledged is true: a reset that was
// done is in force, and where it was not the change is.
func TestPasswordChangeAgainstReset(t *testing.T) { // EXP-09, W10
	eachBackend(t, func(t *testing.T, b *backend) {
		a, box := accounts(t, b, unlimited, func(c *ginauth.Config) { c.Account.MailPerMinute, c.Account.MailPerHour = 1<<20, 1<<20 })
		password := goodPass
		for i := range rounds(200, 20) {
			c := a.client()
			c.login(aliceEmail, password).want(t, 200)
			box.Clear()
			if err := a.m.Broker("web").SendResetLink(t.Context(), aliceEmail); err != nil {
				t.Fatal(err)
			}
			token := box.Token(t, mail.ResetPassword)
			changed, chosen := passwordOf(2*i), passwordOf(2*i+1)
			var res *response
			var err, resetErr error
			together(2, func(n int) {
				if n == 0 {
					res, err = c.try(context.Background(), "POST", "/password", "application/json",
						fmt.Sprintf(`{"current":%q,"password":%q}`, password, changed))
					return
				}
				resetErr = a.m.Broker("web").Reset(context.Background(), ginauth.PasswordReset{Email: aliceEmail, Token: token, Password: chosen})
			})
			switch {
			case err != nil:
				t.Fatal(err)
			case resetErr == nil: // in force, whatever the change was told
				password = chosen
				c.get("/me").is401(t)
			case res.StatusCode == 204 && ginauth.StatusOf(resetErr) == 422:
				password = changed
				c.get("/me").want(t, 200)
			default:
				t.Fatalf("the change: status %d; the reset: %v", res.StatusCode, resetErr)
			}
			for _, p := range []string{changed, chosen} {
				a.client().login(aliceEmail, p).want(t, map[bool]int{true: 200, false: 401}[p == password])
			}
		}
	})
}

// L04: one event for each revocation, when it is done.
func TestRevokeUserIsToldOnce(t *testing.T) {
	b, f := memoryBackend(t).faultyTokens()
	a, _ := accounts(t, b)
	a.loggedIn(aliceEmail)
	f.set("revoke owner", faultRefuse)
	if err := a.m.RevokeUser(t.Context(), "web", a.alice.AuthID()); ginauth.StatusOf(err) != 503 {
		t.Errorf("during an outage: %v", err)
	}
	if told := eventsOf[events.UserRevoked](a); len(told) != 0 {
		t.Errorf("events %+v of what is not done", told)
	}
	f.set("", faultNone)
	if err := a.m.RevokeUser(t.Context(), "web", a.alice.AuthID()); err != nil {
		t.Fatal(err)
	}
	told := eventsOf[events.UserRevoked](a)
	if len(told) != 1 || told[0].UserID != a.alice.AuthID() || told[0].Guard != "web" || told[0].Time.IsZero() || told[0].EventName() != "user_revoked" {
		t.Errorf("events %+v", told)
	}
}

// Of revocations at once each takes effect, and is told.
func TestParallelRevocations(t *testing.T) {
	eachBackend(t, func(t *testing.T, b *backend) {
		a, _ := accounts(t, b)
		c := a.loggedIn(aliceEmail)
		n := rounds(50, 10)
		together(n, func(int) {
			if err := a.m.RevokeUser(context.Background(), "web", a.alice.AuthID()); err != nil {
				t.Error(err)
			}
		})
		c.get("/me").is401(t)
		if told := len(eventsOf[events.UserRevoked](a)); told != n {
			t.Errorf("%d events of %d", told, n)
		}
	})
}
