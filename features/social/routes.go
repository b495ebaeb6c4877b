package social

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// Mount adds the endpoints. {provider} stands for the name of each provider:
//
//	POST   /auth/{provider}            {for} begins: a page that leads to the provider, or {"url"}. For is "login", "link"
//	                                   or "confirm"; link needs a confirmed password
//	GET    /auth/{provider}            405: a link or an image must not begin a login
//	GET    /auth/{provider}/callback   where the provider sends the browser back to
//	POST   /auth/{provider}/callback   the same for response_mode=form_post, if the provider uses that
//	POST   /auth/{provider}/logout     ends the login here, and sends the browser to the provider to end that there
//	POST   /social/{provider}/token    {id_token, nonce} or {code, verifier, redirect_uri, nonce, iss}: tokens
//	POST   /oidc/{provider}/logout     back-channel logout, if Options.BackChannelLogout names the provider
//	GET    /identities                 200 {"identities", "providers"}
//	DELETE /identities/:id             204, or new tokens; needs a confirmed password. POST /identities/:id/delete for forms
//
// Browsers get a page from GET /identities where package pages is mounted. It panics if there is no guard of the options.
func (f *Feature) Mount(group routes.Router) {
	f.mounted = strings.TrimSuffix(group.BasePath(), "/")
	f.callback = f.baseURL + f.mounted
	start, users := f.auth.StartSession(), f.auth.Auth(f.guards()...)
	var standard ginauth.Limit
	failures := f.auth.ThrottleFailures("social", standard)
	for _, p := range f.options.Providers {
		path := "/auth/" + p.Name()
		group.POST(path, routes.NoStore, start, ginauth.Public(), f.begin(p))
		group.GET(path, ginauth.Public(), notAllowed)
		group.GET(path+"/callback", routes.NoStore, start, ginauth.Public(), failures, f.finishLogin(p))
		if by, ok := p.(FormPoster); ok && by.AnswersByForm() {
			f.mountForm(group, path+"/callback", p)
		}
		group.POST(path+"/logout", routes.NoStore, start, ginauth.Public(), f.endSession(p))
		if f.tokenGuard() != "" {
			group.POST("/social/"+p.Name()+"/token", routes.NoStore, start, ginauth.Public(), failures, f.token(p))
		}
		if slices.Contains(f.options.BackChannelLogout, p.Name()) {
			group.POST("/oidc/"+p.Name()+"/logout", start, ginauth.Public(), failures, f.backChannel(p))
		}
	}
	fresh := f.auth.ConfirmPassword()
	group.GET("/identities", routes.NoStore, start, users, f.list)
	group.DELETE("/identities/:id", routes.NoStore, start, users, fresh, f.unlink)
	group.POST("/identities/:id/delete", routes.NoStore, start, users, fresh, f.unlink)
}

// mountForm mounts the endpoint of forms, also behind a StartSession of the whole engine, which refuses what other sites
// post.
func (f *Feature) mountForm(group routes.Router, path string, p Provider) {
	if err := f.bypass(http.MethodPost + " " + f.mounted + path); err != nil {
		panic("social: Mount: " + err.Error())
	}
	group.POST(path, routes.NoStore, ginauth.Public(), f.formPost(p))
}

// guards returns the guards whose users manage their identities.
func (f *Feature) guards() []string {
	if len(f.options.Guards) > 0 {
		return f.options.Guards
	}
	var named []string
	if f.options.Guard != "" {
		named = append(named, f.options.Guard)
		if f.tokenGuard() != "" {
			named = append(named, f.tokenGuard())
		}
	}
	return routes.FeatureGuards(f.auth, named)
}

// tokenGuard returns the guard of POST /social/{provider}/token, or "".
func (f *Feature) tokenGuard() string {
	if f.options.TokenGuard != "" {
		return f.options.TokenGuard
	}
	if can, ok := f.auth.Capabilities("api"); ok && can.AccessTokens {
		return "api"
	}
	return ""
}

func notAllowed(c *gin.Context) {
	c.Header("Allow", http.MethodPost)
	c.AbortWithStatus(http.StatusMethodNotAllowed)
}

func (f *Feature) redirectURI(p Provider) string {
	return f.callback + "/auth/" + p.Name() + "/callback"
}

