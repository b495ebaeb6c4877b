package filemail_test

import (
	"context"
	"errors"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/filemail"
)

var (
	from    = mail.Address{Name: "Shop", Email: "no-reply@example.org"}
	message = mail.Message{
		Kind: mail.VerifyEmail, To: mail.Address{Name: "Ann", Email: "ann@example.com"},
		Subject: "Subject", Text: "Text", HTML: "<p>Text</p>",
	}
)

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "mail")
	mailer, err := filemail.New(dir, from)
	if err != nil {
		t.Fatal(err)
	}
	const n = 50
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := mailer.Send(t.Context(), message); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != n {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	form := regexp.MustCompile(`^\d{8}T\d{6}\.\d{9}Z-verify_email-[A-Z0-9]{26}\.eml$`)
	for _, entry := range entries {
		f, err := os.Open(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 || !form.MatchString(entry.Name()) {
			t.Errorf("%s: %v, %v", entry.Name(), info.Mode(), err)
		}
		read, err := netmail.ReadMessage(f)
		if err != nil || read.Header.Get("To") != `"Ann" <ann@example.com>` || read.Header.Get("Subject") != "Subject" {
			t.Errorf("%v, %v", read, err)
		}
		f.Close()
	}
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestSendRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	mailer, err := filemail.New(dir, from)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(m *mail.Message){
		"kind":    func(m *mail.Message) { m.Kind = "../../x" },
		"id":      func(m *mail.Message) { m.ID = "../../x" },
		"address": func(m *mail.Message) { m.To.Email = "a@x,b@x" },
	} {
		bad := message
		change(&bad)
		if err := mailer.Send(t.Context(), bad); !errors.Is(err, mail.ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := mailer.Send(ctx, message); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := mailer.Send(t.Context(), message); err == nil || errors.Is(err, mail.ErrPermanent) {
		t.Errorf("without a directory: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(open, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dirs := []string{"", file}
	if runtime.GOOS != "windows" {
		dirs = append(dirs, open)
	}
	for _, dir := range dirs {
		if _, err := filemail.New(dir, from); !errors.Is(err, mail.ErrConfig) {
			t.Errorf("%q: %v", dir, err)
		}
	}
	_, err := filemail.New("", mail.Address{Email: "a@x,b@x"})
	if err == nil || slices.ContainsFunc([]string{"from", "dir is empty"}, func(s string) bool { return !strings.Contains(err.Error(), s) }) {
		t.Errorf("New does not report all faults: %v", err)
	}
}

// TestDirectoryOfAnotherUserIsRefused can only be tried by the superuser.
func TestDirectoryOfAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only the superuser can give a directory away")
	}
	dir := filepath.Join(t.TempDir(), "mail")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 54321, -1)); err != nil {
		t.Fatal(err)
	}
	if _, err := filemail.New(dir, from); !errors.Is(err, mail.ErrConfig) || !strings.Contains(err.Error(), "54321") {
		t.Errorf("New in a directory of another user: %v", err)
	}
}
