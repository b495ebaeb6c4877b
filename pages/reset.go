package pages

import (
	"net/http"
	"net/url"
	"regexp"

	"github.com/gin-gonic/gin"
)

const resetTitle = "Choose a new password"

// resetToken matches what can be the token of a reset link.
var resetToken = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// showReset responds with the page of a reset link. Where links have the token in the query it goes into a cookie, and
// the browser is redirected: neither its history, nor a Referer header, nor a page that is passed on has the token then.
// Nothing is stored or used up, because mail scanners open every link.
func (s *site) showReset(c *gin.Context) {
	if !s.m.MailConfig().ResetTokenInQuery {
		s.show("reset", resetTitle)(c)
		return
	}
	query := c.Request.URL.Query()
	token, email := query.Get("token"), url.QueryEscape(query.Get("email"))
	if resetToken.MatchString(token) {
		s.setCookie(c, tokenCookie, token, emailLifetime)
		if email != "" && len(email) <= maxEmail {
			s.setEmail(c, email, emailLifetime)
		}
		h := c.Writer.Header()
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		c.Redirect(http.StatusSeeOther, s.path("/reset-password"))
		return
	}
	s.show("reset", resetTitle)(c)
}

// tokenOf returns the token that showReset kept, or "".
func (s *site) tokenOf(c *gin.Context, p page) string {
	if p.template != "reset" || s.m == nil || !s.m.MailConfig().ResetTokenInQuery {
		return ""
	}
	token, err := c.Cookie(tokenCookie)
	if err != nil || !resetToken.MatchString(token) {
		return ""
	}
	return token
}
