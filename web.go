package ginauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/jsonbody"
	"github.com/ginauth/ginauth/internal/passwords"
	"github.com/ginauth/ginauth/internal/redirect"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/settings"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/models"
)

// MaxBody is the largest body that DecodeJSON reads, in bytes.
const MaxBody = 64 * 1024 // 64 KiB

// DecodeJSON reads the request's body as one JSON value into a pointer. It is stricter than Gin's binding, which
// takes the last of two equal keys, ignores what follows the value, and reads the query string if it does not know
// the media type. Keys match fields as in encoding/json. The former value of the target is replaced, but not if there
// is an error. Abort answers each of them with the right status:
//
//   - ErrMediaType: the body is not declared as JSON. 415.
//   - ErrBodyTooLarge: the body is larger than MaxBody. 413.
//   - ErrMalformed: the body is not one JSON value. 400.
//   - *InputError: a key occurs twice, also in another case; a text is no valid Unicode; a value has another type. 422.
func DecodeJSON(c *gin.Context, into any) error {
	return jsonbody.DecodeRequest(c.Request, MaxBody, into)
}

// bearer returns the token that a request carries, or "". Its form is checked by the parsers of tokens, each of which
// accepts exactly one text for a token (RFC 6750, 2.1).
func (x *requestState) bearer() string {
	var text string
	if source := x.m.cfg.JWT.Source; source != nil {
		x.Private.Store(true) // caches do not know what it reads
		text = source(x.HTTP)
	} else {
		text, _ = request.Authorization(x.HTTP.Header, request.Bearer)
	}
	if len(text) > tokens.MaxLength {
		return ""
	}
	return text
}

// CarriesToken reports whether the request carries a token that looks like one of this application: a personal access
// token, or a signed one that names JWT.Issuer. It proves nothing.
func (a *Authenticator) CarriesToken() bool { return a.x.m.tokens.LooksIssued(a.x.bearer()) }

// BasicOption changes a Basic middleware.
type BasicOption func(*basic)

// basic is the configuration of one Basic middleware.
type basic struct {
	guard   *guardEntry
	name    string
	field   string
	session bool
}

// BasicGuard names the guard whose users are accepted. Default: the default guard.
func BasicGuard(name string) BasicOption { return func(b *basic) { b.name = name } }

// BasicField names the field that the user name is. Default: the first by which the provider looks users up.
func BasicField(field string) BasicOption { return func(b *basic) { b.field = field } }

// BasicStartsSession logs the user in, so that the next requests need no password: a request with a login is not
// asked for one. Default: the password is checked at each request, and nothing is kept.
func BasicStartsSession() BasicOption { return func(b *basic) { b.session = true } }

// Basic requires a user who sends the password by HTTP Basic authentication (RFC 7617). Each check counts as an
// attempt to log in: 429 after too many. Without a password, or with a wrong one, it responds with 401 and a
// challenge, and to a user with a second factor with 403, because a password alone is no login. It panics if there is no
// guard of the name, or if the guard does not support what the options ask for.
//
// Browsers send such a password by themselves, so requests from other sites are refused as by StartSession.
func (m *Manager) Basic(options ...BasicOption) gin.HandlerFunc {
	b := &basic{name: m.cfg.DefaultGuard}
	for _, option := range options {
		option(b)
	}
	b.guard = m.mustGuard(b.name)
	if b.guard.realm.Users == nil {
		panic(fmt.Sprintf("ginauth: Basic: guard %q has no user provider: set Config.Users", b.name))
	}
	settings.Default(&b.field, b.guard.realm.LoginFields()[0])
	if _, err := b.guard.realm.Users.CanonicalIdentifier(b.field, "a"); errors.Is(err, models.ErrUnknownField) {
		panic(fmt.Sprintf("ginauth: Basic: the users of guard %q are not looked up by the field %q", b.name, b.field))
	}
	if _, ok := b.guard.Guard.(StatefulGuard); b.session && !ok {
		panic(fmt.Sprintf("ginauth: Basic: guard %q cannot log users in", b.name))
	}
	return m.guarding(func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			x.auth.use(b.guard)
			if !x.Started { // otherwise StartSession has checked
				if err := x.CheckOrigin(m.origins, m.cfg.JWT.Source == nil); err != nil {
					return err
				}
			}
			err := b.authenticate(c.Request.Context(), &x.auth)
			if StatusOf(err) == http.StatusUnauthorized {
				c.Header("WWW-Authenticate", fmt.Sprintf(`%s realm=%q, charset="UTF-8"`, request.Basic, b.name))
			}
			return err
		})
	})
}

func (b *basic) authenticate(ctx context.Context, a *Authenticator) error {
	if b.session {
		if u, err := a.User(ctx); err != nil || u != nil {
			return err
		}
	}
	name, password, ok := request.BasicCredentials(a.x.HTTP.Header)
	if !ok {
		return ErrUnauthenticated
	}
	login := a.Once
	if b.session {
		login = func(ctx context.Context, cr Credentials) (*LoginResult, error) { return a.Attempt(ctx, cr) }
	}
	res, err := login(ctx, Credentials{b.field: name, passwords.Field: password})
	switch {
	case errors.Is(err, ErrInvalidInput):
		return ErrInvalidCredentials // there is no form that could show what is wrong
	case err == nil && res.Pending != nil:
		return ErrSecondFactor
	}
	return err
}

// Intended returns the page that the browser requested when it was redirected to a login page or to another of
// Config.Pages, once: a path on this site, with Config.BasePath. Otherwise it returns the home of the guard. Call it
// before the response begins.
func (a *Authenticator) Intended() string {
	return a.IntendedOr(a.x.m.PublicPath(a.current().home))
}

// IntendedOr is Intended that returns fallback in place of the home.
func (a *Authenticator) IntendedOr(fallback string) string {
	return a.x.TakeIntended(a.x.m.intended, fallback)
}

// RememberIntended records the page that the browser requests, for Intended, or the page whose form it sends. It keeps
// flashed values for the next page. The redirects to Config.Pages do so. Only a request by which a person opens a page
// counts: no prefetch, no part of a page, no request of a script and no socket.
func RememberIntended(c *gin.Context) {
	if x, ok := stateOf(c); ok {
		x.session.s.KeepFlash()
		x.RememberIntended(x.m.intended, x.m.cfg.BasePath)
	}
}

// PublicPath returns the path of a route as browsers see it: with Config.BasePath before it.
func (m *Manager) PublicPath(path string) string { return m.cfg.BasePath + path }

// SafeRedirect returns target if it is a path on this site, and fallback otherwise. Use it for redirect targets that
// come with a request. It considers what browsers make of backslashes, tabs and dot segments.
func SafeRedirect(target, fallback string) string {
	return redirect.Or(target, fallback)
}

// WantsHTML reports whether the request comes from a browser that expects a page, and not from an API client: it
// accepts HTML before JSON, and its path has none of Config.Pages.APIPrefixes.
func WantsHTML(c *gin.Context) bool { return managerOf(c).wantsHTML(c) }

func (m *Manager) wantsHTML(c *gin.Context) bool {
	return request.WantsHTML(c.Request, m.cfg.Pages.APIPrefixes)
}
