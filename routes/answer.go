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

// reply is what a route has to say.
type reply struct {
	status int
	body   any    // JSON, or nil
	page   string // where a browser goes in place of Page.Done
}

var (
	done     = reply{status: http.StatusNoContent}
	accepted = reply{status: http.StatusAccepted, body: map[string]bool{"accepted": true}}
)

// answer makes the handler of a route.
func (s *server) answer(route Route, work func(c *gin.Context, a *ginauth.Authenticator) (reply, error)) gin.HandlerFunc {
	page := s.options.Pages[route]
	return func(c *gin.Context) {
		r, err := work(c, ginauth.From(c))
		switch {
		case err != nil && page.Failed != "" && correctable(err) && ginauth.WantsHTML(c):
			redirectFailed(c, page.Failed, err)
		case err != nil:
			ginauth.Abort(c, err)
		case (r.page != "" || page.Done != "") && ginauth.WantsHTML(c):
			if r.page == "" {
				r.page = page.Done
			}
			c.Redirect(http.StatusSeeOther, r.page)
		case r.body == nil:
			c.Status(r.status)
		default:
			c.JSON(r.status, r.body)
		}
	}
}

// correctable reports whether the user of a form can do something about an error.
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

// redirectFailed sends a browser to the page that shows an error.
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

// signedIn is the answer that shows a user.
func (s *server) signedIn(status int, res *ginauth.LoginResult) reply {
	return reply{status: status, body: map[string]any{"user": s.options.User(res.User)}}
}

// goesOn is the answer to a login that goes on under another id: in a cookie, or
// with tokens.
func goesOn(res *ginauth.LoginResult) reply {
	if res.Tokens == nil {
		return done
	}
	return reply{status: http.StatusOK, body: res.Tokens}
}
