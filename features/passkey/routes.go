package passkey

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/routes"
)

// Mount adds the endpoints, whose bodies are JSON:
//
//	POST   /login/passkey/options         {identifier}  200 {"ceremony", "publicKey"}
//	POST   /login/passkey                 {ceremony, credential, identifier, remember}  logs in by a session
//	POST   /token/passkey                 {ceremony, credential, identifier}  logs in by tokens
//	POST   /login/passkey/second/options  {token}  200 {"ceremony", "publicKey"}; browsers need no token
//	POST   /login/passkey/second          {token, ceremony, credential, trust}  completes a pending login
//	GET    /passkeys                      200 {"passkeys", "signals"}
//	POST   /passkeys/options              200 {"ceremony", "publicKey"}; needs a confirmed password
//	POST   /passkeys                      {ceremony, credential, name}  201 {"passkey", "tokens"}; needs a confirmed password
//	POST   /passkeys/confirm/options      200 {"ceremony", "publicKey"}
//	POST   /passkeys/confirm              {ceremony, credential}  204, or 200 {"next"} in a session; for RequireLevel
//	PATCH  /passkeys/:id                  {name}  200 {"signals"}. POST /passkeys/:id/rename does the same
//	DELETE /passkeys/:id                  200 {"signals", "tokens"}; needs a second factor of the last 15 minutes.
//	                                      POST /passkeys/:id/delete does the same
//	GET    /passkeys.js                   the script for pages
//
// POST /login/passkey/options with an identifier is limited by Config.Throttle.Address for each IP address.
//
// Browsers get a page from GET /passkeys where package pages is mounted, and the two POST with an id accept forms. It
// panics if there is no guard of Options.Guards.
func (f *Feature) Mount(group routes.Router) {
	guards := routes.FeatureGuards(f.auth, f.options.Guards)
	var standard ginauth.Limit
	m := mount{f, group, f.auth.StartSession(), f.auth.Auth(guards...), f.auth.ThrottleRequests("passkey-options", standard)}
	m.logins(guards)
	m.own()
	group.GET("/passkeys.js", ginauth.Public(), serveScript)
}

// mount adds endpoints to a router.
type mount struct {
	*Feature
	group        routes.Router
	start, users gin.HandlerFunc
	named        gin.HandlerFunc // limits ceremonies for a user whom a client names
}

// logins adds the endpoints of users who are not logged in yet.
func (m mount) logins(guards []string) {
	public := ginauth.Public()
	var standard ginauth.Limit
	failures := m.auth.ThrottleFailures("passkey", standard)
	m.group.POST("/login/passkey/options", routes.NoStore, m.start, public, m.beginLogin)
	for _, guard := range guards {
		path := ""
		if can, _ := m.auth.Capabilities(guard); can.Sessions {
			path = "/login/passkey"
		} else if can.AccessTokens {
			path = "/token/passkey"
		}
		if path != "" {
			m.group.POST(path, routes.NoStore, m.start, public, failures, m.login(guard))
		}
	}
	m.group.POST("/login/passkey/second/options", routes.NoStore, m.start, public, failures, m.beginAnswer)
	m.group.POST("/login/passkey/second", routes.NoStore, m.start, public, failures, m.answer)
}

// own adds the endpoints of users who are logged in.
func (m mount) own() {
	confirmed, proved := m.auth.ConfirmPassword(), m.auth.RequireLevel(factor.LevelTwo, fresh)
	enrol := m.auth.AllowEnrolment()
	m.group.GET("/passkeys", routes.NoStore, m.start, enrol, m.users, m.list)
	m.group.POST("/passkeys/options", routes.NoStore, m.start, enrol, m.users, confirmed, m.beginRegistration)
	m.group.POST("/passkeys", routes.NoStore, m.start, enrol, m.users, confirmed, m.register)
	m.group.POST("/passkeys/confirm/options", routes.NoStore, m.start, m.users, m.beginConfirm)
	m.group.POST("/passkeys/confirm", routes.NoStore, m.start, m.users, m.confirm)
	m.group.PATCH("/passkeys/:id", routes.NoStore, m.start, m.users, m.rename)
	m.group.POST("/passkeys/:id/rename", routes.NoStore, m.start, m.users, m.rename)
	m.group.DELETE("/passkeys/:id", routes.NoStore, m.start, m.users, proved, m.delete)
	m.group.POST("/passkeys/:id/delete", routes.NoStore, m.start, m.users, proved, m.delete)
}

// input is the body of an endpoint.
type input struct {
	Response
	Token    string `json:"token"`
	Remember bool   `json:"remember"`
	Trust    bool   `json:"trust"`
}

// decode reads the body of a request. An endpoint of which all fields are optional needs none.
func decode(c *gin.Context, optional bool) (in input, err error) {
	if optional && c.Request.ContentLength == 0 {
		return in, nil
	}
	return in, ginauth.DecodeJSON(c, &in)
}

