package experiments_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/mail"
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
		alive, err := b.Set.Tokens.TokensOf(t.Context(), owner, stores.Reset)
		if err != nil || len(alive) != 1 {
			t.Fatalf("%d tokens live, %v", len(alive), err)
		}
		works := 0
		for _, m := range a.Outbox.Messages() {
			_, token, ok := strings.Cut(m.Text, "#token=")
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
