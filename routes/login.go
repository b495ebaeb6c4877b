package routes

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

func (s *server) loginRoutes() []endpoint {
	throttle := s.m.ThrottleLogins()
	return []endpoint{
		{Login, s.sessions, public(throttle), s.answer(Login, s.login)},
		{Logout, true, public(s.m.AllowEnrolment()), s.answer(Logout, s.logout)},
		{Me, true, []gin.HandlerFunc{s.m.Auth(s.guards()...)}, s.answer(Me, s.me)},
		{ChangePassword, s.can.ChangePassword, s.users(throttle), s.answer(ChangePassword, s.changePassword)},
		{ConfirmPassword, true, s.enrolling(throttle), s.answer(ConfirmPassword, s.confirmPassword)},
		{PasswordConfirmed, true, s.enrolling(), s.answer(PasswordConfirmed, s.passwordConfirmed)},
	}
}

// identifierInput is one of the identifiers that users have.
type identifierInput struct {
	// names are the fields of identifiers. Their values in a form are stored in typed.
	names []string
	typed map[string]string
	// sent are all fields of a JSON body. The decoder calls UnmarshalJSON on a new value,
	// which has no names.
	sent map[string]json.RawMessage
}

func newIdentifierInput(names []string) *identifierInput {
	return &identifierInput{names: names, typed: make(map[string]string)}
}

func (in *identifierInput) fields() []field {
	var list []field
	for _, name := range in.names {
		list = append(list, field{name: name, into: in.typed})
	}
	return list
}

// UnmarshalJSON implements json.Unmarshaler.
func (in *identifierInput) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &in.sent) }

// identifier returns the one identifier that was sent, or the first field without a value.
func (in *identifierInput) identifier(names []string) (name, value string, err error) {
	typed := in.typed
	if in.sent != nil {
		if typed, err = textsOf(in.sent, names); err != nil {
			return "", "", err
		}
	}
	for _, field := range names {
		switch {
		case typed[field] == "":
		case name != "":
			return "", "", &ginauth.InputError{Field: field, Reason: "must not be sent beside " + name}
		default:
			name = field
		}
	}
	if name == "" {
		return names[0], "", nil
	}
	return name, typed[name], nil
}

// readIdentifier reads one of the identifiers that the users of the routes have.
func (s *server) readIdentifier(c *gin.Context) (name, value string, err error) {
	names := s.loginFields(s.main)
	in := newIdentifierInput(names)
	if err := decode(c, in); err != nil {
		return "", "", err
	}
	return in.identifier(names)
}

// loginInput is the body of POST /login and POST /token: an identifier and the password.
type loginInput struct {
	identifierInput
	loginFields
	// device says that the body is that of POST /token.
	device bool
}

type loginFields struct {
	Password string `json:"password"`
	Remember bool   `json:"remember"`
	Device   string `json:"device_token"`
	Trust    string `json:"trust_token"`
}

func newLoginInput(names []string, device bool) *loginInput {
	return &loginInput{identifierInput: *newIdentifierInput(names), device: device}
}

func (in *loginInput) fields() []field {
	list := in.identifierInput.fields()
	list = append(list, field{name: "password", text: &in.Password}, field{name: "remember", flag: &in.Remember})
	if in.device {
		list = append(list, field{name: "device_token", text: &in.Device}, field{name: "trust_token", text: &in.Trust})
	}
	return list
}

// UnmarshalJSON implements json.Unmarshaler.
func (in *loginInput) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &in.loginFields); err != nil {
		return err
	}
	return json.Unmarshal(data, &in.sent)
}

// credentials returns the one identifier that was sent, with the password.
func (in *loginInput) credentials(names []string) (ginauth.Credentials, error) {
	name, value, err := in.identifier(names)
	return ginauth.Credentials{name: value, "password": in.Password}, err
}

func (s *server) login(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	names := s.loginFields(s.options.SessionGuard)
	in := newLoginInput(names, false)
	if err := decode(c, in); err != nil {
		return reply{}, err
	}
	credentials, err := in.credentials(names)
	if err != nil {
		return reply{}, err
	}
	var options []ginauth.LoginOption
	if in.Remember {
		options = append(options, ginauth.Remember())
	}
	res, err := a.Guard(s.options.SessionGuard).Attempt(c.Request.Context(), credentials, options...)
	if err != nil {
		return reply{}, err
	}
	if res.Pending != nil {
		return pendingReply(res.Pending), nil
	}
	r := s.userReply(http.StatusOK, res)
	r.page = a.Guard(s.options.SessionGuard).Intended() // removes it, so that the next user does not get it
	return r, nil
}

// loginFields returns the fields by which the users of a guard log in.
func (s *server) loginFields(guard string) []string {
	if can, ok := s.m.Capabilities(guard); ok && len(can.LoginFields) > 0 {
		return can.LoginFields
	}
	return []string{"email"}
}

// logout ends the login by session and the login by access token, if there are
// any. Without a login it succeeds.
func (s *server) logout(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	ctx := c.Request.Context()
	// The session is first: it ends whatever else the request carries.
	if s.sessions {
		if err := a.Guard(s.options.SessionGuard).Logout(ctx); err != nil {
			return reply{}, err
		}
	}
	if s.access {
		if err := s.logoutToken(ctx, a); err != nil {
			return reply{}, err
		}
	}
	return done, nil
}

// logoutToken ends the login by access token. A token of this application that
// is not valid is an error, because its login may still exist. Credentials for
// others, such as those for a proxy in front of the application, are ignored.
func (s *server) logoutToken(ctx context.Context, a *ginauth.Authenticator) error {
	api := a.Guard(s.options.AccessGuard)
	u, err := api.User(ctx)
	switch {
	case err != nil:
		return err
	case u == nil && a.CarriesToken():
		a.Use(s.options.AccessGuard) // the 401 carries its challenge
		return ginauth.ErrUnauthenticated
	}
	return api.Logout(ctx)
}

func (s *server) me(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	u, err := a.User(c.Request.Context())
	if err != nil {
		return reply{}, err
	}
	return s.userReply(http.StatusOK, &ginauth.LoginResult{User: u}), nil
}

type changePasswordInput struct {
	Current  string `json:"current_password"`
	Password string `json:"password"`
}

func (in *changePasswordInput) fields() []field {
	return []field{{name: "current_password", text: &in.Current}, {name: "password", text: &in.Password}}
}

func (s *server) changePassword(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in changePasswordInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	res, err := a.ChangePassword(c.Request.Context(), in.Current, in.Password)
	if err != nil {
		return reply{}, err
	}
	return continued(res), nil
}

type passwordInput struct {
	Password string `json:"password"`
}

func (in *passwordInput) fields() []field { return []field{{name: "password", text: &in.Password}} }

func (s *server) confirmPassword(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in passwordInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	if err := a.ConfirmPassword(c.Request.Context(), in.Password); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent, page: returning(c, a)}, nil
}

func (s *server) passwordConfirmed(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	left, err := a.PasswordConfirmed(c.Request.Context())
	if err != nil {
		return reply{}, err
	}
	body := map[string]any{"confirmed": left > 0, "expires_in": int64(left / time.Second)}
	return reply{status: http.StatusOK, body: body}, nil
}
