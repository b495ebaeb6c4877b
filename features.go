package ginauth

import "github.com/ginauth/ginauth/models"

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
