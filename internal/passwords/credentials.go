package passwords

import (
	"fmt"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
)

// The names of the password among credentials, and of what says that the client has logged into
// the account before, which is optional.
const (
	Field       = "password"
	DeviceField = "device_token"
)

// maxDevice is the length of the longest token of a device, in bytes.
const maxDevice = 1024

// Credentials are checked credentials: the field that names a user, its canonical value, a
// password, and the token of a device or "".
type Credentials struct{ Field, Canonical, Password, Device string }

// Parse checks credentials before anything is asked, counted or hashed. The error holds all
// faults of the input.
func Parse(rm *realm.Realm, given map[string]any) (Credentials, error) {
	var c Credentials
	identifier := c.identify(rm, given)
	var err error
	if c.Password, err = text(given, Field); err == nil {
		err = CheckShape(Field, c.Password)
	}
	return c, autherr.AllInput(identifier, err, c.device(given))
}

// device reads the token of a device.
func (c *Credentials) device(given map[string]any) (err error) {
	if given[DeviceField] == nil {
		return nil
	}
	if c.Device, err = text(given, DeviceField); err == nil && len(c.Device) > maxDevice {
		err = autherr.Invalid(DeviceField, fmt.Sprintf("is longer than %d bytes", maxDevice))
	}
	return err
}

// identify reads the field that names a user.
func (c *Credentials) identify(rm *realm.Realm, given map[string]any) error {
	named := 0
	for field := range given {
		if field != Field && field != DeviceField {
			c.Field = field
			named++
		}
	}
	if named != 1 {
		return autherr.Invalid("credentials", "name a user by exactly one field beside the password")
	}
	value, err := text(given, c.Field)
	if err == nil {
		c.Canonical, err = rm.Canonical(c.Field, value)
	}
	return err
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
