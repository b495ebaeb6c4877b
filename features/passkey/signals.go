package passkey

import "github.com/ginauth/ginauth/models"

// Signals are what a page tells the browser, so that it shows the passkeys that there are (WebAuthn level 3, 5.1.10). The
// fields are the arguments of the functions PublicKeyCredential.signalUnknownCredential, signalAllAcceptedCredentials and
// signalCurrentUserDetails. Those that do not apply are nil. The script of this package calls them.
type Signals struct {
	Unknown  *UnknownCredential   `json:"unknown_credential,omitempty"`
	Accepted *AcceptedCredentials `json:"accepted_credentials,omitempty"`
	User     *UserDetails         `json:"current_user,omitempty"`
}

// UnknownCredential names a passkey that is not accepted.
type UnknownCredential struct {
	RPID string `json:"rpId"`
	ID   string `json:"credentialId"`
}

// AcceptedCredentials names all passkeys of a user.
type AcceptedCredentials struct {
	RPID   string   `json:"rpId"`
	UserID string   `json:"userId"`
	IDs    []string `json:"allAcceptedCredentialIds"`
}

// UserDetails are what browsers show of a user.
type UserDetails struct {
	RPID        string `json:"rpId"`
	UserID      string `json:"userId"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

// signals returns what a browser of a user can be told, or nil if the user never had a passkey.
func (f *Feature) signals(acc *account, u models.Authenticatable) *Signals {
	if acc.user == nil {
		return nil
	}
	handle := b64(acc.user.Handle).String()
	accepted := &AcceptedCredentials{RPID: f.options.RPID, UserID: handle, IDs: []string{}}
	for _, c := range acc.passkeys {
		accepted.IDs = append(accepted.IDs, b64(c.ID).String())
	}
	name, display := namesOf(u)
	return &Signals{Accepted: accepted, User: &UserDetails{RPID: f.options.RPID, UserID: handle, Name: name, DisplayName: display}}
}
