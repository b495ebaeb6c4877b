package pages

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// secondFactorPath is the page that asks for a second factor.
const secondFactorPath = "/login/second-factor"

// secondFactor shows the forms for the factors of the pending login of the session. Without one there is nothing to
// prove.
func (s *site) secondFactor(c *gin.Context) {
	p, err := ginauth.From(c).Guard(s.options.SessionGuard).PendingLogin(c.Request.Context())
	switch {
	case err != nil:
		ginauth.Abort(c, err)
	case p == nil:
		c.Redirect(http.StatusSeeOther, s.path("/login"))
	default:
		factors := make(map[string]bool)
		for _, name := range p.Factors {
			factors[name] = true
		}
		s.render(c, http.StatusOK, page{template: "second_factor", title: "One more step"}, factors)
	}
}

// factorFailed redirects a browser whose answer to a challenge of a feature was not right to the page that asks for it,
// and reports whether it did.
func (s *site) factorFailed(c *gin.Context, err error) bool {
	name, ok := strings.CutPrefix(c.FullPath(), s.base+"/login/")
	if s.m == nil || c.Request.Method != http.MethodPost || !ok || (name != "totp" && name != "recovery") {
		return false
	}
	for _, kind := range []error{ginauth.ErrInvalidCode, ginauth.ErrInvalidInput, ginauth.ErrThrottled, ginauth.ErrInvalidToken} {
		if errors.Is(err, kind) && !errors.Is(err, ginauth.ErrUnavailable) {
			left := failure(err)
			left.At = s.path(secondFactorPath)
			s.leave(c, left)
			c.Redirect(http.StatusSeeOther, left.At)
			return true
		}
	}
	return false
}
