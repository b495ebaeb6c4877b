package experiments_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Of links that are asked for at one moment one works, and one token lives.
func TestOneOfManyLinksWorks(t *testing.T) { // W04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			testapp.Unlimited(c)
			c.Account.MailPerMinute, c.Account.MailPerHour = 1<<20, 1<<20
			c.StoreTimeout *= 4
		}))
		n := testsize.Rounds(200, 50)
		owner := "users:" + a.Alice.AuthID()
		testapp.Race(n, func(int) {
			if err := a.Broker("web").SendResetLink(context.Background(), testapp.Alice); err != nil {
				t.Error(err)
			}
		})
		if err := a.Close(t.Context()); err != nil { // what runs off the requests
			t.Fatal(err)
		}
		alive, err := b.Set.Tokens.TokensOf(t.Context(), owner, 1000, stores.Reset)
		if err != nil || len(alive) != 1 {
			t.Fatalf("%d tokens live, %v", len(alive), err)
		}
		works := 0
		for _, m := range a.Outbox.Messages() {
			_, token, ok := strings.Cut(m.Text, "&token=")
			if token, _, _ = strings.Cut(token, "\n"); m.Kind != mail.ResetPassword || !ok {
				t.Fatalf("mail %s", m.Kind)
			}
			ok, err := a.Broker("web").TokenExists(t.Context(), testapp.Alice, strings.TrimSpace(token))
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				works++
			}
		}
		if works != 1 {
			t.Errorf("%d of %d links work, want 1", works, len(a.Outbox.Messages()))
		}
		if sent := len(testapp.EventsOf[events.PasswordResetLinkSent](a)); sent != len(a.Outbox.Messages()) {
			t.Errorf("%d events of %d mails", sent, len(a.Outbox.Messages()))
		}
	})
}

// The newer link is the one, whichever of two clocks its token was made by.
func TestNewerLinkWins(t *testing.T) { // W04
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Account.MailPerMinute = 10 }))
		var tokens []string
		for i := range 3 {
			tokens = append(tokens, a.ResetToken(testapp.Alice))
			a.Clock.Advance(-time.Duration(i) * time.Second) // another machine has its own
			for j, token := range tokens {
				if ok, err := a.Broker("web").TokenExists(t.Context(), testapp.Alice, token); err != nil || ok != (j == i) {
					t.Errorf("after link %d link %d works: %v, %v", i, j, ok, err)
				}
			}
		}
		err := a.Reset(testapp.Alice, tokens[2], testapp.NewPassword)
		if err != nil {
			t.Error(fmt.Errorf("the newest: %w", err))
		}
	})
}

// EXP-10, D04: of concurrent registrations of one address, in any spelling, one
// creates a user and sends a mail. Without HideAccountExistence the others get
// an error.
func TestRegistrationsRace(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		t.Run(fmt.Sprintf("hidden=%v", hidden), func(t *testing.T) {
			testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
				a := newRoutesApp(t, b, func(c *ginauth.Config) { c.Account.HideAccountExistence = hidden })
				rounds := testsize.Rounds(50, 1)
				for round := range rounds {
					a.Clock.Advance(time.Hour)
					raceRegistrations(a, round, hidden)
					if t.Failed() {
						break
					}
				}
				rest := a.RestOfMails()
				if len(rest) != rounds || slices.ContainsFunc(rest, func(kind string) bool { return kind != mail.VerifyEmail }) {
					t.Errorf("mails %v, want %d to verify an address", rest, rounds)
				}
			})
		})
	}
}

func raceRegistrations(a *testapp.App, round int, hidden bool) {
	a.Helper()
	variants := []string{
		"kate%d@bücher.example", "KATE%d@bücher.example", "Kate%d@Bücher.Example", "kate%d@BÜCHER.EXAMPLE",
		"kate%d@bu\u0308cher.example", "Kate%d@xn--bcher-kva.example",
	}
	answers := make([]*testapp.Response, racers())
	a.Race(len(answers), func(i int) {
		answers[i] = a.Client().Post("/register", registration(fmt.Sprintf(variants[i%len(variants)], round)))
	})
	var made, refused []*testapp.Response
	for _, r := range answers {
		if r.StatusCode == 201 || r.StatusCode == 202 {
			made = append(made, r)
		} else {
			refused = append(refused, r)
		}
	}
	for _, others := range [][]*testapp.Response{made, refused} {
		for i := 1; i < len(others); i++ {
			testapp.Same(a, others[i], others[0])
		}
	}
	if want := map[bool]int{true: len(answers), false: 1}[hidden]; len(made) != want {
		a.Errorf("%d successful responses, want %d", len(made), want)
	}
	if len(refused) > 0 {
		refused[0].WantField(a, "email")
	}
	if n, want := a.Backend.Users.Count(), 2+round+1; n != want {
		a.Errorf("%d users, want %d", n, want)
	}
	testapp.WantEvents[events.Registered](a, round+1)
}

