package routes

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

func (s *server) accountRoutes() []endpoint {
	mails := s.m.MailConfig().Mailer != nil
	var standard ginauth.Limit
	registrations := s.m.ThrottleRequests("register", standard)
	requests := s.m.ThrottleRequests("mails", standard)
	guesses := s.m.ThrottleFailures("links", standard)
	return []endpoint{
		{Register, s.can.Register, public(registrations), s.answer(Register, s.register)},
		{ForgotPassword, mails && s.can.ChangePassword, public(requests), s.answer(ForgotPassword, s.forgotPassword)},
		{ResetPassword, mails && s.can.ChangePassword, public(guesses), s.answer(ResetPassword, s.resetPassword)},
		{VerifyEmail, mails && s.can.VerifyEmail, public(guesses), s.answer(VerifyEmail, s.verifyEmail)},
		{ResendVerification, mails && s.can.VerifyEmail, public(requests), s.answer(ResendVerification, s.resendVerification)},
		{ChangeEmail, mails && s.can.ChangeEmail, s.users(requests, s.confirmed()), s.answer(ChangeEmail, s.changeEmail)},
		{ConfirmEmail, mails && s.can.ChangeEmail, public(guesses), s.answer(ConfirmEmail, s.confirmEmail)},
	}
}

func (s *server) register(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	in := registerInput{declared: s.options.RegisterFields, more: map[string]string{}}
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	more, err := in.further(s.options.RegisterFields)
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
	return s.userReply(http.StatusCreated, &ginauth.LoginResult{User: u}), nil
}

type emailInput struct {
	Email string `json:"email"`
}

func (in *emailInput) fields() []field { return []field{{name: "email", text: &in.Email}} }

func (s *server) forgotPassword(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in emailInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	return accepted, s.m.Broker(s.main).SendResetLink(a.EventContext(c.Request.Context()), in.Email)
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

func (s *server) verifyEmail(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	if _, err := s.m.VerifyEmail(a.EventContext(c.Request.Context()), c.Request.URL, s.main); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: map[string]bool{"verified": true}, page: returning(c, a)}, nil
}

func (s *server) resendVerification(c *gin.Context, a *ginauth.Authenticator) (reply, error) {
	var in emailInput
	if err := decode(c, &in); err != nil {
		return reply{}, err
	}
	return accepted, s.m.ResendVerification(a.EventContext(c.Request.Context()), in.Email, s.main)
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