// begin is POST /auth/{provider}.
func (f *Feature) begin(p Provider) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), callTime)
		defer cancel()
		a := &attempt{Provider: p.Name(), State: random(), Nonce: random(), Verifier: random(), For: forLogin, Began: f.now().UnixMilli()}
		if err := f.purpose(ctx, c, a); err != nil {
			f.abort(c, p.Name(), err)
			return
		}
		address, err := p.AuthorizationURL(ctx, Authorization{
			RedirectURI: f.redirectURI(p), State: a.State, Nonce: a.Nonce, Challenge: a.challenge(), Again: a.For == forConfirm,
		})
		if err == nil {
			err = f.keep(c, a)
		}
		if err != nil {
			ginauth.Abort(c, ginauth.Unavailable("begin at provider", err))
			return
		}
		f.sendTo(c, address)
	}
}

// purpose reads what an attempt is for, and whether the user may do that.
func (f *Feature) purpose(ctx context.Context, c *gin.Context, a *attempt) error {
	if c.Request.ContentLength != 0 {
		if err := routes.Decode(c, map[string]*string{"for": &a.For}); err != nil {
			return err
		}
	}
	guard := f.guard(ginauth.From(c))
	switch a.For {
	case "", forLogin:
		a.For = forLogin
		return nil
	case forLink, forConfirm:
		u, err := routes.Owner(ctx, guard)
		if err != nil {
			return err
		}
		a.Owner = guard.Owner(u)
	default:
		return &ginauth.InputError{Field: "for", Reason: "is none of login, link and confirm"}
	}
	if a.For == forConfirm {
		return nil
	}
	left, err := guard.PasswordConfirmed(ctx)
	switch {
	case err != nil:
		return err
	case left <= 0:
		return ginauth.ErrPasswordConfirmation
	}
	u, err := routes.Owner(ctx, guard)
	if err != nil {
		return err
	}
	return userMayLink(ctx, guard, u)
}

// finishLogin is GET /auth/{provider}/callback.
func (f *Feature) finishLogin(p Provider) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), 2*callTime)
		defer cancel()
		a := f.guard(ginauth.From(c))
		begun, profile, err := f.identify(ctx, c, p)
		if err != nil {
			f.abortAt(c, p.Name(), f.pageAfter(begun), err)
			return
		}
		if begun.For == forLink {
			f.finishLink(ctx, c, a, p, begun, profile)
			return
		}
		if begun.For == forConfirm {
			err = f.confirms(ctx, a, p, begun, profile)
		}
		var res *ginauth.LoginResult
		if err == nil {
			res, err = f.logIn(ctx, a, p.Name(), profile)
		}
		if err != nil {
			f.abort(c, p.Name(), err)
			return
		}
		routes.AnswerLogin(c, a, res)
	}
}

// pageAfter returns the page that a browser is redirected to after an attempt that failed, or "".
func (f *Feature) pageAfter(begun *attempt) string {
	if begun != nil && begun.For == forLink {
		return cmp.Or(f.options.Home, f.options.ErrorPage)
	}
	return f.options.ErrorPage
}

// identify returns who the provider says that the user is, and the attempt, which is nil if there is none.
func (f *Feature) identify(ctx context.Context, c *gin.Context, p Provider) (*attempt, *Profile, error) {
	r, err := f.readQuery(c, p)
	if err != nil {
		return nil, nil, err
	}
	begun, err := f.take(c, p.Name(), r.State)
	if err != nil {
		return nil, nil, err
	}
	if r.Error != "" || r.Code == "" {
		return begun, nil, ErrDenied
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	profile, err := p.Exchange(ctx, Exchange{
		RedirectURI: f.redirectURI(p), Code: r.Code, Verifier: begun.Verifier, Nonce: begun.Nonce, Issuer: r.Issuer, User: r.User,
	})
	return begun, profile, logged("ask provider", err)
}

// owner returns ErrAttempt unless the request's user is the one who began an attempt.
func (f *Feature) owner(ctx context.Context, a *ginauth.Authenticator, begun *attempt) error {
	u, err := routes.Owner(ctx, a)
	if errors.Is(err, ginauth.ErrUnauthenticated) || err == nil && a.Owner(u) != begun.Owner {
		return ErrAttempt
	}
	return err
}

// confirms returns ErrTaken unless the identity is one of the user who began the attempt, and ErrRefused if the provider
// says that the user logged in there before that. Some providers do not say when.
func (f *Feature) confirms(ctx context.Context, a *ginauth.Authenticator, p Provider, begun *attempt, profile *Profile) error {
	if err := f.owner(ctx, a, begun); err != nil {
		return err
	}
	i, _, found, err := f.find(ctx, p.Name(), profile.Subject)
	switch {
	case err != nil:
		return err
	case !found || i.Owner != begun.Owner:
		return ErrTaken
	case !profile.AuthTime.IsZero() && profile.AuthTime.Before(time.UnixMilli(begun.Began).Add(-leeway)):
		return refuse("the provider has not asked the user again")
	case profile.authTimeMissing: // somebody has taken the parameter out of the URL
		return refuse("the provider was not asked when the user logged in")
	}
	return nil
}

func (f *Feature) finishLink(
	ctx context.Context, c *gin.Context, a *ginauth.Authenticator, p Provider, begun *attempt, profile *Profile,
) {
	err := f.owner(ctx, a, begun)
	if err == nil {
		err = f.link(ctx, a, p.Name(), profile)
	}
	switch {
	case err != nil:
		f.abortAt(c, p.Name(), f.pageAfter(begun), err)
		return
	case !ginauth.WantsHTML(c):
		c.Status(http.StatusNoContent)
		return
	}
	routes.Outcome{Route: routes.Route(c.Request.Method + " " + c.FullPath()), Notice: "The account is connected."}.Leave(c)
	if f.options.Home != "" {
		c.Redirect(http.StatusSeeOther, f.auth.PublicPath(f.options.Home))
		return
	}
	c.Redirect(http.StatusSeeOther, a.Intended())
}

// token is POST /social/{provider}/token.
func (f *Feature) token(p Provider) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), 2*callTime)
		defer cancel()
		a := ginauth.From(c).Guard(f.tokenGuard())
		profile, err := f.identifyApp(ctx, c, p)
		var res *ginauth.LoginResult
		if err == nil {
			res, err = f.logIn(ctx, a, p.Name(), profile)
		}
		if err != nil {
			f.abort(c, p.Name(), err)
			return
		}
		routes.AnswerLogin(c, a, res)
	}
}

