package routes

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

func (s *server) accountRoutes() []endpoint {
	mails := s.m.MailConfig().Mailer != nil
	var standard ginauth.Limit
	registrations := s.m.ThrottleRegistrations()
	requests := s.m.ThrottleRequests("mails", standard)
	return []endpoint{
		{Register, s.can.Register, public(registrations), s.answer(Register, s.register)},
		{ForgotPassword, mails && s.can.ChangePassword, public(requests), s.answer(ForgotPassword, s.forgotPassword)},
		// Wrong tokens and links are counted where they are checked, so that no number of
		// them keeps a right one out.
		{ResetPassword, mails && s.can.ChangePassword, public(), s.answer(ResetPassword, s.resetPassword)},
		{ShowVerifyEmail, mails && s.can.VerifyEmail, public(), s.showLink(ShowVerifyEmail, verifyPage)},
		{VerifyEmail, mails && s.can.VerifyEmail, public(), s.answer(VerifyEmail, s.verifyEmail)},
		{ResendVerification, mails && s.can.VerifyEmail, public(requests), s.answer(ResendVerification, s.resendVerification)},
		{ChangeEmail, mails && s.can.ChangeEmail, s.users(requests, s.confirmed()), s.answer(ChangeEmail, s.changeEmail)},
		{ShowConfirmEmail, mails && s.can.ChangeEmail, public(), s.showLink(ShowConfirmEmail, confirmPage)},
		{ConfirmEmail, mails && s.can.ChangeEmail, public(), s.answer(ConfirmEmail, s.confirmEmail)},
	}
}

func (s *server) register(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	declared := s.registerFields()
	in := registerInput{declared: declared, more: map[string]string{}}
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	more, err := in.further(declared)
	if err != nil {
		return reply{}, err
	}
	u, err := s.m.Register(a.EventContext(c.Request.Context()), ginauth.Registration{
		Name: in.Name, Email: in.Email, Password: in.Password, Guard: s.main, Fields: more,
	})
	if err != nil {
		return reply{}, err
	}
	if u == nil { // the response must not reveal whether the address has an account
		return accepted, nil
	}
	r := s.userReply(http.StatusCreated, &ginauth.LoginResult{User: u})
	if !s.options.LoginAfterRegister || !s.sessions {
		return r, nil
	}
	web := a.Guard(s.options.SessionGuard)
	switch _, err := web.Login(c.Request.Context(), u); {
	case errors.Is(err, ginauth.ErrUnavailable):
		return reply{}, err
	case err != nil: // a feature refuses the login: the user is registered all the same
		return r, nil
	}
	r.page = returning(c, web)
	return r, nil
}

// registerFields returns the fields of a registration but for "name", "email" and "password".
func (s *server) registerFields() []string {
	declared := slices.Clone(s.options.RegisterFields)
	for _, name := range s.can.RegisterFields {
		if !slices.Contains(declared, name) {
			declared = append(declared, name)
		}
	}
	return declared
}

type emailInput struct {
	Email string `json:"email"`
}

func (in *emailInput) fields() []field { return []field{{name: "email", text: &in.Email}} }

func (s *server) forgotPassword(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	name, value, err := s.readIdentifier(c)
	if err != nil {
		return reply{}, err
	}
	return accepted, s.m.Broker(s.main).SendResetLinkBy(a.EventContext(c.Request.Context()), name, value)
}

type resetInput struct {
	Email    string `json:"email"`
	Token    string `json:"token"`
	Password string `json:"password"`
}

func (in *resetInput) fields() []field {
	return []field{
		{name: "email", text: &in.Email}, {name: "token", text: &in.Token}, {name: "password", text: &in.Password},
	}
}

func (s *server) resetPassword(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in resetInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	return done, s.m.Broker(s.main).Reset(a.EventContext(c.Request.Context()), ginauth.PasswordReset{
		Email: in.Email, Token: in.Token, Password: in.Password,
	})
}

// verifyEmail reads an optional password from the body.
func (s *server) verifyEmail(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in passwordInput
	if c.Request.ContentLength != 0 {
		if err := decode(c, &in); err != nil {
			return reply{}, err
		}
	}
	opener := a.Guard(s.main)
	if s.sessions && s.access { // the user of either guard may be the one
		if u, err := opener.User(c.Request.Context()); err == nil && u == nil {
			opener = a.Guard(s.options.AccessGuard)
		}
	}
	ended, err := opener.VerifyEmail(c.Request.Context(), c.Request.URL, in.Password)
	if err != nil {
		return reply{}, err
	}
	body := map[string]bool{"verified": true, "password_ended": ended}
	return reply{status: http.StatusOK, body: body, page: returning(c, a)}, nil
}

func (s *server) resendVerification(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	name, value, err := s.readIdentifier(c)
	if err != nil {
		return reply{}, err
	}
	return accepted, s.m.ResendVerificationBy(a.EventContext(c.Request.Context()), name, value, s.main)
}

func (s *server) changeEmail(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in emailInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	return accepted, a.RequestEmailChange(c.Request.Context(), in.Email)
}

func (s *server) confirmEmail(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	err := a.Guard(s.main).ConfirmEmail(c.Request.Context(), c.Param("token"))
	return reply{status: http.StatusOK, body: map[string]bool{"confirmed": true}}, err
}
