package mail

import (
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The kinds of messages. The templates of a kind have its name.
const (
	// VerifyEmail is sent to a new user. It contains a link that verifies the
	// email address.
	VerifyEmail = "verify_email"
	// ResetPassword is sent to a user who requested a new password. It contains
	// a link to choose one.
	ResetPassword = "reset_password"
	// PasswordChanged is sent to a user whose password was changed.
	PasswordChanged = "password_changed"
	// EmailChange is sent to the new address of an account, with a link that
	// verifies it.
	EmailChange = "email_change"
	// EmailChanged is sent to the old address of an account after the address
	// was changed.
	EmailChanged = "email_changed"
	// AlreadyRegistered is sent to a user whose email address was used in
	// another registration.
	AlreadyRegistered = "already_registered"
	// RegistrationFailed is sent to the address of a registration that made no
	// user, because a value other than the address is taken.
	RegistrationFailed = "registration_failed"
	// NewDevice is sent to a user after a login from an unknown device.
	NewDevice = "new_device"
	// FactorChanged is sent to a user whose second factors were changed. Data.Field says how: FactorAdded,
	// FactorRemoved, CodeUsed, CodesReplaced, FactorsReset, PasskeyAdded, PasskeyRemoved, IdentityLinked or
	// IdentityUnlinked.
	FactorChanged = "factor_changed"
	// LoginLink is sent to a user who asked to log in without a password. It contains a link, and Data.Code too
	// if it is not "".
	LoginLink = "login_link"
	// LoginCode is sent to a user who logs in. It contains Data.Code.
	LoginCode = "login_code"
	// AccountDeleted is sent to the address of an account that was deleted.
	AccountDeleted = "account_deleted"
)

// What FactorChanged tells of.
const (
	FactorAdded   = "added"
	FactorRemoved = "removed"
	CodeUsed      = "code_used"
	CodesReplaced = "codes_replaced"
	FactorsReset  = "reset"
	// A passkey logs in by itself.
	PasskeyAdded   = "passkey_added"
	PasskeyRemoved = "passkey_removed"
	// An account at another site became a way to log in, or is none any more.
	IdentityLinked   = "identity_linked"
	IdentityUnlinked = "identity_unlinked"
)

// Kinds returns all kinds for which Templates has messages.
func Kinds() []string {
	return []string{
		VerifyEmail, ResetPassword, PasswordChanged, EmailChange, EmailChanged, AlreadyRegistered, RegistrationFailed, NewDevice,
		FactorChanged, LoginLink, LoginCode, AccountDeleted,
	}
}

// needsLink reports whether messages of a kind must contain a link.
func needsLink(kind string) bool {
	return slices.Contains([]string{VerifyEmail, ResetPassword, EmailChange, LoginLink}, kind)
}

// Data is the data that templates are executed with. It prints as a placeholder
// in fmt, slog and JSON.
type Data struct {
	// AppName is the name of the application, as its users know it. It is
	// required.
	AppName string
	// Name is the name of the user, or "". It is omitted if it looks like a
	// link, because an attacker can register other people's addresses with any
	// name.
	Name string
	// Email is the email address of the account, or "".
	Email string
	// URL is the link in the message. It is an absolute http or https URL of at
	// most 2048 bytes. It must be made from the configured URL of the
	// application, and never from the request. VerifyEmail, ResetPassword,
	// EmailChange and LoginLink require it. In other kinds it may be "". There it leads to a
	// page where the user can secure the account, for example by requesting a
	// new password.
	URL string
	// Code is the code that a user logs in with, or "". LoginCode requires it.
	Code string
	// Expires is the time for which the link or the code is valid, or 0 to omit it.
	Expires time.Duration
	// At is the time of the event that the message reports, or the zero time to
	// omit it.
	At time.Time
	// Address is the IP address of the client, or "".
	Address string
	// Device describes the client, as in "Firefox on Linux", or is "". It is
	// omitted if it looks like a link.
	Device string
	// Field is the field of a registration that is taken, or what FactorChanged tells of, or "".
	Field string
}

// Format writes a placeholder, for every verb.
func (Data) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Data) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder. Package encoding/json uses it too.
func (Data) MarshalText() ([]byte, error) { return []byte(redacted), nil }

const (
	maxName   = 64
	maxDevice = 160
	maxURL    = 2048
)

// clean returns a copy of d that is safe in a message of the kind. The errors
// do not quote the link.
func (d Data) clean(kind string) (Data, error) {
	d.AppName = cleanLine(d.AppName, maxName)
	d.Name = cleanUntrusted(d.Name, maxName)
	d.Address = cleanUntrusted(d.Address, maxName)
	d.Device = cleanUntrusted(d.Device, maxDevice)
	d.Field = cleanUntrusted(d.Field, maxName)
	d.Code = cleanUntrusted(d.Code, maxName)
	switch {
	case d.AppName == "":
		return d, fmt.Errorf("%w: AppName is empty", ErrTemplate)
	case d.Email != "" && Address{Email: d.Email}.Check() != nil:
		return d, fmt.Errorf("%w: Email is not an address", ErrTemplate)
	case d.Expires < 0:
		return d, fmt.Errorf("%w: Expires is negative", ErrTemplate)
	case d.Code == "" && kind == LoginCode:
		return d, fmt.Errorf("%w: %s needs a Code", ErrTemplate, kind)
	case d.URL == "" && needsLink(kind):
		return d, fmt.Errorf("%w: %s needs a URL", ErrTemplate, kind)
	case d.URL != "" && !isLink(d.URL):
		return d, fmt.Errorf("%w: URL is not an absolute http or https URL", ErrTemplate)
	}
	return d, nil
}

// isLink reports whether s is an http or https URL that can appear in a text
// without escaping.
func isLink(s string) bool {
	if len(s) > maxURL || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r)
	}) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}
