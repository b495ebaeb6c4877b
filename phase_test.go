package ginauth_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// waitingUsers waits with the context of a lookup, once it is told how.
type waitingUsers struct {
	models.UserProvider
	wait atomic.Pointer[func(context.Context)]
}

func (u *waitingUsers) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	if wait := u.wait.Load(); wait != nil {
		(*wait)(ctx)
		return nil, ctx.Err()
	}
	return u.UserProvider.UserByID(ctx, id)
}

// TestStoreContext is about the context that stores and providers are given: it
// ends at the deadline and after the call, however they look at it.
func TestStoreContext(t *testing.T) { // F01, F06
	for name, wait := range map[string]func(context.Context){
		"polled": func(ctx context.Context) {
			for ctx.Err() == nil {
				runtime.Gosched()
			}
		},
		"waited for": func(ctx context.Context) { <-ctx.Done() },
		"waited for in one derived from it": func(ctx context.Context) {
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			<-derived.Done()
		},
		"waited for by its deadline": func(ctx context.Context) {
			at, ok := ctx.Deadline()
			if !ok {
				t.Error("there is no deadline")
			}
			<-time.After(time.Until(at))
		},
	} {
		t.Run(name, func(t *testing.T) {
			const timeout = 50 * time.Millisecond
			b := testapp.Memory(t)
			users := &waitingUsers{UserProvider: b.Users}
			a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users, c.StoreTimeout = users, timeout }))
			c := a.LoggedIn(testapp.Alice)

			var seen context.Context
			var waited time.Duration
			var ended error
			looking := func(ctx context.Context) {
				began := time.Now()
				wait(ctx)
				seen, ended, waited = ctx, ctx.Err(), time.Since(began)
			}
			users.wait.Store(&looking)
			c.Get("/me").Want(t, 503)
			if !errors.Is(ended, context.DeadlineExceeded) || waited < timeout/2 {
				t.Errorf("%v after %v", ended, waited)
			}
			select {
			case <-seen.Done():
			default:
				t.Error("the call is over and its context is not")
			}
		})
	}

	t.Run("kept", func(t *testing.T) { // nobody looked at it in time
		b := testapp.Memory(t)
		users := &waitingUsers{UserProvider: b.Users}
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users = users }))
		c := a.LoggedIn(testapp.Alice)
		var seen context.Context
		keeping := func(ctx context.Context) { seen = ctx }
		users.wait.Store(&keeping)
		c.Get("/me").Want(t, 401)
		if !errors.Is(seen.Err(), context.Canceled) {
			t.Errorf("after the call: %v", seen.Err())
		}
		<-seen.Done()
	})
}
