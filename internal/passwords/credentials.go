package passwords

import (
	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
)

// Field is the name of the password among credentials.
const Field = "password"

// Credentials are checked credentials: the field that names a user, its canonical value, and a
// password.
type Credentials struct{ Field, Canonical, Password string }

// Parse checks credentials before anything is asked, counted or hashed. The errors are
// *autherr.InputErrors.
func Parse(rm *realm.Realm, given map[string]any) (Credentials, error) {
	var c Credentials
	var err error
	if c.Password, err = text(given, Field); err != nil {
		return c, err
	}
	if err := CheckShape(Field, c.Password); err != nil {
		return c, err
	}
	for field := range given {
		if field != Field {
			c.Field = field
		}
	}
	if len(given) != 2 {
		return c, autherr.Invalid("credentials", "name a user by exactly one field beside the password")
	}
	value, err := text(given, c.Field)
	if err != nil {
		return c, err
	}
	c.Canonical, err = rm.Canonical(c.Field, value)
	return c, err
}

func text(given map[string]any, field string) (string, error) {
	switch v := given[field].(type) {
	case string:
		return v, nil
	case nil:
		return "", autherr.Invalid(request.Cut(field, 64), "is required")
	}
	return "", autherr.Invalid(request.Cut(field, 64), "is not a text")
}
