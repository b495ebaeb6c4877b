package totp

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/routes"
)

// fresh is how long ago the proof may be that a change of factors needs.
const fresh = 15 * time.Minute

// Mount adds the endpoints:
//
//	POST   /login/totp      {token, code, trust}  completes a pending login; browsers need no token
//	GET    /totp            200 {"enabled", "since"}
//	POST   /totp/enrolment  200 {"enrolment", "secret", "url", "png"}; needs a confirmed password
//	POST   /totp            {enrolment, code} 204, or new tokens; needs a confirmed password
//	POST   /totp/confirm    {code} 204, for RequireLevel
//	DELETE /totp            204, or new tokens; needs a code of the last 15 minutes. POST /totp/delete does the same, for
//	                        forms
//
// It panics if there is no guard of Options.Guards.
func (f *Feature) Mount(group routes.Router) {
	start := f.auth.StartSession()
	enrol := f.auth.AllowEnrolment()
	users, confirmed := f.auth.Auth(routes.FeatureGuards(f.auth, f.options.Guards)...), f.auth.ConfirmPassword()
	var standard ginauth.Limit
	guesses := f.auth.ThrottleFailures("totp", standard)
	group.POST("/login/totp", routes.NoStore, start, ginauth.Public(), guesses, f.answer)
	group.GET("/totp", routes.NoStore, start, enrol, users, f.show)
	group.POST("/totp/enrolment", routes.NoStore, start, enrol, users, confirmed, f.begin)
	group.POST("/totp", routes.NoStore, start, enrol, users, confirmed, guesses, f.confirm)
	group.POST("/totp/confirm", routes.NoStore, start, users, guesses, f.stepUp)
	proved := f.auth.RequireLevel(factor.LevelTwo, fresh)
	group.DELETE("/totp", routes.NoStore, start, users, proved, f.disable)
	group.POST("/totp/delete", routes.NoStore, start, users, proved, f.disable)
}

func (f *Feature) answer(c *gin.Context) {
	var token, code string
	options, err := routes.DecodeAnswer(c, map[string]*string{"token": &token, "code": &code})
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	a := ginauth.From(c)
	res, err := f.Answer(c.Request.Context(), a, token, code, options...)
	if err != nil {
		routes.Answer(c, routes.Response{Err: err})
		return
	}
	routes.AnswerLogin(c, a, res)
}

func (f *Feature) show(c *gin.Context) {
	ctx, a := c.Request.Context(), ginauth.From(c)
	u, err := routes.Owner(ctx, a)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	since, enabled, err := f.Enabled(ctx, a, u)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	body := gin.H{"enabled": enabled}
	if enabled {
		body["since"] = since.Format(time.RFC3339)
	}
	routes.Answer(c, routes.Response{Status: http.StatusOK, Body: body})
}

func (f *Feature) begin(c *gin.Context) {
	e, err := f.Begin(c.Request.Context(), ginauth.From(c))
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	png, err := e.PNG()
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	routes.Answer(c, routes.Response{Status: http.StatusOK, Body: enrolmentBody{e, png}})
}

// enrolmentBody is an enrolment with its QR code.
type enrolmentBody struct {
	*Enrolment
	PNG []byte `json:"png"` // in base64
}

func (f *Feature) confirm(c *gin.Context) {
	var token, code string
	if err := routes.Decode(c, map[string]*string{"enrolment": &token, "code": &code}); err != nil {
		ginauth.Abort(c, err)
		return
	}
	ctx, a := c.Request.Context(), ginauth.From(c)
	r := routes.Response{Status: http.StatusNoContent}
	res, err := f.Confirm(ctx, a, token, code)
	switch {
	case err != nil:
		r.Err = err
		if e := f.again(ctx, a, token); e != nil { // for a page that asks for the code again
			r.Body = e
		}
	case res.Tokens != nil:
		r.Status, r.Body = http.StatusOK, res.Tokens
	}
	routes.Answer(c, r)
}

func (f *Feature) stepUp(c *gin.Context) {
	var code string
	a := ginauth.From(c)
	r := routes.Response{Status: http.StatusNoContent, Err: routes.Decode(c, map[string]*string{"code": &code})}
	if r.Err == nil {
		r.Err = f.StepUp(c.Request.Context(), a, code)
	}
	if r.Err == nil && ginauth.WantsHTML(c) {
		r.Page = a.IntendedOr("")
	}
	routes.Answer(c, r)
}

func (f *Feature) disable(c *gin.Context) {
	r := routes.Response{Status: http.StatusNoContent}
	res, err := f.Disable(c.Request.Context(), ginauth.From(c))
	if r.Err = err; err == nil && res.Tokens != nil {
		r.Status, r.Body = http.StatusOK, res.Tokens
	}
	routes.Answer(c, r)
}
