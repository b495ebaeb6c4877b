package routes

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/request"
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
	return func(c *gin.Context) {
		r, err := work(c, ginauth.From(c))
		html := ginauth.WantsHTML(c)
		switch page := s.pageOf(c, route, r, err); {
		case responded(c, Response{Route: route, Status: r.status, Body: r.body, Err: err, Page: r.page}):
		case err != nil && page != "" && correctable(err) && html:
			redirectFailed(c, page, Response{Route: route, Err: err, Old: oldInput(c)}.Outcome())
		case err != nil:
			ginauth.Abort(c, err)
		case page != "" && html:
			redirectDone(c, route, page, r)
		case r.body == nil:
			c.Status(r.status)
		default:
			c.JSON(r.status, r.body)
		}
	}
}

// pageOf returns the page to which a browser is redirected, with the base path, or
// "".
func (s *server) pageOf(c *gin.Context, route Route, r reply, err error) string {
	page := s.options.Pages[route]
	path := page.Done
	if err != nil {
		path = page.Failed
	}
	switch {
	case err == nil && r.page != "":
		return r.page
	case path != "":
		return s.m.PublicPath(path)
	case s.options.Back && (err != nil || r.returns()):
		return request.Referer(c.Request)
	}
	return ""
}

// returns reports whether nothing of the response is lost if the browser goes back
// to the page of the form.
func (r reply) returns() bool {
	_, told := r.body.(map[string]bool)
	return r.body == nil || told
}

// correctable reports whether the user of a form can correct the cause of an
// error.
func correctable(err error) bool {
	if ginauth.StatusOf(err) >= http.StatusInternalServerError {
		return false
	}
	for _, kind := range []error{
		ginauth.ErrInvalidCredentials, ginauth.ErrInvalidInput, ginauth.ErrInvalidLink, ginauth.ErrThrottled,
		ginauth.ErrInvalidCode,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// redirectFailed redirects a browser to the page that shows the error.
func redirectFailed(c *gin.Context, page string, o Outcome) {
	if o.RetryAfter > 0 {
		c.Header("Retry-After", strconv.FormatInt(o.RetryAfter, 10))
	}
	o.Leave(c)
	ginauth.CountFailure(c)
	path, rest, _ := strings.Cut(page, "?")
	query, _ := url.ParseQuery(rest)
	query.Set("error", o.Code)
	query.Del("field") // of a former error
	if o.field != "" {
		query.Set("field", o.field)
	}
	c.Redirect(http.StatusSeeOther, path+"?"+query.Encode())
}

// redirectDone redirects a browser after a success, whose result the page can show.
func redirectDone(c *gin.Context, route Route, page string, r reply) {
	if result, ok := r.body.(map[string]bool); ok {
		Outcome{Route: route, Result: result}.Leave(c)
	}
	c.Redirect(http.StatusSeeOther, page)
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
	body := map[string]any{"user": s.options.User(res.User)}
	if res.MustEnrol {
		body["must_enrol"] = true
	}
	return reply{status: status, body: body}
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