// show responds with a ceremony, or with an error.
func show(c *gin.Context, ceremony *Ceremony, err error) {
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.JSON(http.StatusOK, ceremony)
}

func (m mount) beginLogin(c *gin.Context) {
	in, err := decode(c, true)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	if in.Identifier != "" && m.options.Users != nil { // without one nothing is looked up, and every page of logins asks
		if m.named(c); c.IsAborted() {
			return
		}
	}
	ceremony, err := m.BeginLogin(c.Request.Context(), ginauth.From(c), in.Identifier)
	show(c, ceremony, err)
}

func (m mount) login(guard string) gin.HandlerFunc {
	return func(c *gin.Context) {
		in, err := decode(c, false)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		var options []ginauth.LoginOption
		if in.Remember {
			options = append(options, ginauth.Remember())
		}
		a := ginauth.From(c).Guard(guard)
		res, signals, err := m.Login(c.Request.Context(), a, in.Response, options...)
		switch {
		case err != nil && signals != nil:
			abortWith(c, err, signals)
		case err != nil:
			ginauth.Abort(c, err)
		default:
			answerLogin(c, a, res)
		}
	}
}

// abortWith is ginauth.Abort with signals, for a client that reads JSON.
func abortWith(c *gin.Context, err error, signals *Signals) {
	c.Header("WWW-Authenticate", "Passkey")
	c.AbortWithStatusJSON(ginauth.StatusOf(err), gin.H{
		"code": ginauth.CodeOf(err), "message": "This passkey is not known.", "signals": signals,
	})
}

// answerLogin responds to a login. A page goes on to "next".
func answerLogin(c *gin.Context, a *ginauth.Authenticator, res *ginauth.LoginResult) {
	if res.Pending == nil && res.Tokens == nil {
		routes.AnswerLogin(c, a, res, routes.Field{Name: "next", Value: a.Intended()})
		return
	}
	routes.AnswerLogin(c, a, res)
}

func (m mount) beginAnswer(c *gin.Context) {
	in, err := decode(c, true)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	ceremony, err := m.BeginAnswer(c.Request.Context(), ginauth.From(c), in.Token)
	show(c, ceremony, err)
}

func (m mount) answer(c *gin.Context) {
	in, err := decode(c, false)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	a := ginauth.From(c)
	var options []factor.AnswerOption
	if in.Trust {
		options = append(options, factor.TrustDevice())
	}
	res, err := m.Answer(c.Request.Context(), a, in.Token, in.Response, options...)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	answerLogin(c, a, res)
}

func (m mount) list(c *gin.Context) {
	list, signals, err := m.List(c.Request.Context(), ginauth.From(c))
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	routes.Answer(c, routes.Response{Status: http.StatusOK, Body: gin.H{"passkeys": list, "signals": signals}})
}

func (m mount) beginRegistration(c *gin.Context) {
	ceremony, err := m.BeginRegistration(c.Request.Context(), ginauth.From(c))
	show(c, ceremony, err)
}

func (m mount) register(c *gin.Context) {
	in, err := decode(c, false)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	made, res, err := m.Register(c.Request.Context(), ginauth.From(c), in.Response)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	body := gin.H{"passkey": made}
	if res.Tokens != nil {
		body["tokens"] = res.Tokens
	}
	c.JSON(http.StatusCreated, body)
}

func (m mount) beginConfirm(c *gin.Context) {
	ceremony, err := m.BeginConfirm(c.Request.Context(), ginauth.From(c))
	show(c, ceremony, err)
}

func (m mount) confirm(c *gin.Context) {
	a := ginauth.From(c)
	in, err := decode(c, false)
	if err == nil {
		err = m.Confirm(c.Request.Context(), a, in.Response)
	}
	switch can, _ := m.auth.Capabilities(a.GuardName()); {
	case err != nil:
		ginauth.Abort(c, err)
	case can.Sessions:
		c.JSON(http.StatusOK, gin.H{"next": a.Intended()})
	default:
		c.Status(http.StatusNoContent)
	}
}

func (m mount) rename(c *gin.Context) {
	var name string
	var signals *Signals
	err := routes.Decode(c, map[string]*string{"name": &name})
	if err == nil {
		signals, err = m.Rename(c.Request.Context(), ginauth.From(c), c.Param("id"), name)
	}
	routes.Answer(c, routes.Response{Status: http.StatusOK, Body: gin.H{"signals": signals}, Err: err})
}

func (m mount) delete(c *gin.Context) {
	signals, res, err := m.Delete(c.Request.Context(), ginauth.From(c), c.Param("id"))
	body := gin.H{"signals": signals}
	if err == nil && res.Tokens != nil {
		body["tokens"] = res.Tokens
	}
	routes.Answer(c, routes.Response{Status: http.StatusOK, Body: body, Err: err})
}
