package routes

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// reply is the successful response of a route.
type reply struct {
	status int
	body   any    // JSON, or nil
	page   string // for browsers, instead of Page.Done, with the base path
}

var (
	done     = reply{status: http.StatusNoContent}
	accepted = reply{status: http.StatusAccepted, body: map[string]bool{"accepted": true}}
)

// answer returns the handler of a route. It calls work and writes the response.
func (s *server) answer(route Route, work func(c *gin.Context, a *ginauth.Authenticator) (reply, error)) gin.HandlerFunc {
	page := s.options.Pages[route]
	return func(c *gin.Context) {
		r, err := work(c, ginauth.From(c))
		switch {
		case err != nil && page.Failed != "" && correctable(err) && ginauth.WantsHTML(c):
			redirectFailed(c, s.m.PublicPath(page.Failed), err)
		case err != nil:
			ginauth.Abort(c, err)
		case (r.page != "" || page.Done != "") && ginauth.WantsHTML(c):
			if r.page == "" {
				r.page = s.m.PublicPath(page.Done)
			}
			c.Redirect(http.StatusSeeOther, r.page)
		case r.body == nil:
			c.Status(r.status)
		default:
			c.JSON(r.status, r.body)
		}
	}
}

// correctable reports whether the user of a form can correct the cause of an
// error.
func correctable(err error) bool {
	if ginauth.StatusOf(err) >= http.StatusInternalServerError {
		return false
	}
	for _, kind := range []error{
		ginauth.ErrInvalidCredentials, ginauth.ErrInvalidInput, ginauth.ErrInvalidLink, ginauth.ErrThrottled,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// redirectFailed redirects a browser to the page that shows the error.
func redirectFailed(c *gin.Context, page string, err error) {
	query := url.Values{"error": {ginauth.CodeOf(err)}}
	var input *ginauth.InputError
	if errors.As(err, &input) {
		query.Set("field", input.Field)
	}
	var throttled *ginauth.ThrottledError
	if errors.As(err, &throttled) {
		seconds := (throttled.RetryAfter + time.Second - 1) / time.Second
		c.Header("Retry-After", strconv.FormatInt(max(1, int64(seconds)), 10))
	}
	separator := "?"
	if strings.Contains(page, "?") {
		separator = "&"
	}
	ginauth.CountFailure(c)
	c.Redirect(http.StatusSeeOther, page+separator+query.Encode())
}

// returning returns the page that a browser was going to when it was redirected
// to this one, or "".
func returning(c *gin.Context, a *ginauth.Authenticator) string {
	if !ginauth.WantsHTML(c) {
		return ""
	}
	return a.IntendedOr("")
}

// userReply returns a response that contains the user.
func (s *server) userReply(status int, res *ginauth.LoginResult) reply {
	return reply{status: status, body: map[string]any{"user": s.options.User(res.User)}}
}

// pendingReply returns the response to a login that waits for a second factor.
func pendingReply(p *ginauth.PendingLogin) reply {
	return reply{status: http.StatusOK, body: map[string]any{"pending": p}, page: p.Page}
}

// continued returns the response after a login got a new session id or new
// tokens.
func continued(res *ginauth.LoginResult) reply {
	if res.Pending != nil {
		return pendingReply(res.Pending)
	}
	if res.Tokens == nil {
		return done
	}
	return reply{status: http.StatusOK, body: res.Tokens}
}
