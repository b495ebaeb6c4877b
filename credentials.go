package ginauth

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
)

// Credentials are what somebody claims to be: one field that names a user, as
// "email", and "password". Both are strings; anything else is refused, so a map
// decoded from a request cannot smuggle a condition into a query. They hide
// themselves in fmt and slog.
type Credentials map[string]any

const passwordField = "password"

// maxPassword is the longest password, in bytes: what package hashing takes.
const maxPassword = 4096

// Format writes a placeholder, whatever the verb.
func (Credentials) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns a placeholder.
func (Credentials) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// claim is a checked set of credentials.
type claim struct {
	field     string
	canonical string
	password  string
}

// claim checks credentials before anything is asked, counted or hashed. The
// errors are *InputErrors.
func (cr Credentials) claim(p models.UserProvider) (claim, error) {
	var c claim
	password, err := cr.text(passwordField)
	if err != nil {
		return c, err
	}
	if err := checkPassword(passwordField, password); err != nil {
		return c, err
	}
	fields := cr.fields()
	if len(fields) != 1 {
		return c, autherr.Invalid("credentials", "name a user by exactly one field beside the password")
	}
	value, err := cr.text(fields[0])
	if err != nil {
		return c, err
	}
	canonical, err := canonicalIdentifier(p, fields[0], value)
	if err != nil {
		return c, err
	}
	return claim{fields[0], canonical, password}, nil
}

func (cr Credentials) fields() []string {
	var fields []string
	for field := range cr {
		if field != passwordField {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	return fields
}

func (cr Credentials) text(field string) (string, error) {
	switch v := cr[field].(type) {
	case string:
		return v, nil
	case nil:
		return "", autherr.Invalid(request.Cut(field, 64), "is required")
	}
	return "", autherr.Invalid(request.Cut(field, 64), "is not a text")
}

// checkPassword refuses what can be nobody's password.
func checkPassword(field, password string) error {
	switch {
	case password == "":
		return autherr.Invalid(field, "is required")
	case len(password) > maxPassword:
		return autherr.Invalid(field, fmt.Sprintf("is longer than %d bytes", maxPassword))
	case !utf8.ValidString(password):
		return autherr.Invalid(field, "is not valid UTF-8")
	}
	return nil
}

// CanonicalIdentifier returns the one form that all spellings of an email
// address or user name share: trimmed, NFKC-normalized and case-folded. It is
// what user providers look up, and what gormstore's does. The error wraps
// models.ErrBadIdentifier if the value can name nobody: it is empty, longer than
// 254 bytes, not valid UTF-8, or has spaces or invisible characters inside.
func CanonicalIdentifier(value string) (string, error) {
	canonical, err := canon.Identifier(value)
	if err != nil {
		return "", fmt.Errorf("%w: %w", models.ErrBadIdentifier, err)
	}
	return canonical, nil
}

func canonicalIdentifier(p models.UserProvider, field, value string) (string, error) {
	canonical, err := p.CanonicalIdentifier(field, value)
	switch {
	case err == nil:
		return canonical, nil
	case errors.Is(err, models.ErrUnknownField):
		return "", autherr.Invalid(request.Cut(field, 64), "is not a field that users log in with")
	case strings.TrimSpace(value) == "":
		return "", autherr.Invalid(field, "is required")
	case errors.Is(err, models.ErrBadIdentifier):
		return "", autherr.Invalid(field, "is not acceptable")
	}
	return "", autherr.Unavailable("read identifier", err)
}
