package ginauthtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

func TestClock(t *testing.T) {
	start := time.Date(2031, 2, 3, 4, 5, 6, 7, time.UTC)
	c := ginauthtest.NewClock(start)
	if got := c.Advance(time.Minute); !got.Equal(start.Add(time.Minute)) || !c.Now().Equal(got) {
		t.Errorf("advanced to %v", got)
	}
	c.Set(start)
	if !c.Now().Equal(start) {
		t.Errorf("set to %v", c.Now())
	}
	auth := ginauthtest.New(t)
	before := auth.Clock.Now()
	if since := time.Since(before).Abs(); since > time.Minute || before.Nanosecond() != 0 {
		t.Errorf("begins at %v", before)
	}
}

func TestCheapHashing(t *testing.T) {
	m, err := hashing.New(ginauthtest.CheapHashing())
	if err != nil {
		t.Fatal(err)
	}
	hash, err := m.Hash(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := m.Verify(t.Context(), "secret", hash); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestNewClosesManagerWhenTestEnds(t *testing.T) {
	fake := &fakeT{}
	auth := ginauthtest.New(fake)
	heard := make(chan struct{})
	ginauth.On(auth.Manager, func(context.Context, events.Registered) { close(heard) })
	auth.Dispatch(t.Context(), events.Registered{})
	for _, f := range fake.cleanup {
		f()
	}
	select {
	case <-heard: // Close waits for listeners
	default:
		t.Error("the manager is not closed")
	}
}

func TestNewAppliesConfiguration(t *testing.T) {
	var audited []events.Event
	own := new(ginauthtest.Users)
	auth := ginauthtest.New(t,
		func(c *ginauth.Config) { c.Users, c.Passwords.MinLength = own, 20 },
		func(c *ginauth.Config) {
			c.Audit = func(_ context.Context, e events.Event) { audited = append(audited, e) }
		})
	_, err := auth.Register(t.Context(), ginauth.Registration{Name: "A", Email: "a@example.com", Password: "nineteen characters"})
	if !errors.Is(err, ginauth.ErrInvalidInput) {
		t.Errorf("a password too short: %v", err)
	}
	u, err := auth.Register(t.Context(), ginauth.Registration{Name: "A", Email: "a@example.com", Password: "nineteen characters and more"})
	if err != nil || own.Get(u.AuthID()) == nil || auth.Users.Get(u.AuthID()) != nil {
		t.Errorf("registered %v, %v", u, err)
	}
	ginauthtest.AssertDispatched[events.Registered](t, auth.Events)
	if len(audited) != 1 {
		t.Errorf("audited %v", audited)
	}
	fails(t, "Passwords", func(ft testing.TB) { ginauthtest.New(ft, func(c *ginauth.Config) { c.Passwords.MinLength = 3 }) })
}

func TestMailboxReceivesMailsOfManager(t *testing.T) {
	auth := ginauthtest.New(t)
	alice := auth.CreateUser(t, "Alice", "alice@example.com", func(u *models.User) { u.EmailVerifiedAt = nil })
	if err := auth.ResendVerification(t.Context(), alice.Email); err != nil {
		t.Fatal(err)
	}
	link := auth.Mailbox.Link(t, mail.VerifyEmail)
	if want := ginauthtest.BaseURL + "/verify-email/"; len(link) < len(want) || link[:len(want)] != want {
		t.Errorf("link %q", link)
	}
	broker := auth.Broker("web")
	if err := broker.SendResetLink(t.Context(), alice.Email); err != nil {
		t.Fatal(err)
	}
	token := auth.Mailbox.Token(t, mail.ResetPassword)
	ginauthtest.AssertDispatched(t, auth.Events, func(e events.PasswordResetLinkSent) bool { return e.UserID == alice.AuthID() })
	err := broker.Reset(t.Context(), ginauth.PasswordReset{Email: alice.Email, Token: token, Password: "another password, longer"})
	if err != nil {
		t.Fatal(err)
	}
	fails(t, "has no token", func(ft testing.TB) { auth.Mailbox.Token(ft, mail.VerifyEmail) })
}

func TestCreateUser(t *testing.T) {
	auth := ginauthtest.New(t)
	alice := auth.CreateUser(t, "Alice", "Alice@Example.com", func(u *models.User) { u.Name = "Alicia" })
	got := auth.Users.Get(alice.AuthID())
	if got == nil || *got != *alice || got.Name != "Alicia" || got.EmailCanonical != "alice@example.com" || !got.AuthEmailVerified() {
		t.Errorf("stored %+v", got)
	}
	if ok, err := auth.Hasher().Verify(t.Context(), ginauthtest.Password, got.Password); !ok || err != nil {
		t.Errorf("password: %v, %v", ok, err)
	}
	fails(t, "taken", func(ft testing.TB) { auth.CreateUser(ft, "Other", "ALICE@example.com") })
}
