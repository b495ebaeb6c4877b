package ginauth_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/stores"
)

// Of links that are asked for at one moment one works, and one token lives.
func TestLinksAskedForAtOnce(t *testing.T) { // W04
	eachBackend(t, func(t *testing.T, b *backend) {
		a, box := accounts(t, b, func(c *ginauth.Config) {
			unlimited(c)
			c.Account.MailPerMinute, c.Account.MailPerHour = 1<<20, 1<<20
			c.StoreTimeout *= 4
		})
		n := rounds(200, 50)
		owner := "users:" + a.alice.AuthID()
		together(n, func(int) {
			if err := a.m.Broker("web").SendResetLink(context.Background(), aliceEmail); err != nil {
				t.Error(err)
			}
		})
		if err := a.m.Close(t.Context()); err != nil { // what runs off the requests
			t.Fatal(err)
		}
		alive, err := b.set.Tokens.TokensOf(t.Context(), owner, stores.Reset)
		if err != nil || len(alive) != 1 {
			t.Fatalf("%d tokens live, %v", len(alive), err)
		}
		works := 0
		for _, m := range box.Messages() {
			_, token, ok := strings.Cut(m.Text, "#token=")
			if token, _, _ = strings.Cut(token, "\n"); m.Kind != mail.ResetPassword || !ok {
				t.Fatalf("mail %s", m.Kind)
			}
			ok, err := a.m.Broker("web").TokenExists(t.Context(), aliceEmail, strings.TrimSpace(token))
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				works++
			}
		}
		if works != 1 {
			t.Errorf("%d of %d links work, want 1", works, len(box.Messages()))
		}
		if sent := len(eventsOf[events.PasswordResetLinkSent](a)); sent != len(box.Messages()) {
			t.Errorf("%d events of %d mails", sent, len(box.Messages()))
		}
	})
}

// The newer link is the one, whichever of two clocks its token was made by.
func TestNewerLinkWins(t *testing.T) { // W04
	eachBackend(t, func(t *testing.T, b *backend) {
		a, box := accounts(t, b, func(c *ginauth.Config) { c.Account.MailPerMinute = 10 })
		var tokens []string
		for i := range 3 {
			box.Clear()
			if err := a.m.Broker("web").SendResetLink(t.Context(), aliceEmail); err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, box.Token(t, mail.ResetPassword))
			a.clock.advance(-time.Duration(i) * time.Second) // another machine has its own
			for j, token := range tokens {
				if ok, err := a.m.Broker("web").TokenExists(t.Context(), aliceEmail, token); err != nil || ok != (j == i) {
					t.Errorf("after link %d link %d works: %v, %v", i, j, ok, err)
				}
			}
		}
		err := a.m.Broker("web").Reset(t.Context(), ginauth.PasswordReset{Email: aliceEmail, Token: tokens[2], Password: nextPass})
		if err != nil {
			t.Error(fmt.Errorf("the newest: %w", err))
		}
	})
}
