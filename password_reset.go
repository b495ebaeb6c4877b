package ginauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// resetPrefix begins the tokens of password resets.
const resetPrefix = "gpr_"

// Broker resets the passwords of one provider's users. It is safe for concurrent
// use.
type Broker struct {
	m *Manager
	g *guardEntry
}

// Broker returns the broker for the users of a guard. It panics if there is no
// such guard.
func (m *Manager) Broker(guard string) *Broker { return &Broker{m, m.mustGuard(guard)} }

// SendResetLink mails a link to choose a new password to whoever has the
// address. It returns nil, after the same work, whether or not somebody has, and
// whether or not the mail can be sent. The link works once, for
// Config.Account.ResetLifetime, until a newer one is asked for and until the
// password or the address changes. The errors are *InputError for what is no
// address, ErrUnavailable, and one wrapping errors.ErrUnsupported without
// Config.Mail.
func (b *Broker) SendResetLink(ctx context.Context, email string) error {
	if b.m.mails == nil {
		return errNoMailer
	}
	u, ok, err := b.m.mailable(ctx, b.g, mail.ResetPassword, email)
	if err != nil {
		return err
	}
	// Storing the token would take time that an unknown address does not: it is
	// done off the request, as sending is.
	var job func()
	if ok && !disabled(u) {
		job = func() { b.sendTo(deadline.Detach(ctx), u) }
	}
	b.m.env.Background.RunHidden(job)
	return nil
}

func (b *Broker) sendTo(ctx context.Context, u models.Authenticatable) {
	ctx, span := b.m.env.Span(ctx)
	defer span.End()
	token, newest, err := b.store(ctx, u)
	if err != nil {
		b.m.env.Log.ErrorContext(ctx, "ginauth: password reset not begun", "error", request.Cut(err.Error(), 256))
		return
	}
	if !newest {
		return // a newer link is on its way
	}
	// After the #: it reaches the page, and no server, log or Referer.
	link := b.m.cfg.Mail.BaseURL + b.m.cfg.Mail.ResetPath + "#token=" + token
	b.m.send(ctx, mail.ResetPassword, u, mail.Data{URL: link, Expires: b.m.cfg.Account.ResetLifetime})
	b.m.Dispatch(ctx, events.PasswordResetLinkSent{Meta: b.m.env.Meta(ctx, b.g.name, u.AuthID())})
}

// PasswordReset is what somebody sends who followed a link.
type PasswordReset struct {
	// Email is the address that the link was sent to.
	Email string
	// Token is the token in the link.
	Token string
	// Password is the new one.
	Password string
}

// Format writes a placeholder, whatever the verb.
func (PasswordReset) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (PasswordReset) LogValue() slog.Value { return slog.StringValue(redacted) }

// TokenExists reports whether a token would be accepted for the address. It
// counts as a guess, and uses nothing up.
func (b *Broker) TokenExists(ctx context.Context, email, token string) (bool, error) {
	_, _, err := b.find(ctx, email, token)
	if errors.Is(err, ErrInvalidToken) || errors.Is(err, ErrInvalidInput) {
		return false, nil
	}
	return err == nil, err
}

// Reset stores a new password. All logins of the user end, remembered devices
// and personal access tokens made to end with the password too, and the user is
// told by mail. It logs nobody in. A password that is not acceptable
// does not use the token up. The errors are *InputError, also for a token or an
// address that is not right, *ThrottledError after five of those, and
// ErrUnavailable.
func (b *Broker) Reset(ctx context.Context, r PasswordReset) error {
	changer, ok := b.g.users.(models.PasswordChanger)
	if !ok {
		return fmt.Errorf("ginauth: the user provider changes no password: %w", errors.ErrUnsupported)
	}
	if err := checkPassword("password", r.Password); err != nil {
		return err
	}
	u, token, err := b.find(ctx, r.Email, r.Token)
	if errors.Is(err, ErrInvalidToken) {
		return autherr.Invalid("token", "is not valid")
	}
	if err != nil {
		return err
	}
	if err := b.m.checkNewPassword(ctx, "password", r.Password, words(u)...); err != nil {
		return err
	}
	hash, err := b.m.hasher.Hash(ctx, r.Password)
	if err != nil {
		return hashingError(err)
	}
	// From here on a client that hangs up changes nothing.
	ctx, span := b.m.env.Span(context.WithoutCancel(ctx))
	defer span.End()
	// Once more, because hashing took its time: another change ends the token.
	again, err := b.g.userByID(ctx, u.AuthID())
	if err != nil {
		return err
	}
	if again == nil || disabled(again) || !sameStamp(u, again) {
		return autherr.Invalid("token", "is not valid")
	}
	used, err := b.m.stores.Tokens.Consume(ctx, b.m.env.Now(), token.Family, token.ID)
	if err != nil {
		return autherr.Unavailable("use reset token", err)
	}
	if !used {
		return autherr.Invalid("token", "is not valid")
	}
	changed, err := b.setPassword(ctx, changer, again, hash)
	if err != nil {
		return err
	}
	b.m.endAll(ctx, b.g, u.AuthID(), "")
	b.m.send(ctx, mail.PasswordChanged, changed, mail.Data{URL: b.m.cfg.Mail.BaseURL + b.m.cfg.Mail.ResetPath})
	b.m.Dispatch(ctx, events.PasswordReset{Meta: b.m.env.Meta(ctx, b.g.name, u.AuthID())})
	return nil
}

