package accounts

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/passwords"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// maxLink is the longest link that is looked at, in bytes, with what others appended.
const maxLink = 8192

// VerificationURL returns the link that proves a user's current address. It is signed
// and bound to the user, the address and this purpose.
func (s *Service) VerificationURL(rm *realm.Realm, u models.Authenticatable) (string, error) {
	if err := s.Mails.Enabled(); err != nil {
		return "", err
	}
	if u = realm.Present(u); u == nil {
		return "", fmt.Errorf("ginauth: verification link: %w", realm.ErrNoUser)
	}
	to, ok := mailbox(u)
	if !ok {
		return "", fmt.Errorf("ginauth: %w", unsupported("returns a user without an email address"))
	}
	link := s.verificationLink(rm.Name, u.AuthID(), to.Email, s.Env.Now().Add(s.Config.VerifyLifetime))
	return s.Mails.link(s.Mails.Config.VerifyPath + "/" + link), nil
}

// verificationLink returns the end of a link: the user, a digest of the address, and
// the query that signs both. Each link has exactly one text.
func (s *Service) verificationLink(realm, id, email string, expires time.Time) string {
	address := s.Config.VerifyKeys.MAC([]byte("address"), []byte(realm), []byte(id), []byte(email))
	return s.signLink(0, realm, id, hex.EncodeToString(address[:16]), strconv.FormatInt(expires.Unix(), 10))
}

func (s *Service) signLink(key int, realm, id, hash, expires string) string {
	mac := s.Config.VerifyKeys.MACUnder(key, []byte("link"), []byte(realm), []byte(id), []byte(hash), []byte(expires))
	return url.PathEscape(id) + "/" + hash + "?expires=" + expires + "&signature=" + base64.RawURLEncoding.EncodeToString(mac[:])
}

// Opener is the client that opens a link to verify an address, and what else it shows.
type Opener struct {
	// Request is the client's request, or nil if it is not known.
	Request *request.State
	// User is the request's user, or nil.
	User models.Authenticatable
	// Password is the account's password, or "".
	Password string
	Limits   *throttle.Limits
}

// Verification is the result of a link that was opened.
type Verification struct {
	User models.Authenticatable
	// Ended says that the password and everything issued before have ended.
	Ended bool
}

// VerifyEmail checks a link and records that the address is the user's. A stranger may have
// registered the address, so the link alone does not show who chose the password. Unless the
// opener shows that, the password and everything that was issued before end first, and a link
// to choose a password is mailed.
func (s *Service) VerifyEmail(ctx context.Context, rm *realm.Realm, guard string, link *url.URL, by Opener) (Verification, error) {
	verifier, ok := rm.Users.(models.EmailVerifier)
	if !ok {
		return Verification{}, unsupported("verifies no email addresses")
	}
	u, err := s.linkUser(ctx, rm, link)
	if err != nil {
		return Verification{}, err
	}
	return s.proveMailbox(ctx, rm, verifier, guard, u, by)
}

// proveMailbox records that a user proved to read mail at the address, and ends what others may have set
// or got before.
func (s *Service) proveMailbox(
	ctx context.Context, rm *realm.Realm, verifier models.EmailVerifier, guard string, u models.Authenticatable, by Opener,
) (result Verification, err error) {
	result.User = u
	if neverVerified(u) {
		kept, err := s.sameOwner(ctx, rm, guard, u, by)
		if err == nil && !kept {
			result.User, result.Ended, err = s.endUnproved(ctx, rm, u)
		}
		if err != nil {
			return Verification{}, err
		}
	}
	if err := s.recordVerified(ctx, rm, verifier, guard, result.User); err != nil {
		return Verification{}, err
	}
	if _, can := rm.Users.(models.PasswordChanger); can && result.Ended {
		s.Env.Background.RunHidden(func() { s.replacePassword(deadline.Detach(ctx), rm, guard, result.User) })
	}
	return result, nil
}

// replacePassword mails a link to choose a password in place of the one that ended. If a parallel
// request has ended it again meanwhile, that one mails: the link of this one would not open.
func (s *Service) replacePassword(ctx context.Context, rm *realm.Realm, guard string, u models.Authenticatable) {
	within, span := s.Env.Span(ctx)
	err := rm.StillSame(within, u)
	span.End()
	if !errors.Is(err, autherr.ErrSessionEnded) {
		s.sendResetLink(ctx, rm, guard, u)
	}
}

// OwnsLink reports whether a link is opened where its user registered or is logged in.
func (s *Service) OwnsLink(ctx context.Context, rm *realm.Realm, guard string, link *url.URL, by Opener) (bool, error) {
	u, err := s.openedUser(ctx, rm, link)
	if errors.Is(err, autherr.ErrInvalidLink) {
		return false, nil // which the POST says, and counts
	}
	if err != nil {
		return false, err
	}
	return s.sameOwner(ctx, rm, guard, u, by)
}

// linkUser returns the user whose address a link verifies. A wrong link is counted.
func (s *Service) linkUser(ctx context.Context, rm *realm.Realm, link *url.URL) (models.Authenticatable, error) {
	if _, _, err := s.openLink(rm.Name, link); err != nil {
		return nil, s.countGuess(ctx, err)
	}
	return s.openedUser(ctx, rm, link)
}

