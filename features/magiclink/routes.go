package magiclink

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/routes"
)

// Mount adds the endpoints. For logins by mail into a session:
//
//	POST /magic-link         {email, remember}  202 {"accepted", "request", "code", "expires_in"}; browsers see GET
//	GET  /magic-link                            the page that shows the code on the screen
//	GET  /magic-link/:token                     the page of a link; it changes nothing
//	POST /magic-link/:token  {request, code}    logs in; the browser that asked needs neither
//	POST /magic-link/code    {request, code}    logs in by the code of the mail; browsers need no request
//
// For logins by tokens:
//
//	POST /token/magic-link       {email}                202 {"accepted", "request", "code", "expires_in"}
//	POST /token/magic-link/use   {link, request, code}  200 with tokens; the app that asked needs no code
//	POST /token/magic-link/code  {request, code}        200 with tokens
//
// For a channel with Login, here "sms", into a session and by tokens:
//
//	POST /code/sms, /token/code/sms          {email, remember}  202 {"accepted", "request", "expires_in"}
//	POST /code/sms/use, /token/code/sms/use  {request, code}    logs in; browsers need no request
//
// For a channel with Second:
//
//	POST /login/sms/send    {token}        202; sends a code for a pending login; browsers need no token
//	POST /login/sms         {token, code}  completes a pending login; browsers need no token
//	POST /sms/confirm/send                 202; sends a code to the user who is logged in
//	POST /sms/confirm       {code}         204, for RequireLevel
//
// It panics if there is neither the session guard nor the access guard. It must not run while requests are served.
func (f *Feature) Mount(group routes.Router) {
	guards := f.guards()
	if len(guards) == 0 {
		panic("magiclink: Mount: there is neither the guard " + f.options.SessionGuard + " nor " + f.options.AccessGuard)
	}
	var standard ginauth.Limit
	m := mounting{
		f: f, group: group, before: []gin.HandlerFunc{pageHeaders, f.auth.StartSession()},
		asks: f.auth.ThrottleRequests("mails", standard), guesses: f.auth.ThrottleFailures("magic link", standard),
	}
	for _, guard := range guards {
		m.guard(guard)
	}
	for _, c := range f.options.Channels {
		if c.Second != nil {
			m.second(c.Name, guards)
		}
	}
	if f.linkPath == "" {
		f.linkPath = linkPath(f.auth.MailConfig().BaseURL, group.BasePath())
	}
}

// linkPath returns the path of links below a base URL. A proxy may take the path of the base URL off.
func linkPath(base, group string) string {
	path := strings.TrimSuffix(group, "/") + "/magic-link"
	if u, err := url.Parse(base); err == nil && u.Path != "" {
		if below, ok := strings.CutPrefix(path, u.Path+"/"); ok {
			return "/" + below
		}
	}
	return path
}

// mounting is what Mount needs.
type mounting struct {
	f             *Feature
	group         routes.Router
	before        []gin.HandlerFunc
	asks, guesses gin.HandlerFunc
}

func (m mounting) public(method, path string, limit gin.HandlerFunc, handler gin.HandlerFunc) {
	chain := append(append([]gin.HandlerFunc(nil), m.before...), ginauth.Public())
	if limit != nil {
		chain = append(chain, limit)
	}
	m.group.Handle(method, path, append(chain, handler)...)
}

// guard adds the endpoints that log in by a guard.
func (m mounting) guard(name string) {
	f, prefix := m.f, ""
	s := server{f, name}
	if !s.session() {
		prefix = "/token"
	}
	if !f.options.WithoutMail {
		m.public("POST", prefix+"/magic-link", m.asks, s.ask)
		m.public("POST", prefix+"/magic-link/code", m.guesses, s.useCode)
		if !s.session() {
			m.public("POST", prefix+"/magic-link/use", m.guesses, s.useLink)
		} else {
			m.public("GET", "/magic-link", nil, s.waiting)
			m.public("GET", "/magic-link/:token", nil, s.showLink)
			m.public("POST", "/magic-link/:token", m.guesses, s.useLink)
		}
	}
	for _, c := range f.options.Channels {
		if c.Login {
			m.public("POST", prefix+"/code/"+c.Name, m.asks, s.askChannel(c.Name))
			m.public("POST", prefix+"/code/"+c.Name+"/use", m.guesses, s.useChannel(c.Name))
		}
	}
}

// second adds the endpoints of a second factor.
func (m mounting) second(name string, guards []string) {
	s := server{m.f, guards[0]}
	m.public("POST", "/login/"+name+"/send", m.asks, s.send(name))
	m.public("POST", "/login/"+name, m.guesses, s.answer(name))
	users := append(append([]gin.HandlerFunc(nil), m.before...), m.f.auth.Auth(guards...))
	m.group.POST("/"+name+"/confirm/send", append(users[:len(users):len(users)], m.asks, s.sendAgain(name))...)
	m.group.POST("/"+name+"/confirm", append(users[:len(users):len(users)], m.guesses, s.stepUp(name))...)
}

// pageHeaders keeps responses out of caches, frames and Referer headers.
func pageHeaders(c *gin.Context) {
	routes.NoStore(c)
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Content-Security-Policy", "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
}

// server answers the requests to the endpoints of one guard.
type server struct {
	f     *Feature
	guard string
}

// session reports whether the guard keeps logins in sessions.
func (s server) session() bool { return s.guard == s.f.options.SessionGuard }

