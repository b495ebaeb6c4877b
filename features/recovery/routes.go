package recovery

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// Mount adds the endpoints:
//
//	POST /login/recovery  {token, code}    completes a pending login; browsers need no token
//	GET  /recovery-codes  200 {"left"}
//	POST /recovery-codes  200 {"codes"}    makes new codes; needs a confirmed password
//
// The response to POST /login/recovery has "recovery_codes_left" if fewer than Few are left. It panics if there is no
// guard of Options.Guards.
func (f *Feature) Mount(group routes.Router) {
	start, users := f.auth.StartSession(), f.auth.Auth(routes.FeatureGuards(f.auth, f.options.Guards)...)
	var standard ginauth.Limit
	guesses := f.auth.ThrottleFailures("recovery", standard)
	group.POST("/login/recovery", routes.NoStore, start, ginauth.Public(), guesses, f.answer)
	group.GET("/recovery-codes", routes.NoStore, start, users, f.show)
	group.POST("/recovery-codes", routes.NoStore, start, users, f.auth.ConfirmPassword(), f.regenerate)
}

func (f *Feature) answer(c *gin.Context) {
	var token, code string
	options, err := routes.DecodeAnswer(c, map[string]*string{"token": &token, "code": &code})
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	a := ginauth.From(c)
	res, left, err := f.Answer(c.Request.Context(), a, token, code, options...)
	if err != nil {
		routes.Answer(c, routes.Response{Err: err})
		return
	}
	var more []routes.Field
	if left < Few {
		more = append(more, routes.Field{Name: "recovery_codes_left", Value: left})
	}
	routes.AnswerLogin(c, a, res, more...)
}

func (f *Feature) show(c *gin.Context) {
	left, err := f.Left(c.Request.Context(), ginauth.From(c))
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	routes.Answer(c, routes.Response{Status: http.StatusOK, Body: gin.H{"left": left}})
}

func (f *Feature) regenerate(c *gin.Context) {
	codes, err := f.Regenerate(c.Request.Context(), ginauth.From(c))
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	routes.Answer(c, routes.Response{Status: http.StatusOK, Body: gin.H{"codes": codes}})
}
