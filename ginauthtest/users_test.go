package ginauthtest_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
)

func TestUsers(t *testing.T) {
	var s ginauthtest.Users
	ctx, at := t.Context(), time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	alice, bob := &models.User{Email: "Alice@example.com", Password: "h1"}, &models.User{Email: "bob@example.com"}
	for _, u := range []*models.User{alice, bob} {
		if err := s.CreateUser(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	id := alice.AuthID()
	user := func() models.User { t.Helper(); return *s.Get(id) }
	if alice.SecurityStamp == "" || alice.SecurityStamp == bob.SecurityStamp {
		t.Errorf("stamps %q and %q", alice.SecurityStamp, bob.SecurityStamp)
	}
	if err := s.CreateUser(ctx, &models.User{Email: "ALICE@EXAMPLE.COM"}); !errors.Is(err, models.ErrTaken) {
		t.Errorf("a taken address: %v", err)
	}
	if err := s.CreateUser(ctx, &models.User{}); !errors.Is(err, models.ErrBadIdentifier) {
		t.Errorf("an invalid address: %v", err)
	}
	if err := s.CreateUser(ctx, nil); err == nil {
		t.Error("no user was stored")
	}
	if u, err := s.UserByIdentifier(ctx, "email", "alice@example.com"); err != nil || u == nil || u.AuthID() != id {
		t.Errorf("found %v, %v", u, err)
	}
	if u, err := s.UserByIdentifier(ctx, "email", "Alice@example.com"); err != nil || u != nil {
		t.Errorf("found %v by an address that is not canonical, %v", u, err)
	}
	if _, err := s.UserByIdentifier(ctx, "name", "alice"); !errors.Is(err, models.ErrUnknownField) {
		t.Errorf("another field: %v", err)
	}
	if ok, err := s.RehashPassword(ctx, id, "other", "h2"); ok || err != nil || user().Password != "h1" {
		t.Errorf("rehashed another hash: %v, %v", ok, err)
	}
	if ok, err := s.RehashPassword(ctx, id, "h1", "h2"); !ok || err != nil || user().Password != "h2" || user().SecurityStamp != alice.SecurityStamp {
		t.Errorf("rehash: %v, %v", ok, err)
	}
	if u, err := s.ChangePassword(ctx, id, "another", "h3", "s3"); err != nil || u != nil || user().Password != "h2" || user().SecurityStamp != alice.SecurityStamp {
		t.Errorf("password changed under another stamp: %v, %v", u, err)
	}
	if u, err := s.ChangeStamp(ctx, id, "another", "s3"); err != nil || u != nil || user().SecurityStamp != alice.SecurityStamp {
		t.Errorf("stamp changed under another one: %v, %v", u, err)
	}
	if u, err := s.ChangePassword(ctx, id, alice.SecurityStamp, "h3", "s3"); err != nil || u.AuthPassword() != "h3" || user().SecurityStamp != "s3" {
		t.Errorf("change password: %v", err)
	}
	if u, err := s.ChangeStamp(ctx, id, "s3", "s4"); err != nil || u.(models.Stamped).AuthStamp() != "s4" || user().Password != "h3" {
		t.Errorf("change stamp: %v", err)
	}
	if ok, err := s.VerifyEmail(ctx, id, "other@example.com", at); ok || err != nil || user().EmailVerifiedAt != nil {
		t.Errorf("verified another address: %v, %v", ok, err)
	}
	for i, want := range []bool{true, false} {
		if ok, err := s.VerifyEmail(ctx, id, "Alice@example.com", at); ok != want || err != nil || user().EmailVerifiedAt == nil {
			t.Errorf("verified, time %d: %v, %v", i, ok, err)
		}
	}
	if u, err := s.ChangeEmail(ctx, id, "s3", "new@example.com", "s5", at); err != nil || u != nil || user().SecurityStamp != "s4" {
		t.Errorf("address changed under an old stamp: %v, %v", u, err)
	}
	if _, err := s.ChangeEmail(ctx, id, "s4", "BOB@example.com", "s5", at); !errors.Is(err, models.ErrTaken) || user().SecurityStamp != "s4" {
		t.Errorf("address of another user: %v", err)
	}
	if u, err := s.ChangeEmail(ctx, id, "s4", "New@example.com", "s5", at); err != nil || u == nil ||
		user().Email != "New@example.com" || user().EmailCanonical != "new@example.com" || user().SecurityStamp != "s5" {
		t.Errorf("change address: %v, %v", u, err)
	}
	s.Get(id).Name = "changed"
	if user().Name != "" {
		t.Error("Get returns the stored user, not a copy")
	}
	if u := s.Update(id, func(u *models.User) { u.Name = "Alice" }); u.Name != "Alice" || user().Name != "Alice" {
		t.Errorf("updated %v", u)
	}
	s.Delete(id)
	if u, err := s.UserByID(ctx, id); u != nil || err != nil {
		t.Errorf("deleted: %v, %v", u, err)
	}
	if u, err := s.ChangeStamp(ctx, id, "s5", "s6"); u != nil || err != nil {
		t.Errorf("changed a deleted user: %v, %v", u, err)
	}
	carol := &models.User{Email: "carol@example.com"}
	if err := s.CreateUser(ctx, carol); err != nil || carol.ID != 3 {
		t.Errorf("an identifier is used again: %v, %v", carol, err)
	}
}

func TestUsersReturnContextError(t *testing.T) {
	var s ginauthtest.Users
	ctx, cancel := context.WithCancel(t.Context())
	alice := &models.User{Email: "alice@example.com", Password: "h"}
	if err := s.CreateUser(ctx, alice); err != nil {
		t.Fatal(err)
	}
	id, before := alice.AuthID(), *s.Get(alice.AuthID())
	cancel()
	calls := map[string]func() error{
		"UserByID":         func() error { _, err := s.UserByID(ctx, id); return err },
		"UserByIdentifier": func() error { _, err := s.UserByIdentifier(ctx, "email", "alice@example.com"); return err },
		"CreateUser":       func() error { return s.CreateUser(ctx, &models.User{Email: "b@example.com"}) },
		"RehashPassword":   func() error { _, err := s.RehashPassword(ctx, id, "h", "x"); return err },
		"ChangePassword":   func() error { _, err := s.ChangePassword(ctx, id, alice.SecurityStamp, "x", "x"); return err },
		"ChangeStamp":      func() error { _, err := s.ChangeStamp(ctx, id, alice.SecurityStamp, "x"); return err },
		"VerifyEmail":      func() error { _, err := s.VerifyEmail(ctx, id, alice.Email, time.Now()); return err },
		"ChangeEmail": func() error {
			_, err := s.ChangeEmail(ctx, id, alice.SecurityStamp, "x@example.com", "x", time.Now())
			return err
		},
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := *s.Get(id); after != before {
		t.Errorf("changed: %+v", after)
	}
}

func TestConcurrentCreateUser(t *testing.T) {
	var s ginauthtest.Users
	var wg sync.WaitGroup
	var mu sync.Mutex
	created := 0
	start := make(chan struct{})
	for i := range 64 {
		wg.Go(func() {
			<-start
			err := s.CreateUser(t.Context(), &models.User{Email: "user" + strconv.Itoa(i%4) + "@example.com"})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				created++
			} else if !errors.Is(err, models.ErrTaken) {
				t.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	if created != 4 {
		t.Errorf("%d users of 4 addresses", created)
	}
}
