package accounts

import (
	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/models"
)

// Capabilities returns what the users of a realm can do, whatever the guard.
func Capabilities(rm *realm.Realm) (can config.Capabilities) {
	can.Users, can.LoginFields = rm.Users != nil, rm.LoginFields()
	can.RegisterFields = neededFields(rm)
	_, err := NewUser(rm)
	can.Register = err == nil
	_, can.VerifyEmail = rm.Users.(models.EmailVerifier)
	_, can.ChangeEmail = rm.Users.(models.EmailChanger)
	_, can.ChangePassword = rm.Users.(models.PasswordChanger)
	_, can.ChangeStamp = rm.Users.(models.StampChanger)
	if s, ok := rm.Users.(models.Supporter); ok {
		email := s.SupportsEmail()
		can.VerifyEmail, can.ChangeEmail = can.VerifyEmail && email, can.ChangeEmail && email
		can.ChangeStamp = can.ChangeStamp && s.SupportsStamp()
	}
	return can
}

// neededFields returns the fields that a registration needs in place of the email address.
func neededFields(rm *realm.Realm) (names []string) {
	setter, ok := rm.Users.(models.IdentifierSetter)
	if !ok {
		return nil
	}
	if _, identifies, _ := rm.Email("a@example.com"); identifies {
		return nil
	}
	for _, name := range setter.Identifiers() {
		if setter.NeedsIdentifier(name) {
			names = append(names, name)
		}
	}
	return names
}
