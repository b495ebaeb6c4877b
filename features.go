package ginauth

import (
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/models"
)

// Capabilities says what a guard can do, given the configuration: what package
// routes needs to know.
type Capabilities struct {
	// Sessions, AccessTokens and PersonalTokens say which kind of guard it is,
	// where it is one of this package.
	Sessions, AccessTokens, PersonalTokens bool
	// Users says that it has a user provider.
	Users bool
	// The others say what the guard's users can be asked for.
	Register, VerifyEmail, ChangeEmail, ChangePassword, ChangeStamp bool
}

// Capabilities returns what a guard can do. It is not ok if there is no such guard.
func (m *Manager) Capabilities(guard string) (f Capabilities, ok bool) {
	g, ok := m.guards[guard]
	if !ok {
		return f, false
	}
	_, f.Sessions = g.Guard.(*sessionGuard)
	_, f.AccessTokens = g.Guard.(*jwtGuard)
	_, f.PersonalTokens = g.Guard.(*tokenGuard)
	f.Users = g.users != nil
	_, err := newUser(g)
	f.Register = err == nil
	_, f.VerifyEmail = g.users.(models.EmailVerifier)
	_, f.ChangeEmail = g.users.(models.EmailChanger)
	_, f.ChangePassword = g.users.(models.PasswordChanger)
	_, f.ChangeStamp = g.users.(models.StampChanger)
	return f, true
}

// MailConfig returns what mails are configured with, defaults filled in. Its
// Mailer is nil if no mail can be sent.
func (m *Manager) MailConfig() MailConfig { return m.cfg.Mail }

// EnsureEmailVerified lets only users pass whose email address is verified. It
// comes after Auth. Nobody gets 401; a user whose address is not verified, or
// whose type does not know of addresses, 403, or a redirect to
// Pages.VerifyEmail for browsers.
func (m *Manager) EnsureEmailVerified() gin.HandlerFunc {
	m.usage.verifiesEmail()
	return m.mark(kindNeutral, func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			u, err := x.auth.User(c.Request.Context())
			if err != nil {
				return err
			}
			if u == nil {
				return ErrUnauthenticated
			}
			if v, ok := u.(models.EmailVerifiable); !ok || !v.AuthEmailVerified() {
				return ErrEmailNotVerified
			}
			return nil
		})
	})
}
