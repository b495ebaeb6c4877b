package ginauthtest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/mail"
)

func message(kind, to, text string) mail.Message {
	return mail.Message{Kind: kind, To: mail.Address{Email: to}, Subject: "Subject", Text: text}
}

func TestMailbox(t *testing.T) {
	var box ginauthtest.Mailbox
	if m, ok := box.Last(); ok {
		t.Errorf("an empty mailbox has %q", m.To.Email)
	}
	for _, m := range []mail.Message{
		message("first", "a@example.com", "See https://one.test/a?b=c. And https://two.test"),
		message("second", "b@example.com", "Open\n\n    http://localhost:8080/r#token=abc-_1\n"),
		message("first", "a@example.com", "(https://three.test/x)"),
		message("third", "c@example.com", "no link, and ftp://no.test"),
	} {
		if err := box.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if all := box.Messages(); len(all) != 4 || all[0].Kind != "first" || all[3].Kind != "third" {
		t.Errorf("%d messages", len(all))
	}
	if m, ok := box.Last(); !ok || m.Kind != "third" {
		t.Errorf("last %q", m.Kind)
	}
	if n := len(box.To("a@example.com")); n != 2 {
		t.Errorf("%d messages to a", n)
	}
	if link := box.Link(t, "first"); link != "https://three.test/x" {
		t.Errorf("the newest link is %q", link)
	}
	if link := box.Link(t, "second"); link != "http://localhost:8080/r#token=abc-_1" {
		t.Errorf("link %q", link)
	}
	if token := box.Token(t, "second"); token != "abc-_1" {
		t.Errorf("token %q", token)
	}
	fails(t, "has no code", func(ft testing.TB) { box.Code(ft, "second") })
	if err := box.Send(t.Context(), message("fourth", "a@example.com", "Type this:\n\n    ABCD-2345\n")); err != nil {
		t.Fatal(err)
	}
	if found := box.Code(t, "fourth"); found != "ABCD-2345" {
		t.Errorf("code %q", found)
	}
	fails(t, "has no link", func(ft testing.TB) { box.Link(ft, "third") })
	m, err := box.WaitFor(t.Context(), func(m mail.Message) bool { return m.Text[0] == 'S' })
	if err != nil || ginauthtest.FirstLinkForTest(m.Text) != "https://one.test/a?b=c" {
		t.Errorf("%v", err)
	}
	box.Clear()
	if n := len(box.Messages()); n != 0 {
		t.Errorf("%d messages after Clear", n)
	}
}

func TestMailboxRefusesInvalidMessages(t *testing.T) {
	var box ginauthtest.Mailbox
	if err := box.Send(t.Context(), message("x", "nobody", "Hello")); !errors.Is(err, mail.ErrMessage) {
		t.Errorf("an invalid address: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := box.Send(ended, message("x", "a@example.com", "Hello")); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	if n := len(box.Messages()); n != 0 {
		t.Errorf("%d messages", n)
	}
}

func TestWaitForReturnsLaterMessage(t *testing.T) {
	var box ginauthtest.Mailbox
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			m, err := box.WaitFor(t.Context(), func(m mail.Message) bool { return m.Kind == "wanted" })
			if err != nil || m.To.Email != "b@example.com" {
				t.Errorf("%v", err)
			}
		})
	}
	for _, m := range []mail.Message{message("other", "a@example.com", "x"), message("wanted", "b@example.com", "x")} {
		if err := box.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := box.WaitFor(ended, func(mail.Message) bool { return false })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func TestTokenFailsWithoutMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var box ginauthtest.Mailbox
		fails(t, `no mail of kind "reset_password"`, func(ft testing.TB) { box.Token(ft, mail.ResetPassword) })
	})
}
