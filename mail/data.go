package mail

import (
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The kinds of messages. Each has templates, of the name of the kind.
const (
	// VerifyEmail asks a new user to open a link that proves the address.
	VerifyEmail = "verify_email"
	// ResetPassword has a link to choose a new password.
	ResetPassword = "reset_password"
	// PasswordChanged tells a user that the password is another now.
	PasswordChanged = "password_changed"
	// EmailChange goes to the address that an account is to be moved to, with a
	// link that proves it.
	EmailChange = "email_change"
	// EmailChanged tells the address an account had before that it has another.
	EmailChanged = "email_changed"
	// AlreadyRegistered tells a user that somebody tried to register the address
	// once more.
	AlreadyRegistered = "already_registered"
	// NewDevice tells a user of a login from a device not seen before.
	NewDevice = "new_device"
)

// Kinds returns the kinds that Templates knows.
func Kinds() []string {
	return []string{
		VerifyEmail, ResetPassword, PasswordChanged, EmailChange, EmailChanged, AlreadyRegistered, NewDevice,
	}
}

// needsLink reports whether a message of a kind is of no use without a link.
func needsLink(kind string) bool {
	return slices.Contains([]string{VerifyEmail, ResetPassword, EmailChange}, kind)
}

// Data is what templates are executed with. It hides itself in fmt, slog and
// JSON.
type Data struct {
	// AppName is the name of the application as its users know it. It is
	// required.
	AppName string
	// Name is what to call the user, or "". A name that reads like a link is
	// taken for "", because strangers can send it to others' addresses.
	Name string
	// Email is the address of the account, or "".
	Email string
	// URL is the link of the message: absolute, with http or https, of at most
	// 2048 bytes, made from the configured address of the application and
	// nothing of the request. VerifyEmail, ResetPassword and EmailChange need
	// one. In the others it leads to the page where the user can put things
	// right, as by asking for a new password, and may be "".
	URL string
	// Expires is how long the link works, or 0 to leave it unsaid.
	Expires time.Duration
	// At is when it happened, or the zero time to leave it unsaid.
	At time.Time
	// Address is the network address of the client, or "".
	Address string
	// Device says what the client is, as in "Firefox on Linux", or "". One that
	// reads like a link is taken for "".
	Device string
}

// Format writes a placeholder, whatever the verb.
func (Data) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Data) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, which is also what JSON gets.
func (Data) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const (
	maxName   = 64
	maxDevice = 160
	maxURL    = 2048
)

// clean returns data that is safe to put into a message of a kind. Its errors do
// not quote the link.
func (d Data) clean(kind string) (Data, error) {
	d.AppName = cleanLine(d.AppName, maxName)
	d.Name = cleanStranger(d.Name, maxName)
	d.Address = cleanStranger(d.Address, maxName)
	d.Device = cleanStranger(d.Device, maxDevice)
	switch {
	case d.AppName == "":
		return d, fmt.Errorf("%w: AppName is empty", ErrTemplate)
	case d.Email != "" && Address{Email: d.Email}.Check() != nil:
		return d, fmt.Errorf("%w: Email is not an address", ErrTemplate)
	case d.Expires < 0:
		return d, fmt.Errorf("%w: Expires is negative", ErrTemplate)
	case d.URL == "" && needsLink(kind):
		return d, fmt.Errorf("%w: %s needs a URL", ErrTemplate, kind)
	case d.URL != "" && !isLink(d.URL):
		return d, fmt.Errorf("%w: URL is not an absolute one with http or https", ErrTemplate)
	}
	return d, nil
}

// isLink reports whether s can stand in a text as it is and be followed.
func isLink(s string) bool {
	if len(s) > maxURL || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r)
	}) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}
