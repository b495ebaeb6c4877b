// Package passwords checks and hashes passwords: those that a user gives to prove an
// account, and those that a user chooses.
package passwords

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/clientaddr"
	"github.com/ginauth/ginauth/internal/dispatch"
	"github.com/ginauth/ginauth/internal/passpolicy"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
)

// MaxLength is the longest password in bytes, which is what package hashing accepts.
const MaxLength = 4096

// Service checks and hashes passwords. It is safe for concurrent use.
type Service struct {
	Env    *request.Env
	Hasher *hashing.Manager
	Policy *passpolicy.Policy
	// AppName is a word that new passwords must not consist of.
	AppName string
	// NormalizeNFC gives passwords the Unicode form NFC before they are hashed and compared.
	NormalizeNFC bool
}

// form returns the form of a password that is hashed.
func (s *Service) form(password string) string {
	if s.NormalizeNFC {
		return norm.NFC.String(password)
	}
	return password
}

// CheckShape refuses a text that cannot be a password.
func CheckShape(field, password string) error {
	switch {
	case password == "":
		return autherr.Invalid(field, "is required")
	case len(password) > MaxLength:
		return autherr.Invalid(field, fmt.Sprintf("is longer than %d bytes", MaxLength))
	case !utf8.ValidString(password):
		return autherr.Invalid(field, "is not valid UTF-8")
	}
	return nil
}

// For returns a context under which passwords are checked and hashed for the client of an
// address, so that clients share the queue of hashes.
func For(ctx context.Context, remote string) context.Context {
	return hashing.WithClient(ctx, clientaddr.Client(remote))
}

// Matches compares a password with a user's hash. It costs the same work if u is nil,
// or if the hash is missing or unreadable. The error wraps autherr.ErrUnavailable, and
// hashing.ErrBusy if too many passwords are being hashed.
func (s *Service) Matches(ctx context.Context, u models.Authenticatable, password string) (bool, error) {
	ok, err := s.matches(ctx, u, s.form(password))
	if !ok && err == nil && s.NormalizeNFC && !norm.NFC.IsNormalString(password) {
		// The hash may be from before passwords were normalized. That this costs another hash
		// tells the client only what it sent.
		return s.matches(ctx, u, password)
	}
	return ok, err
}

func (s *Service) matches(ctx context.Context, u models.Authenticatable, password string) (bool, error) {
	ok, err := false, error(hashing.ErrBadHash)
	if u != nil {
		ok, err = s.Hasher.Verify(ctx, password, u.AuthPassword())
	}
	if errors.Is(err, hashing.ErrBadHash) {
		s.tellUnreadable(ctx, u)
		ok, err = false, s.Hasher.VerifyDummy(ctx, password)
	}
	if errors.Is(err, hashing.ErrPassword) {
		return false, nil // no hash of this algorithm can be of this password
	}
	return ok && err == nil, autherr.Unavailable("check password", err)
}

// tellUnreadable logs once for each format that a user has a hash which no driver reads. It never
// logs the hash: it may be a password in plain text.
func (s *Service) tellUnreadable(ctx context.Context, u models.Authenticatable) {
	if u == nil || u.AuthPassword() == "" {
		return // logs in without a password
	}
	const text = "ginauth: a stored password hash cannot be verified, and its user cannot log in"
	switch format := hashing.LegacyFormat(u.AuthPassword()); format {
	case "":
		s.Env.WarnOnce(ctx, text+": its format is unknown, or it is malformed", "user", request.Cut(u.AuthID(), 64))
	default:
		s.Env.WarnOnce(ctx, text+": it begins with "+format+", for which Config.Hashing.Also needs hashing.Legacy()",
			"user", request.Cut(u.AuthID(), 64))
	}
}

// CheckNew applies the rules for new passwords. Words are what the password must not
// consist of. A password that is refused returns an *autherr.InputError.
func (s *Service) CheckNew(ctx context.Context, field, password string, words ...string) error {
	if err := CheckShape(field, password); err != nil {
		return err
	}
	password = s.form(password)
	// The check may ask another service than a store. It is not part of the
	// request's store budget.
	ctx, cancel := context.WithTimeout(ctx, s.Env.StoreTimeout)
	defer cancel()
	err := s.Policy.Check(ctx, password, append(words, s.AppName)...)
	var v *passpolicy.Violation
	switch {
	case errors.As(err, &v):
		return autherr.Invalid(field, v.Reason)
	case err != nil:
		return autherr.Unavailable("check password", err)
	}
	return nil
}

// Hash returns the hash of a new password.
func (s *Service) Hash(ctx context.Context, password string) (string, error) {
	if address := dispatch.ClientOf(ctx).Address; address != "" {
		ctx = For(ctx, address)
	}
	hash, err := s.Hasher.Hash(ctx, s.form(password))
	if errors.Is(err, hashing.ErrPassword) {
		return "", autherr.Invalid("password", "is too long, or has a character that the hash cannot take")
	}
	return hash, autherr.Unavailable("hash password", err)
}

// Rehash replaces an outdated hash after a login, if the user has a security stamp: a
// user without one is bound to the hash itself. If it fails, the next login tries
// again.
func (s *Service) Rehash(ctx context.Context, r *realm.Realm, u models.Authenticatable, password string) {
	updater, ok := r.Users.(models.PasswordUpdater)
	if _, stamped := u.(models.Stamped); !ok || !stamped || !s.Hasher.NeedsRehash(u.AuthPassword()) {
		return
	}
	hash, err := s.Hasher.Hash(ctx, s.form(password))
	if err == nil {
		ctx, span := s.Env.Span(ctx)
		defer span.End()
		_, err = updater.RehashPassword(ctx, u.AuthID(), u.AuthPassword(), hash)
	}
	if err != nil {
		s.Env.Log.WarnContext(ctx, "ginauth: password hash not replaced", "user", request.Cut(u.AuthID(), 64), "error", err)
	}
}
