package ginauth

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
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// VerificationURL returns the link that proves a user's current email address.
// It is signed and bound to the user, the address and this purpose, and works
// for Config.Account.VerifyLifetime. The error wraps errors.ErrUnsupported if
// there is no Config.Mail, or if the user has no address. It panics if there is
// no guard of the name; the default is the default guard.
func (m *Manager) VerificationURL(u models.Authenticatable, guard ...string) (string, error) {
	if m.mails == nil {
		return "", errNoMailer
	}
	to, ok := mailbox(u)
	if u = present(u); u == nil || !ok {
		return "", fmt.Errorf("ginauth: the user has no email address: %w", errNoMailer)
	}
	link := m.verificationLink(m.guardOr(guard).realm, u.AuthID(), to.Email, m.env.Now().Add(m.cfg.Account.VerifyLifetime))
	return m.cfg.Mail.BaseURL + m.cfg.Mail.VerifyPath + "/" + link, nil
}

// guardOr returns the guard that a variadic name names.
func (m *Manager) guardOr(name []string) *guardEntry {
	if len(name) == 0 {
		return m.defaultGuard
	}
	return m.mustGuard(name[0])
}

// verificationLink returns the end of a link: the user, a digest of the address,
// and the query that signs both. There is one text for each link.
func (m *Manager) verificationLink(realm, id, email string, expires time.Time) string {
	address := m.subkeys.verify.MAC([]byte("address"), []byte(realm), []byte(id), []byte(email))
	return m.signLink(0, realm, id, hex.EncodeToString(address[:16]), strconv.FormatInt(expires.Unix(), 10))
}

func (m *Manager) signLink(key int, realm, id, hash, expires string) string {
	mac := m.subkeys.verify.MACUnder(key, []byte("link"), []byte(realm), []byte(id), []byte(hash), []byte(expires))
	return url.PathEscape(id) + "/" + hash + "?expires=" + expires + "&signature=" + base64.RawURLEncoding.EncodeToString(mac[:])
}

// maxLink is the longest link that is looked at, in bytes.
const maxLink = 2048

// VerifyEmail checks a link that VerificationURL made, as the request for it
// came in, and records that the address is the user's. It does not matter who
// is logged in: the link verifies the user that it was made for. Opening it
// again is no error, and no second event. The errors are ErrInvalidLink, for a
// link that was changed, has expired or is for an earlier address, and
// ErrUnavailable.
func (m *Manager) VerifyEmail(ctx context.Context, link *url.URL, guard ...string) (models.Authenticatable, error) {
	g := m.guardOr(guard)
	verifier, ok := g.users.(models.EmailVerifier)
	if !ok {
		return nil, fmt.Errorf("ginauth: the user provider verifies no address: %w", errNoMailer)
	}
	id, hash, err := m.openLink(g.realm, link)
	if err != nil {
		return nil, err
	}
	ctx, span := m.env.Span(ctx)
	defer span.End()
	found, err := g.users.UserByID(ctx, id)
	if err != nil {
		return nil, autherr.Unavailable("load user", err)
	}
	u := present(found)
	v, ok := u.(models.EmailVerifiable)
	if u == nil || !ok || u.AuthID() != id || disabled(u) {
		return nil, ErrInvalidLink
	}
	mac, err := hex.DecodeString(hash)
	if err != nil || !m.isAddress(mac, g.realm, id, v.AuthEmail()) {
		return nil, ErrInvalidLink // the address is another by now
	}
	changed, err := verifier.VerifyEmail(ctx, id, v.AuthEmail(), m.env.Now())
	if err != nil {
		return nil, autherr.Unavailable("verify address", err)
	}
	if changed {
		m.Dispatch(ctx, events.Verified{Meta: m.env.Meta(ctx, g.name, id)})
	}
	return u, nil
}