func (s server) at(c *gin.Context) *ginauth.Authenticator { return ginauth.From(c).Guard(s.guard) }

// askInput reads what a client asks with.
func askInput(c *gin.Context) (email string, remember bool, err error) {
	if c.ContentType() == "application/x-www-form-urlencoded" {
		var ticked string
		err = routes.Decode(c, map[string]*string{"email": &email, "remember": &ticked})
		return email, ticked != "" && ticked != "0" && ticked != "false", err
	}
	var in struct {
		Email    string `json:"email"`
		Remember bool   `json:"remember"`
	}
	err = ginauth.DecodeJSON(c, &in)
	return in.Email, in.Remember, err
}

func (s server) ask(c *gin.Context) {
	email, remember, err := askInput(c)
	var r factor.Request
	if err == nil {
		r, err = s.f.Ask(c.Request.Context(), s.at(c), email, remember)
	}
	switch {
	case err != nil:
		ginauth.Abort(c, err)
	case s.session() && ginauth.WantsHTML(c):
		c.Redirect(http.StatusSeeOther, s.f.auth.PublicPath(c.FullPath()))
	default:
		accepted(c, r)
	}
}

func accepted(c *gin.Context, r factor.Request) {
	body := gin.H{"accepted": true, "request": r.Token, "expires_in": r.ExpiresIn}
	if r.Screen != "" {
		body["code"] = r.Screen
	}
	c.JSON(http.StatusAccepted, body)
}

// waiting shows the code on the screen, and asks for the one in the mail.
func (s server) waiting(c *gin.Context) {
	p := Page{Kind: PageWaiting, Codes: s.f.options.Mails != Links, Action: s.f.auth.PublicPath(c.FullPath()) + "/code"}
	if s.f.options.Mails != Codes {
		p.Screen = s.at(c).OneTime().Waiting(purpose)
	}
	s.f.show(c, http.StatusOK, p)
}

func (s server) showLink(c *gin.Context) {
	if s.at(c).OneTime().Asked(purpose, c.Param("token")) {
		s.f.show(c, http.StatusOK, Page{Kind: PageContinue})
		return
	}
	s.f.show(c, http.StatusOK, Page{Kind: PageScreen})
}

func (s server) useLink(c *gin.Context) {
	link, request, code := c.Param("token"), "", ""
	fields := map[string]*string{"request": &request, "code": &code}
	if link == "" {
		fields["link"] = &link
	}
	var err error
	if c.Request.ContentLength != 0 {
		err = routes.Decode(c, fields)
	}
	var res *ginauth.LoginResult
	if err == nil {
		res, err = s.f.UseLink(c.Request.Context(), s.at(c), link, request, code)
	}
	s.finish(c, res, err, PageScreen)
}

func (s server) useCode(c *gin.Context) {
	var request, code string
	err := routes.Decode(c, map[string]*string{"request": &request, "code": &code})
	var res *ginauth.LoginResult
	if err == nil {
		res, err = s.f.UseCode(c.Request.Context(), s.at(c), request, code)
	}
	s.finish(c, res, err, PageWaiting)
}

// finish responds to a login, or shows the page again on which the user can correct the error.
func (s server) finish(c *gin.Context, res *ginauth.LoginResult, err error, again PageKind) {
	switch {
	case err == nil:
		routes.AnswerLogin(c, s.at(c), res)
	case s.session() && ginauth.WantsHTML(c) && ginauth.StatusOf(err) < 500:
		s.f.showError(c, s.at(c), err, again)
	default:
		ginauth.Abort(c, err)
	}
}

func (s server) askChannel(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		email, remember, err := askInput(c)
		var r factor.Request
		if err == nil {
			r, err = s.f.AskChannel(c.Request.Context(), s.at(c), name, email, remember)
		}
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		accepted(c, r)
	}
}

func (s server) useChannel(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		var request, code string
		err := routes.Decode(c, map[string]*string{"request": &request, "code": &code})
		var res *ginauth.LoginResult
		if err == nil {
			res, err = s.f.UseChannelCode(c.Request.Context(), s.at(c), name, request, code)
		}
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		routes.AnswerLogin(c, s.at(c), res)
	}
}

func (s server) send(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		var token string
		var err error
		if c.Request.ContentLength != 0 {
			err = routes.Decode(c, map[string]*string{"token": &token})
		}
		if err == nil {
			err = s.f.Send(c.Request.Context(), ginauth.From(c), token, name)
		}
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(http.StatusAccepted, gin.H{"accepted": true})
	}
}

func (s server) answer(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		var token, code string
		options, err := routes.DecodeAnswer(c, map[string]*string{"token": &token, "code": &code})
		var res *ginauth.LoginResult
		a := ginauth.From(c)
		if err == nil {
			res, err = s.f.Answer(c.Request.Context(), a, token, name, code, options...)
		}
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		routes.AnswerLogin(c, a, res)
	}
}

func (s server) sendAgain(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := s.f.SendAgain(c.Request.Context(), ginauth.From(c), name); err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(http.StatusAccepted, gin.H{"accepted": true})
	}
}

func (s server) stepUp(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		var code string
		err := routes.Decode(c, map[string]*string{"code": &code})
		if err == nil {
			err = s.f.StepUp(c.Request.Context(), ginauth.From(c), name, code)
		}
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.Status(http.StatusNoContent)
	}
}
