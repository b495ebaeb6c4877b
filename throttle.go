package ginauth

import (
	"context"
	"fmt"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/settings"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/stores"
)

// ThrottleOption changes the limits of one route.
type ThrottleOption func(*ThrottleConfig)

// LimitAccountAddress sets the limit of one account from one IP address.
func LimitAccountAddress(attempts int, per time.Duration) ThrottleOption {
	return func(c *ThrottleConfig) { c.AccountAddress = Limit{Attempts: attempts, Per: per} }
}

// LimitAddress sets the limit of one IP address.
func LimitAddress(attempts int, per time.Duration) ThrottleOption {
	return func(c *ThrottleConfig) { c.Address = Limit{Attempts: attempts, Per: per} }
}

// LimitAccount sets the limit of one account from all addresses.
func LimitAccount(attempts int, per time.Duration) ThrottleOption {
	return func(c *ThrottleConfig) { c.Account = Limit{Attempts: attempts, Per: per} }
}

// LimitDevice sets the limit of one account from a device that has logged into it.
func LimitDevice(attempts int, per time.Duration) ThrottleOption {
	return func(c *ThrottleConfig) { c.Device = Limit{Attempts: attempts, Per: per} }
}

// ThrottleLogins refuses a request from an IP address that this process has refused and that still has no attempt
// left, before its handler reads the body: 429. Options give the route limits of its own: a limit with the manager's
// period shares the manager's count, another one has a count of its own. Attempt counts the attempts themselves, also
// without this middleware. ThrottleLogins panics if a limit is not valid.
func (m *Manager) ThrottleLogins(options ...ThrottleOption) gin.HandlerFunc {
	cfg := m.cfg.Throttle
	for _, option := range options {
		option(&cfg)
	}
	limits := settings.Limits(&cfg)
	var f faults.List
	if limits.CheckLimits("", &f); len(f) > 0 {
		panic(fmt.Sprintf("ginauth: ThrottleLogins: %v", f.Err()))
	}
	return func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			x.limits = &limits
			return m.limiter.Peek(c.Request.Context(), &x.State, x.limits)
		})
	}
}

// LoginAttempt is an attempt that Authenticator.Throttle has counted. It is used by one goroutine.
type LoginAttempt struct{ a throttle.Attempt }

// Throttle counts an attempt to prove a secret of the account that field and identifier name, for handlers that check
// a secret themselves. It uses the same counts as Attempt. The errors are *InputError, *ThrottledError and
// ErrUnavailable. Otherwise the handler calls Succeed if the secret is right, and Release if no secret was compared.
func (a *Authenticator) Throttle(ctx context.Context, field, identifier string) (*LoginAttempt, error) {
	g := a.current()
	if g.realm.Users == nil {
		return nil, realm.ErrNoProvider
	}
	attempt := new(LoginAttempt)
	if err := a.x.m.limiter.ReserveFor(ctx, &attempt.a, &a.x.State, g.name, g.realm, field, identifier, a.x.limits); err != nil {
		return nil, err
	}
	return attempt, nil
}

// Succeed clears the account's counts, as a login does. The error wraps ErrUnavailable.
func (a *LoginAttempt) Succeed(ctx context.Context) error { return a.a.Succeed(ctx) }

// Release takes this attempt back, as if it had not been made. The error wraps ErrUnavailable.
func (a *LoginAttempt) Release(ctx context.Context) error { return a.a.Release(ctx) }

// ThrottleRequests limits how often one IP address (IPv6: one /64) may request a route: 429 above the limit. Routes with
// the same name share a count. The zero Limit stands for Throttle.Address. Use it for routes that cost something
// without checking a password, such as one that sends mail. It panics if the limit is not valid.
func (m *Manager) ThrottleRequests(name string, limit Limit) gin.HandlerFunc {
	return m.throttleRequests(name, limit, false)
}

// ThrottleRegistrations is ThrottleRequests for routes that create users, with the limit Throttle.Register.
func (m *Manager) ThrottleRegistrations() gin.HandlerFunc {
	return m.throttleRequests("register", m.cfg.Throttle.Register, false)
}

// ThrottleFailures is ThrottleRequests that only counts requests answered with a 4xx status and those marked by
// CountFailure. Use it for routes that take a secret, which honest clients may request any number of times.
func (m *Manager) ThrottleFailures(name string, limit Limit) gin.HandlerFunc {
	return m.throttleRequests(name, limit, true)
}

func (m *Manager) throttleRequests(name string, limit Limit, failures bool) gin.HandlerFunc {
	settings.Default(&limit, m.cfg.Throttle.Address)
	if err := throttle.Limit(limit).Check(); err != nil {
		panic(fmt.Sprintf("ginauth: ThrottleRequests: %v", err))
	}
	return func(c *gin.Context) {
		var x *requestState
		var slots []stores.Slot
		m.handle(c, func(known *requestState) (err error) {
			x = known
			slots, err = m.limiter.ReserveRequest(c.Request.Context(), &x.State, name, throttle.Limit(limit))
			return err
		})
		if c.Next(); !failures || len(slots) == 0 || failed(c) {
			return
		}
		m.limiter.RefundRequest(c.Request.Context(), &x.State, slots)
	}
}

// failedKey marks the context of a request that failed, whatever its status: a form that returns to its page is
// answered with a redirect.
const failedKey = "ginauth.failed"

// CountFailure makes ThrottleFailures count the request. Handlers that answer a failure with a redirect call it.
func CountFailure(c *gin.Context) { c.Set(failedKey, true) }

func failed(c *gin.Context) bool { return c.GetBool(failedKey) || c.Writer.Status()/100 == 4 }