// openLink checks a link's signature over its one canonical form.
func (m *Manager) openLink(realm string, link *url.URL) (id, hash string, err error) {
	path := link.EscapedPath()
	if len(path)+len(link.RawQuery) > maxLink {
		return "", "", ErrInvalidLink
	}
	parts := strings.Split(path, "/")
	expires, _, ok := strings.Cut(strings.TrimPrefix(link.RawQuery, "expires="), "&")
	if len(parts) < 3 || !ok {
		return "", "", ErrInvalidLink
	}
	id, err = url.PathUnescape(parts[len(parts)-2])
	hash = parts[len(parts)-1]
	seconds, numErr := strconv.ParseInt(expires, 10, 64)
	if err != nil || numErr != nil {
		return "", "", ErrInvalidLink
	}
	given := strings.Join(parts[len(parts)-2:], "/") + "?" + link.RawQuery
	valid := false
	for key := range m.subkeys.verify.Len() {
		// The text as a whole: another order, spelling or number of parts is
		// another text.
		valid = valid || hmac.Equal([]byte(given), []byte(m.signLink(key, realm, id, hash, expires)))
	}
	if !valid || !m.env.Now().Before(time.Unix(seconds, 0)) {
		return "", "", ErrInvalidLink
	}
	return id, hash, nil
}

// isAddress reports whether a digest is of the address, under the current key or
// an earlier one.
func (m *Manager) isAddress(digest []byte, realm, id, email string) bool {
	for key := range m.subkeys.verify.Len() {
		mac := m.subkeys.verify.MACUnder(key, []byte("address"), []byte(realm), []byte(id), []byte(email))
		if hmac.Equal(digest, mac[:16]) {
			return true
		}
	}
	return false
}

// ResendVerification sends the link once more to whoever has the address, if
// somebody has and it is not verified. Nobody learns which: it returns nil, in
// the same time, whether or not a mail is sent. Mails are limited by
// Config.Account. The errors are *InputError for what is no address and
// ErrUnavailable.
func (m *Manager) ResendVerification(ctx context.Context, email string, guard ...string) error {
	g := m.guardOr(guard)
	if m.mails == nil {
		return errNoMailer
	}
	u, ok, err := m.mailable(ctx, g, mail.VerifyEmail, email)
	if err != nil {
		return err
	}
	var job func()
	if v, can := u.(models.EmailVerifiable); ok && can && !v.AuthEmailVerified() && !disabled(u) {
		job = func() { m.sendVerification(deadline.Detach(ctx), g, u) }
	}
	m.env.Background.RunHidden(job)
	return nil
}

// mailable returns who has an address, and counts a mail to it. It is ok if
// somebody has it and the count allows a mail.
func (m *Manager) mailable(ctx context.Context, g *guardEntry, kind, email string) (models.Authenticatable, bool, error) {
	if g.users == nil {
		return nil, false, errNoProvider
	}
	canonical, err := canonicalIdentifier(g.users, emailField, email)
	if err != nil {
		return nil, false, err
	}
	if strings.Count(canonical, "@") != 1 {
		return nil, false, autherr.Invalid(emailField, "is not one address")
	}
	phase, span := m.env.Span(ctx)
	defer span.End()
	// Both are asked in any case, so that all answers take as long. The count
	// comes last: a registration counts before it makes its user, so whoever
	// finds that user here is counted after it.
	found, err := g.users.UserByIdentifier(phase, emailField, canonical)
	if err != nil {
		return nil, false, autherr.Unavailable("look up user", err)
	}
	account := m.subkeys.account.MAC([]byte(g.realm), []byte(emailField), []byte(canonical))
	allowed, err := m.mayMail(phase, kind, account[:])
	u := present(found)
	return u, u != nil && allowed && err == nil, err
}

func (m *Manager) sendVerification(ctx context.Context, g *guardEntry, u models.Authenticatable) {
	link, err := m.VerificationURL(u, g.name)
	if err != nil {
		m.env.Log.ErrorContext(ctx, "ginauth: no verification link", "error", request.Cut(err.Error(), 256))
		return
	}
	m.send(ctx, mail.VerifyEmail, u, mail.Data{URL: link, Expires: m.cfg.Account.VerifyLifetime})
}
