package pages

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// enrolPath is the page for users who must set up a second factor.
const enrolPath = "/login/enrol-factor"

// enrolFactor says why a second factor is needed, and leads to the pages that set one up. Users who have one need no
// other.
func (s *site) enrolFactor(c *gin.Context) {
	ctx, a := c.Request.Context(), ginauth.From(c).Guard(s.options.SessionGuard)
	u, err := a.User(ctx)
	var factors []string
	if err == nil && u != nil {
		factors, err = a.Factors(ctx, u)
	}
	switch {
	case err != nil:
		ginauth.Abort(c, err)
	case len(factors) > 0:
		c.Redirect(http.StatusSeeOther, s.path("/profile"))
	default:
		s.render(c, http.StatusOK, page{template: "enrol_factor", title: "Set up a second factor"}, nil)
	}
}

// newPasskey shows the form that adds a passkey. What the feature asks for before is asked for here, so that the browser
// comes back to this page.
func (s *site) newPasskey(c *gin.Context) {
	ctx, a := c.Request.Context(), ginauth.From(c).Guard(s.options.SessionGuard)
	u, err := a.User(ctx)
	if v, ok := u.(models.EmailVerifiable); err == nil && ok && !v.AuthEmailVerified() {
		err = ginauth.ErrEmailNotVerified
	}
	if err == nil {
		err = a.MayChangeFactors(ctx)
	}
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	s.render(c, http.StatusOK, page{template: "passkey_new", title: "Add a passkey"}, nil)
}
