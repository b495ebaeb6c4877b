package ginauth

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/stores"
)

// ThrottleRequests limits how often one address (IPv6: one /64) may ask a route.
// Routes with the same name share a count. The zero Limit is Throttle.Address.
// More than that: 429. It is for routes that cost something without checking a
// password, as one that sends mails. It panics if the limit is none.
func (m *Manager) ThrottleRequests(name string, limit Limit) gin.HandlerFunc {
	return m.throttleRequests(name, limit, false)
}

// ThrottleFailures is ThrottleRequests that counts only requests answered with
// a 4xx status, and those that CountFailure names: it is for routes that take a
// secret, which honest clients may ask as often as they like.
func (m *Manager) ThrottleFailures(name string, limit Limit) gin.HandlerFunc {
	return m.throttleRequests(name, limit, true)
}

func (m *Manager) throttleRequests(name string, limit Limit, failures bool) gin.HandlerFunc {
	setDefault(&limit, m.cfg.Throttle.Address)
	if err := limit.check(); err != nil {
		panic(fmt.Sprintf("ginauth: ThrottleRequests: %v", err))
	}
	return func(c *gin.Context) {
		var x *requestState
		var slots []stores.Slot
		m.handle(c, func(known *requestState) (err error) {
			x = known
			slots, err = x.takeRequest(c.Request.Context(), name, limit)
			return err
		})
		if c.Next(); !failures || len(slots) == 0 {
			return
		}
		if status := c.Writer.Status(); c.GetBool(failedKey) || status >= http.StatusBadRequest && status < http.StatusInternalServerError {
			return
		}
		// The answer may wait in a buffer for this, so it has what is left.
		left := m.cfg.StoreTimeout - x.Budget.Used()
		phase, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), left)
		defer cancel()
		if err := (&try{x: x}).putBack(phase, slots); err != nil {
			m.env.Log.WarnContext(c.Request.Context(), "ginauth: request stays counted", "error", request.Cut(err.Error(), 256))
		}
	}
}

// failedKey is set on the context of a request that failed, whatever its answer's
// status: a form that goes back to its page is answered with a redirect.
const failedKey = "ginauth.failed"

// CountFailure makes ThrottleFailures count the request, for a handler that
// answers a failure with a redirect.
func CountFailure(c *gin.Context) { c.Set(failedKey, true) }

// takeRequest counts a request of an address, or refuses it.
func (x *requestState) takeRequest(ctx context.Context, name string, limit Limit) ([]stores.Slot, error) {
	address, ok := clientaddr.Prefix(x.Remote)
	if !ok || x.m.cfg.Throttle.InsecureDisable {
		return nil, nil
	}
	ctx, span := x.Span(ctx)
	defer span.End()
	grant, err := x.m.stores.Limiter.Reserve(ctx, x.m.env.Now(), x.m.window("requests", limit, []byte(name), []byte(address)))
	switch {
	case err != nil:
		return nil, autherr.Unavailable("count requests", err)
	case !grant.OK():
		x.m.Dispatch(ctx, events.Lockout{Meta: x.Meta("", ""), RetryAfter: grant.RetryAfter})
		return nil, &ThrottledError{RetryAfter: grant.RetryAfter}
	}
	return grant.Slots, nil
}
