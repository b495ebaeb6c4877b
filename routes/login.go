package routes

import (
	"context"
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

type loginInput struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Remember bool   `json:"remember"`
}

func (in *loginInput) fields() []field {
	return []field{
		{name: "email", text: &in.Email}, {name: "password", text: &in.Password}, {name: "remember", flag: &in.Remember},
	}
}

func (in *loginInput) credentials() ginauth.Credentials {
	return ginauth.Credentials{"email": in.Email, "password": in.Password}
}

func (s *server) login(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in loginInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	var options []ginauth.LoginOption
	if in.Remember {
		options = append(options, ginauth.Remember())
	}
	res, err := a.Guard(s.options.SessionGuard).Attempt(c.Request.Context(), in.credentials(), options...)
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