// W03, EXP-03: of concurrent resets with one token, one succeeds, and its
// password is stored.
func TestConcurrentResetsSucceedOnce(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		// The requests that the throttle admits wait for each other after the
		// token was looked up and before it is consumed.
		var now atomic.Pointer[meeting]
		a := newRoutesApp(t, b, func(c *ginauth.Config) {
			c.Passwords.Breached = func(context.Context, string) (bool, error) {
				now.Load().join()
				return false, nil
			}
		})
		for round := range testsize.Rounds(50, 1) {
			a.Clock.Advance(time.Hour)
			now.Store(&meeting{begun: make(chan struct{})})
			raceResets(a, round)
			if t.Failed() {
				break
			}
		}
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// meeting is a barrier for five goroutines. The throttle admits five resets of
// an account at the same time.
type meeting struct {
	came  atomic.Int32
	begun chan struct{}
}

// join waits until five goroutines have called it.
func (m *meeting) join() {
	if m.came.Add(1) == 5 {
		close(m.begun)
	}
	<-m.begun
}

func raceResets(a *testapp.App, round int) {
	a.Helper()
	token := a.ResetToken(testapp.Alice)
	answers := make([]*testapp.Response, racers())
	password := func(i int) string { return fmt.Sprintf("CANARY juggled ocelots %02d %04d", round, i) }
	a.Race(len(answers), func(i int) {
		answers[i] = a.Client().Post("/reset-password", map[string]string{"email": testapp.Alice, "token": token, "password": password(i)})
	})
	winner := -1
	for i, r := range answers {
		switch r.StatusCode {
		case 204:
			if winner >= 0 {
				a.Errorf("%d and %d both succeeded", winner, i)
			}
			winner = i
		case 422, 429:
		default:
			a.Errorf("status %d: %s", r.StatusCode, r.Text)
		}
	}
	if winner < 0 {
		a.Fatal("no reset succeeded")
	}
	a.Clock.Advance(time.Hour)
	a.Client().LogIn(testapp.Alice, password(winner)).Want(a, 200)
	a.Client().LogIn(testapp.Alice, password((winner+1)%len(answers))).Want(a, 401)
	a.Outbox.Next(a, mail.PasswordChanged, testapp.Alice)
	testapp.WantEvents[events.PasswordReset](a, round+1)
}

// EXP-03: of concurrent confirmations one changes the address.
func TestConcurrentEmailChangesSucceedOnce(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newRoutesApp(t, b)
		email := testapp.Alice
		for round := range testsize.Rounds(50, 1) {
			a.Clock.Advance(time.Hour)
			before := email
			email = fmt.Sprintf("new%d@example.com", round)
			a.LoggedIn(before).Call("PUT", "/email", map[string]string{"email": email}).Want(t, 202)
			link := testapp.PathOf(t, a.Outbox.Next(t, mail.EmailChange, email))
			answers := make([]*testapp.Response, racers())
			a.Race(len(answers), func(i int) { answers[i] = a.Client().Post(link, "{}") })
			first := 0
			for _, r := range answers {
				if r.StatusCode == 200 {
					first++
				} else {
					r.Want(t, 403)
				}
			}
			if first != 1 {
				t.Fatalf("%d confirmations succeeded", first)
			}
			a.Outbox.Next(a, mail.EmailChanged, before)
			testapp.WantEvents[events.EmailChanged](a, round+1)
		}
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// V03, EXP-03: of concurrent requests with one link all succeed, one event is dispatched, and
// mails are few.
func TestConcurrentVerificationsAreDispatchedOnce(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newRoutesApp(t, b)
		rounds := testsize.Rounds(50, 1)
		for round := range rounds {
			a.Clock.Advance(time.Hour)
			b.Users.Change(a.Bob.AuthID(), func(u *models.User) { u.EmailVerifiedAt = nil })
			a.Client().Post("/verify-email/resend", map[string]string{"email": testapp.Bob}).Want(t, 202)
			link := testapp.PathOf(t, a.Outbox.Next(t, mail.VerifyEmail, testapp.Bob))
			answers := make([]*testapp.Response, racers())
			a.Race(len(answers), func(i int) { answers[i] = a.Client().Post(link, "{}") })
			for _, r := range answers {
				r.Want(t, 200)
			}
			a.Client().Post(link, "{}").Want(t, 200)
			testapp.WantEvents[events.Verified](a, round+1)
			a.Outbox.Next(t, mail.ResetPassword, testapp.Bob) // in place of the password that ended
		}
		// A request that had mailed before another one ended the password again counts here.
		if rest := a.RestOfMails(); len(rest) > 3*rounds {
			t.Errorf("%d mails more in %d rounds: %v", len(rest), rounds, rest)
		}
	})
}

// lateTokens lets the first call that ends an owner's refresh tokens wait.
type lateTokens struct {
	stores.Tokens
	came         atomic.Bool
	held, resume chan struct{}
}

func (s *lateTokens) RevokeOwner(ctx context.Context, now time.Time, owner, except string, kinds ...stores.Kind) (int, error) {
	if slices.Contains(kinds, stores.Refresh) && s.came.CompareAndSwap(false, true) {
		close(s.held)
		<-s.resume
	}
	return s.Tokens.RevokeOwner(ctx, now, owner, except, kinds...)
}

// A use of a link that is late to clean up does not end what a parallel one has mailed.
func TestLateVerificationLeavesTheMailedLink(t *testing.T) {
	b := testapp.SQLite(t)
	late := &lateTokens{Tokens: b.Set.Tokens, held: make(chan struct{}), resume: make(chan struct{})}
	b.Set.Tokens = late
	a := newRoutesApp(t, b)
	a.Client().Post("/verify-email/resend", map[string]string{"email": testapp.Bob}).Want(t, 202)
	link := testapp.PathOf(t, a.Outbox.Next(t, mail.VerifyEmail, testapp.Bob))
	answer := make(chan *testapp.Response)
	go func() { answer <- a.Client().Post(link, "{}") }()
	<-late.held
	a.Client().Post(link, "{}").Want(t, 200)
	token := testapp.TokenOf(t, testapp.PathOf(t, a.Outbox.Next(t, mail.ResetPassword, testapp.Bob)))
	close(late.resume)
	(<-answer).Want(t, 200)
	a.Client().Post("/reset-password", map[string]string{"email": testapp.Bob, "token": token, "password": testapp.NewPassword}).Want(t, 204)
	if rest := a.RestOfMails(); len(rest) != 1 { // that the password was changed
		t.Errorf("mails %v", rest)
	}
}
