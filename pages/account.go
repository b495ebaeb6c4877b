package pages

import "github.com/ginauth/ginauth/models"

// Account is what pages show of the user who is logged in.
type Account struct {
	// ID is the identifier.
	ID string
	// Name is "" if the user type has none.
	Name string
	// Email is "" if the user type has none; Verified says whether it is verified.
	Email    string
	Verified bool
}

func newAccount(u models.Authenticatable) *Account {
	a := &Account{ID: u.AuthID()}
	if n, ok := u.(models.Named); ok {
		a.Name = n.AuthName()
	}
	if v, ok := u.(models.EmailVerifiable); ok {
		a.Email, a.Verified = v.AuthEmail(), v.AuthEmailVerified()
	}
	return a
}

// Label returns the name, or else the address, or else the identifier.
func (a *Account) Label() string {
	for _, text := range []string{a.Name, a.Email} {
		if text != "" {
			return text
		}
	}
	return a.ID
}