// identifyApp returns who an app says that the user is, by what the provider gave it.
func (f *Feature) identifyApp(ctx context.Context, c *gin.Context, p Provider) (*Profile, error) {
	var idToken, nonce, code, verifier, redirect, issuer string
	if err := routes.Decode(c, map[string]*string{
		"id_token": &idToken, "nonce": &nonce, "code": &code, "verifier": &verifier, "redirect_uri": &redirect, "iss": &issuer,
	}); err != nil {
		return nil, err
	}
	switch {
	case (idToken == "") == (code == ""):
		return nil, &ginauth.InputError{Field: "id_token", Reason: "or code is required, and not both"}
	case code != "":
		return f.exchangeApp(ctx, p, Exchange{Code: code, Verifier: verifier, RedirectURI: redirect, Nonce: nonce, Issuer: issuer})
	case len(nonce) < 16 || len(nonce) > 512:
		return nil, &ginauth.InputError{Field: "nonce", Reason: "is required: 16 to 512 bytes"}
	}
	by, ok := p.(IDTokenVerifier)
	if !ok {
		return nil, &ginauth.InputError{Field: "id_token", Reason: "is not what this provider has"}
	}
	limited, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	profile, err := by.VerifyIDToken(limited, idToken, nonce)
	if err != nil {
		return nil, logged("verify ID token", err)
	}
	// A token logs in once, however often it was copied.
	return profile, f.once(ctx, "id_token", 2*maxAge, p.Name(), profile.Subject, nonce)
}

func (f *Feature) exchangeApp(ctx context.Context, p Provider, e Exchange) (*Profile, error) {
	switch {
	case !slices.Contains(f.options.RedirectURIs, e.RedirectURI):
		return nil, &ginauth.InputError{Field: "redirect_uri", Reason: "is not one of the configured"}
	case len(e.Verifier) < stateLength || len(e.Verifier) > 128:
		return nil, &ginauth.InputError{Field: "verifier", Reason: "is required: 43 to 128 characters"}
	case len(e.Code) > maxParam || len(e.Nonce) > 512 || len(e.Issuer) > maxParam:
		return nil, &ginauth.InputError{Field: "code", Reason: "is too long"}
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	profile, err := p.Exchange(ctx, e)
	return profile, logged("ask provider", err)
}

func (f *Feature) list(c *gin.Context) {
	list, err := f.Identities(c.Request.Context(), ginauth.From(c))
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	routes.Answer(c, routes.Response{Status: http.StatusOK, Body: gin.H{"identities": list, "providers": f.Buttons()}})
}

func (f *Feature) unlink(c *gin.Context) {
	res, err := f.Unlink(c.Request.Context(), ginauth.From(c), c.Param("id"))
	r := routes.Response{Status: http.StatusNoContent}
	switch {
	case err != nil:
		f.abortAt(c, "", f.options.Home, err)
		return
	case res != nil && res.Tokens != nil:
		r.Status, r.Body = http.StatusOK, res.Tokens
	}
	routes.Answer(c, r)
}