func (s *Service) openedUser(ctx context.Context, rm *realm.Realm, link *url.URL) (models.Authenticatable, error) {
	id, hash, err := s.openLink(rm.Name, link)
	if err != nil {
		return nil, err
	}
	ctx, span := s.Env.Span(ctx)
	defer span.End()
	u, err := rm.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	v, ok := u.(models.EmailVerifiable)
	if u == nil || !ok || realm.Disabled(u) {
		return nil, autherr.ErrInvalidLink
	}
	mac, err := hex.DecodeString(hash)
	if err != nil || !s.isAddress(mac, rm.Name, id, v.AuthEmail()) {
		return nil, autherr.ErrInvalidLink // the address has changed since
	}
	return u, nil
}

// sameOwner reports whether the opener of a link is the person who set up the account: it is
// logged in as the user, it registered or logged in from this browser under the current
// security stamp, or it gives the password. A wrong password is an *autherr.InputError.
func (s *Service) sameOwner(ctx context.Context, rm *realm.Realm, guard string, u models.Authenticatable, by Opener) (bool, error) {
	if own := realm.Present(by.User); own != nil && own.AuthID() == u.AuthID() {
		return true, nil
	}
	r := by.Request
	if r == nil {
		return false, nil
	}
	about := User{u, rm, guard}
	if by.Password != "" {
		err := s.ProvePassword(ctx, r, about, passwords.Field, by.Password, by.Limits)
		return err == nil, err
	}
	// The device of a UserSubject fits the user's current stamp.
	return s.Limiter.UserSubject(r, rm, u, canonicalEmail(about)).Device != nil, nil
}

// recordVerified records that the user's address was verified.
func (s *Service) recordVerified(
	ctx context.Context, rm *realm.Realm, verifier models.EmailVerifier, guard string, u models.Authenticatable,
) error {
	ctx, span := s.Env.Span(ctx)
	defer span.End()
	to, _ := mailbox(u)
	changed, err := verifier.VerifyEmail(ctx, u.AuthID(), to.Email, s.Env.Now())
	if err != nil {
		return autherr.Unavailable("verify address", err)
	}
	if changed {
		s.Env.Dispatch(ctx, events.Verified{Meta: s.Env.Meta(ctx, guard, u.AuthID())})
	}
	return nil
}

// openLink checks a link's signature. It reads what is signed: the end of the path and the two
// parameters. Mail services and social networks append parameters of their own to links, so
// others are ignored.
func (s *Service) openLink(realm string, link *url.URL) (id, hash string, err error) {
	path := link.EscapedPath()
	if len(path)+len(link.RawQuery) > maxLink {
		return "", "", autherr.ErrInvalidLink
	}
	parts := strings.Split(path, "/")
	expires, signature, ok := signedParams(link.RawQuery)
	if len(parts) < 3 || !ok {
		return "", "", autherr.ErrInvalidLink
	}
	id, err = url.PathUnescape(parts[len(parts)-2])
	hash = parts[len(parts)-1]
	seconds, numErr := strconv.ParseInt(expires, 10, 64)
	if err != nil || numErr != nil {
		return "", "", autherr.ErrInvalidLink
	}
	given := strings.Join(parts[len(parts)-2:], "/") + "?expires=" + expires + "&signature=" + signature
	valid := false
	for key := range s.Config.VerifyKeys.Len() {
		// The text of what is signed is compared: another spelling of it is another text.
		valid = valid || hmac.Equal([]byte(given), []byte(s.signLink(key, realm, id, hash, expires)))
	}
	if !valid || !s.Env.Now().Before(time.Unix(seconds, 0)) {
		return "", "", autherr.ErrInvalidLink
	}
	return id, hash, nil
}

// signedParams returns the texts of the parameters that a link signs, as they are in the query.
// Each has to be there once: with two, another reader could take the other one.
func signedParams(query string) (expires, signature string, ok bool) {
	given := [2]int{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "expires":
			expires = value
			given[0]++
		case "signature":
			signature = value
			given[1]++
		}
	}
	return expires, signature, given == [2]int{1, 1}
}

// isAddress reports whether a digest is of the address, under the current key or a
// previous one.
func (s *Service) isAddress(digest []byte, realm, id, email string) bool {
	for key := range s.Config.VerifyKeys.Len() {
		mac := s.Config.VerifyKeys.MACUnder(key, []byte("address"), []byte(realm), []byte(id), []byte(email))
		if hmac.Equal(digest, mac[:16]) {
			return true
		}
	}
	return false
}

// ResendVerification sends the link again to the user of an identifier, if there is one
// and the email address is not verified. The result and its time tell neither.
func (s *Service) ResendVerification(ctx context.Context, rm *realm.Realm, by Identifier) error {
	if err := s.Mails.Enabled(); err != nil {
		return err
	}
	u, ok, err := s.mailable(ctx, rm, mail.VerifyEmail, by)
	if err != nil {
		return err
	}
	var job func()
	if v, can := u.(models.EmailVerifiable); ok && can && !v.AuthEmailVerified() && !realm.Disabled(u) {
		job = func() { s.sendVerification(deadline.Detach(ctx), rm, u) }
	}
	s.Env.Background.RunHidden(job)
	return nil
}

func (s *Service) sendVerification(ctx context.Context, rm *realm.Realm, u models.Authenticatable) {
	link, err := s.VerificationURL(rm, u)
	if err != nil {
		s.Env.Log.ErrorContext(ctx, "ginauth: no verification link", "error", request.Cut(err.Error(), 256))
		return
	}
	s.Mails.send(ctx, mail.VerifyEmail, u, mail.Data{URL: link, Expires: s.Config.VerifyLifetime})
}
