package accounts

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// maxLink is the longest link that is looked at, in bytes.
const maxLink = 2048

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

// VerifyEmail checks a link and records that the address is the user's.
func (s *Service) VerifyEmail(ctx context.Context, rm *realm.Realm, guard string, link *url.URL) (models.Authenticatable, error) {
	verifier, ok := rm.Users.(models.EmailVerifier)
	if !ok {
		return nil, unsupported("verifies no email addresses")
	}
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
	changed, err := verifier.VerifyEmail(ctx, id, v.AuthEmail(), s.Env.Now())
	if err != nil {
		return nil, autherr.Unavailable("verify address", err)
	}
	if changed {
		s.Env.Dispatch(ctx, events.Verified{Meta: s.Env.Meta(ctx, guard, id)})
	}
	return u, nil
}

// openLink checks a link's signature over its one canonical text.
func (s *Service) openLink(realm string, link *url.URL) (id, hash string, err error) {
	path := link.EscapedPath()
	if len(path)+len(link.RawQuery) > maxLink {
		return "", "", autherr.ErrInvalidLink
	}
	parts := strings.Split(path, "/")
	expires, _, ok := strings.Cut(strings.TrimPrefix(link.RawQuery, "expires="), "&")
	if len(parts) < 3 || !ok {
		return "", "", autherr.ErrInvalidLink
	}
	id, err = url.PathUnescape(parts[len(parts)-2])
	hash = parts[len(parts)-1]
	seconds, numErr := strconv.ParseInt(expires, 10, 64)
	if err != nil || numErr != nil {
		return "", "", autherr.ErrInvalidLink
	}
	given := strings.Join(parts[len(parts)-2:], "/") + "?" + link.RawQuery
	valid := false
	for key := range s.Config.VerifyKeys.Len() {
		// The whole text is compared: another order, spelling or number of
		// parameters is another text.
		valid = valid || hmac.Equal([]byte(given), []byte(s.signLink(key, realm, id, hash, expires)))
	}
	if !valid || !s.Env.Now().Before(time.Unix(seconds, 0)) {
		return "", "", autherr.ErrInvalidLink
	}
	return id, hash, nil
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

// ResendVerification sends the link again to the user of an address, if there is one
// and the address is not verified. The result and its time tell neither.
func (s *Service) ResendVerification(ctx context.Context, rm *realm.Realm, email string) error {
	if err := s.Mails.Enabled(); err != nil {
		return err
	}
	u, ok, err := s.mailable(ctx, rm, mail.VerifyEmail, email)
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