// setPassword stores a password for whoever has proved to be the owner of the
// address: of this and a change by somebody who knows the former password, this
// one takes effect.
func (b *Broker) setPassword(
	ctx context.Context, changer models.PasswordChanger, u models.Authenticatable, hash string,
) (models.Authenticatable, error) {
	proved, _ := mailbox(u)
	changed, err := b.g.overrule(ctx, u, func(now models.Authenticatable) (models.Authenticatable, error) {
		if to, _ := mailbox(now); disabled(now) || to.Email != proved.Email {
			return nil, autherr.Invalid("token", "is not valid")
		}
		_, stamp := stampOf(now)
		changed, err := changer.ChangePassword(ctx, now.AuthID(), stamp, hash, rand.Text())
		return changed, changeError("change password", changed, err)
	})
	if err == nil && changed == nil {
		err = autherr.Invalid("token", "is not valid")
	}
	return changed, err
}

// find returns the user of an address and the token, if the token is the user's
// and lives. A try that fails is counted under the address that was given: five
// in a quarter of an hour. An unknown address costs the same store calls.
func (b *Broker) find(ctx context.Context, email, text string) (models.Authenticatable, stores.Token, error) {
	none := stores.Token{}
	canonical, err := canonicalIdentifier(b.g.users, emailField, email)
	if err != nil {
		return nil, none, err
	}
	release, err := b.guess(ctx, canonical)
	if err != nil {
		return nil, none, err
	}
	ctx, span := b.m.env.Span(ctx)
	defer span.End()
	found, err := b.g.users.UserByIdentifier(ctx, emailField, canonical)
	if err != nil {
		return nil, none, autherr.Unavailable("look up user", err)
	}
	token, parsed := opaque.Parse(resetPrefix, text)
	if !parsed {
		return nil, none, ErrInvalidToken
	}
	t, ok, err := b.m.stores.Tokens.Find(ctx, token.Family, token.ID)
	if err != nil {
		return nil, none, autherr.Unavailable("find reset token", err)
	}
	u := present(found)
	id, owned := ownerID(b.g.realm, t.Owner)
	if !ok || !t.Digest.Equal(token.Digest()) || t.Kind != stores.Reset || !t.Consumed.IsZero() || !lives(t, b.m.env.Now()) ||
		u == nil || !owned || id != u.AuthID() || disabled(u) {
		return nil, none, ErrInvalidToken
	}
	data, err := parseTokenData(t.Data)
	if err != nil {
		return nil, none, autherr.Unavailable("read reset token", err)
	}
	if _, ok := b.m.checkFingerprint(data.fingerprint[:], resetCredential, b.g.realm, u); !ok {
		return nil, none, ErrInvalidToken
	}
	return u, t, release(ctx)
}

// resetGuesses is how many wrong tokens an account takes.
var resetGuesses = Limit{5, 15 * time.Minute}

// guess takes a slot for a wrong token, and returns what gives it back.
func (b *Broker) guess(ctx context.Context, canonical string) (release func(context.Context) error, err error) {
	none := func(context.Context) error { return nil }
	if b.m.cfg.Throttle.InsecureDisable {
		return none, nil
	}
	ctx, span := b.m.env.Span(ctx)
	defer span.End()
	grant, err := b.m.stores.Limiter.Reserve(ctx, b.m.env.Now(), b.m.window("reset guess", resetGuesses, []byte(b.g.realm), []byte(canonical)))
	if err != nil {
		return none, autherr.Unavailable("count attempts", err)
	}
	if !grant.OK() {
		return none, &ThrottledError{RetryAfter: grant.RetryAfter}
	}
	return func(ctx context.Context) error {
		return autherr.Unavailable("return attempt", b.m.stores.Limiter.Refund(ctx, grant.Slots...))
	}, nil
}

// hashingError turns an error of the hasher into one that Abort answers.
func hashingError(err error) error {
	if errors.Is(err, hashing.ErrPassword) {
		return autherr.Invalid("password", "is too long, or has a character that the hash cannot take")
	}
	return autherr.Unavailable("hash password", err)
}
