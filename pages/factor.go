package pages

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// secondFactorPath is the page that asks for a second factor.
const secondFactorPath = "/login/second-factor"

// The endpoints of the features totp, recovery, passkey, social and account.
const (
	answerTOTP     routes.Route = "POST /login/totp"
	showTOTP       routes.Route = "GET /totp"
	beginTOTP      routes.Route = "POST /totp/enrolment"
	confirmTOTP    routes.Route = "POST /totp"
	stepUpTOTP     routes.Route = "POST /totp/confirm"
	changeName     routes.Route = "POST /profile"
	deleteAccount  routes.Route = "POST /account/delete"
	disableTOTP    routes.Route = "POST /totp/delete"
	answerRecovery routes.Route = "POST /login/recovery"
	showRecovery   routes.Route = "GET /recovery-codes"
	makeRecovery   routes.Route = "POST /recovery-codes"
	showPasskeys   routes.Route = "GET /passkeys"
	renamePasskey  routes.Route = "POST /passkeys/:id/rename"
	deletePasskey  routes.Route = "POST /passkeys/:id/delete"
	showIdentities routes.Route = "GET /identities"
	unlinkIdentity routes.Route = "POST /identities/:id/delete"
)

// addFeatureForms adds the forms of features.
func (s *site) addFeatureForms(forms map[routes.Route]form) {
	enrolled := form{page: "/totp", done: "/totp", code: "code",
		notice: "The authenticator app is set up. Other devices are signed out."}
	if s.can.Recovery {
		enrolled.done = "/recovery-codes"
		enrolled.notice = "The authenticator app is set up. Now make recovery codes, for the day when you do not have it."
	}
	forms[answerTOTP] = form{page: secondFactorPath, done: "/profile", code: "code"}
	forms[answerRecovery] = form{page: secondFactorPath, done: "/profile", code: "recovery_code"}
	forms[confirmTOTP] = enrolled
	forms[stepUpTOTP] = form{page: secondFactorPath, done: "/profile", code: "code"}
	forms[changeName] = form{page: "/profile", done: "/profile", notice: "Your name was changed."}
	forms[deleteAccount] = form{page: "/account/delete", done: "/login", notice: "Your account was deleted."}
	forms[disableTOTP] = form{page: "/totp", done: "/totp", notice: "The authenticator app is removed."}
	forms[renamePasskey] = form{page: "/passkeys", done: "/passkeys", notice: "The passkey has a new name."}
	forms[deletePasskey] = form{page: "/passkeys", done: "/passkeys", notice: "The passkey is removed.", conflict: lastWayIn}
	forms[unlinkIdentity] = form{page: "/identities", done: "/identities", conflict: lastWayIn,
		notice: "The account is disconnected. Other devices are signed out."}
}

// fewCodes returns what to tell a user who has few recovery codes left, or "".
func fewCodes(body any) string {
	if fields, ok := body.(map[string]any); ok && fields["recovery_codes_left"] != nil {
		return "You have few recovery codes left. Make new ones soon."
	}
	return ""
}

// asked is what the page of second factors shows.
type asked struct {
	// Again says that the user is logged in, and proves a factor again.
	Again bool
	// Factors are the names of those that the user has.
	Factors []string
	// TrustFor is how long the device can skip the second factor, or 0.
	TrustFor time.Duration
}

// Has reports whether the user has a factor.
func (a asked) Has(name string) bool { return slices.Contains(a.Factors, name) }

// TrustDays returns how long the device can skip the second factor in whole days, or 0 if it is less.
func (a asked) TrustDays() int { return int(a.TrustFor / (24 * time.Hour)) }

// secondFactor shows the forms for the factors of the pending login of the session, or of a user who is logged in and
// has to prove one again. Others have nothing to prove.
func (s *site) secondFactor(c *gin.Context) {
	ctx, a := c.Request.Context(), ginauth.From(c).Guard(s.options.SessionGuard)
	show := asked{}
	p, err := a.PendingLogin(ctx)
	if err == nil && p != nil {
		show.Factors, show.TrustFor = p.Factors, time.Duration(p.TrustFor)*time.Second
	} else if err == nil {
		u, failure := a.User(ctx)
		if err = failure; err == nil && u != nil {
			show.Again = true
			show.Factors, err = a.Factors(ctx, u)
		}
	}
	switch {
	case err != nil:
		ginauth.Abort(c, err)
	case p == nil && !show.Again:
		c.Redirect(http.StatusSeeOther, s.path("/login"))
	default:
		s.render(c, http.StatusOK, page{template: "second_factor", title: "One more step"}, show)
	}
}

// featureFailed redirects a browser whose form to a feature was refused, and reports whether it did. An answer to a
// challenge is refused before it is checked if it came too late, or too many came.
func (s *site) featureFailed(c *gin.Context, err error) bool {
	r := routes.Response{Route: s.routeOf(routes.Route(c.Request.Method + " " + c.FullPath())), Err: err}
	f := s.forms[r.Route]
	if f.code == "" && f.conflict == "" || errors.Is(err, ginauth.ErrUnavailable) {
		return false
	}
	switch {
	case f.conflict != "":
		if !errors.Is(err, ginauth.ErrConflict) {
			return false
		}
		s.leave(c, routes.Outcome{Route: r.Route, Code: f.conflict}, f.page)
		c.Redirect(http.StatusSeeOther, s.path(f.page))
	case errors.Is(err, ginauth.ErrThrottled):
		s.failed(c, r, f)
	case errors.Is(err, ginauth.ErrInvalidToken):
		s.leave(c, routes.Outcome{Route: r.Route, Code: "session_ended"}, "/login")
		c.Redirect(http.StatusSeeOther, s.path("/login"))
	default:
		return false
	}
	return true
}

// QR returns the image of the enrolment that the page shows: an SVG without script and style.
func (v *View) QR() (template.HTML, error) {
	enrolment, ok := v.Data.(interface{ SVG() ([]byte, error) })
	if !ok {
		return "", nil
	}
	image, err := enrolment.SVG()
	if err != nil {
		return "", err
	}
	_, svg, _ := strings.Cut(string(image), "<svg ")
	return template.HTML(`<svg class="qr" role="img" aria-label="` + template.HTMLEscapeString(v.T("QR code")) + `" ` + svg), nil
}

// App returns a URL of an authenticator app as a link that html/template does not take for a script.
func (v *View) App(url string) template.URL {
	if !strings.HasPrefix(url, "otpauth://totp/") {
		return ""
	}
	return template.URL(url)
}

// Grouped returns a key in groups of four, as people copy it.
func (v *View) Grouped(text string) string {
	var b strings.Builder
	for i, r := range text {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
