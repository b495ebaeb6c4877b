package ginauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// BasicOption changes a Basic middleware.
type BasicOption func(*basic)

// basic is the configuration of one Basic middleware.
type basic struct {
	guard   *guardEntry
	name    string
	field   string
	session bool
}

// BasicGuard names the guard whose users are asked for. Default: the default
// guard.
func BasicGuard(name string) BasicOption { return func(b *basic) { b.name = name } }

// BasicField names the field that the user name is. Default "email".
func BasicField(field string) BasicOption { return func(b *basic) { b.field = field } }

// BasicStartsSession logs the user in, so that the next requests need no
// password: a request that the guard knows already is not asked for one. The
// default is to check the password at each request, and to keep nothing.
func BasicStartsSession() BasicOption { return func(b *basic) { b.session = true } }

// maxBasic is the longest credentials that are decoded, in bytes.
const maxBasic = 8 << 10

// Basic lets only users pass who send their password by HTTP Basic
// authentication (RFC 7617). It counts as a login for the throttle: 429 for too
// many tries. Nobody, and whoever sends what is no password of anybody: 401
// with a challenge. It panics if there is no guard of the name, or if the guard
// cannot do what is asked.
//
// Browsers send such a password by themselves, so requests are protected against
// other sites as by StartSession.
func (m *Manager) Basic(options ...BasicOption) gin.HandlerFunc {
	b := &basic{name: m.cfg.DefaultGuard, field: "email"}
	for _, option := range options {
		option(b)
	}
	b.guard = m.mustGuard(b.name)
	if b.guard.users == nil {
		panic(fmt.Sprintf("ginauth: Basic: guard %q has no user provider: set Config.Users", b.name))
	}
	if _, ok := b.guard.Guard.(StatefulGuard); b.session && !ok {
		panic(fmt.Sprintf("ginauth: Basic: guard %q logs nobody in", b.name))
	}
	return m.mark(kindGuard, func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			x.auth.use(b.guard)
			if !x.started { // else StartSession has looked
				if err := m.checkOrigin(x); err != nil {
					return err
				}
			}
			err := b.authenticate(c.Request.Context(), &x.auth)
			if StatusOf(err) == http.StatusUnauthorized {
				c.Header("WWW-Authenticate", basicChallenge(b.name))
			}
			return err
		})
	})
}

func basicChallenge(realm string) string {
	return fmt.Sprintf(`%s realm=%q, charset="UTF-8"`, schemeBasic, realm)
}

func (b *basic) authenticate(ctx context.Context, a *Authenticator) error {
	if b.session {
		if u, err := a.User(ctx); err != nil || u != nil {
			return err
		}
	}
	name, password, ok := basicCredentials(a.x.HTTP.Header)
	if !ok {
		return ErrUnauthenticated
	}
	credentials := Credentials{b.field: name, passwordField: password}
	var err error
	if b.session {
		_, err = a.Attempt(ctx, credentials)
	} else {
		_, err = a.Once(ctx, credentials)
	}
	// There is no form to show what is wrong with a field.
	if errors.Is(err, ErrInvalidInput) {
		return ErrInvalidCredentials
	}
	return err
}

// basicCredentials reads the Authorization header.
func basicCredentials(h http.Header) (name, password string, ok bool) {
	text, _ := authorization(h, schemeBasic)
	if text == "" || len(text) > maxBasic {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(decoded), ":")
}
