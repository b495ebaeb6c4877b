// Package totp adds codes of an authenticator app as a second factor (RFC 6238): SHA-1, 6 digits, 30 seconds.
//
//	auth, err := ginauth.New(ginauth.Config{…, Features: []ginauth.Feature{codes}})
//	codes.Mount(r)
//
// A code works once. The secret is sealed at rest under the application's keys, and moves to the current key when a code
// is used.
package totp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores"
)

// Name names the factor in PendingLogin.Factors.
const Name = "totp"

// enrolLifetime is how long an enrolment waits for its first code.
const enrolLifetime = 10 * time.Minute

// sealedFor is how long a sealed secret can be opened: as good as for ever.
const sealedFor = 100 * 365 * 24 * time.Hour

// unbound is the id of a secret that fits any user of its owner: one that was imported, of whom the feature has no more than
// the identifier, and that of a user without stamps. The id of any other secret is what idOf returns, so that a later user
// with the same identifier has no factor.
var unbound = strings.Repeat("0", 32)

// idOf returns the id of a user's only secret: a digest of what the user does not share with a later one with the same
// identifier.
func idOf(u models.Authenticatable) string {
	birth := models.Birth(u)
	if birth == "" {
		return unbound
	}
	sum := sha256.Sum256([]byte("ginauth totp user\x00" + birth))
	return hex.EncodeToString(sum[:16])
}

// Options configure the feature. The zero value is ready for use.
type Options struct {
	// Issuer is the name of the application in authenticator apps. Default Mail.AppName.
	Issuer string
	// Guards are the guards whose users manage their factor. Default: "web" and "api", if there are such guards.
	Guards []string
}

// Feature is the second factor, for ginauth.Config.Features. It belongs to one Manager.
type Feature struct {
	options           Options
	auth              *ginauth.Manager
	store             stores.Factors
	secrets, enrolled stores.Sealer
	now               func() time.Time
}

// New returns the feature.
func New(o Options) *Feature { return &Feature{options: o} }

// Name returns "totp".
func (*Feature) Name() string { return Name }

// Setup registers the factor. The application's stores must have Factors.
func (f *Feature) Setup(s *ginauth.Setup) error {
	f.auth, f.store, f.now = s.Manager(), s.Stores().Factors, s.Clock()
	f.secrets, f.enrolled = s.Sealer("secret"), s.Sealer("enrolment")
	if f.store == nil {
		return errors.New("Config.Stores.Factors is missing; package memstore, gormstore or redisstore has one")
	}
	s.Challenge(ginauth.Challenge{Name: Name, Methods: []string{"otp"}, Has: f.has})
	return nil
}

func (f *Feature) has(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
	_, ok, err := f.find(ctx, owner, u)
	return ok, err
}

// find returns the user's secret. That of a former user with the same identifier is none.
func (f *Feature) find(ctx context.Context, owner string, u models.Authenticatable) (stores.Factor, bool, error) {
	found, err := f.store.FactorsOf(ctx, owner, Name)
	if err != nil {
		return stores.Factor{}, false, ginauth.Unavailable("find factor", err)
	}
	id := idOf(u)
	for _, one := range found {
		if one.ID == id || one.ID == unbound {
			return one, true, nil
		}
	}
	return stores.Factor{}, false, nil
}

// Enabled reports whether a user of the request's guard has the factor, and since when. The error wraps
// ginauth.ErrUnavailable.
func (f *Feature) Enabled(ctx context.Context, a *ginauth.Authenticator, u models.Authenticatable) (since time.Time, ok bool, err error) {
	found, ok, err := f.find(ctx, a.Owner(u), u)
	return found.Created, ok, err
}

// encoding is that of secrets in apps.
var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Begin begins the enrolment of a user who is logged in, and stores nothing. The errors are ginauth.ErrEmailNotVerified
// if the user's address is not verified: the factor of a stranger who registered it would lock its owner out; an error
// wrapping ginauth.ErrConflict if the user has the factor, those of Authenticator.MayChangeFactors, and ginauth.ErrUnavailable.
func (f *Feature) Begin(ctx context.Context, a *ginauth.Authenticator) (*Enrolment, error) {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := f.mayEnrol(ctx, a, u); err != nil {
		return nil, err
	}
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret)
	token, err := f.enrolled.Seal(f.now(), enrolLifetime, secret, []byte(a.Owner(u)))
	if err != nil {
		return nil, err
	}
	return f.enrolment(u, token, secret), nil
}

func (f *Feature) enrolment(u models.Authenticatable, token string, secret []byte) *Enrolment {
	text := encoding.EncodeToString(secret)
	return &Enrolment{Token: token, Secret: text, URL: f.url(u, text)}
}

// again returns an enrolment of the user that still waits for its first code, or nil.
func (f *Feature) again(ctx context.Context, a *ginauth.Authenticator, token string) *Enrolment {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil
	}
	secret, _, ok := f.enrolled.Open(f.now(), token, []byte(a.Owner(u)))
	if !ok {
		return nil
	}
	return f.enrolment(u, token, secret)
}

func (f *Feature) mayEnrol(ctx context.Context, a *ginauth.Authenticator, u models.Authenticatable) error {
	if v, ok := u.(models.EmailVerifiable); ok && v.AuthEmail() != "" && !v.AuthEmailVerified() {
		return ginauth.ErrEmailNotVerified
	}
	_, has, err := f.find(ctx, a.Owner(u), u)
	switch {
	case err != nil:
		return err
	case has:
		return errEnabled
	}
	return a.MayChangeFactors(ctx)
}

var errEnabled = errors.Join(errors.New("totp: the user has the factor"), ginauth.ErrConflict)

// url returns the otpauth URL, which apps read from a QR code.
func (f *Feature) url(u models.Authenticatable, secret string) string {
	issuer, account := f.options.Issuer, u.AuthID()
	if issuer == "" {
		issuer = f.auth.MailConfig().AppName
	}
	if v, ok := u.(models.EmailVerifiable); ok && v.AuthEmail() != "" {
		account = v.AuthEmail()
	}
	query := url.Values{"secret": {secret}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"}}
	label := account
	if issuer != "" {
		query.Set("issuer", issuer)
		label = issuer + ":" + account
	}
	// Apps read %20, and not +, as a space.
	return "otpauth://totp/" + url.PathEscape(label) + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

// Confirm completes an enrolment by its first code, which is then used. All other logins of the user end, and the user
// is told by mail. The errors are ginauth.ErrInvalidCode, an *InputError if the enrolment is not one of the user's of the
// last 10 minutes, those of Begin, and those of Authenticator.EndOtherLogins.
func (f *Feature) Confirm(ctx context.Context, a *ginauth.Authenticator, token, code string) (*ginauth.LoginResult, error) {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil, err
	}
	owner := a.Owner(u)
	secret, _, ok := f.enrolled.Open(f.now(), token, []byte(owner))
	if !ok {
		return nil, &ginauth.InputError{Field: "enrolment", Reason: "is not valid, or has expired"}
	}
	if code, err = normalize(code); err != nil {
		return nil, err
	}
	step, ok := match(secret, code, f.now(), 0)
	if !ok {
		return nil, ginauth.ErrInvalidCode
	}
	if err := f.mayEnrol(ctx, a, u); err != nil {
		return nil, err
	}
	if err := f.create(ctx, owner, idOf(u), secret, step); err != nil {
		return nil, err
	}
	res, err := a.EndOtherLogins(ctx, Name) // which was proved just now
	if err != nil {
		// Without it, somebody who is logged in elsewhere would keep a login that proved one factor.
		_, undo := f.store.DeleteFactor(context.WithoutCancel(ctx), owner, Name, idOf(u))
		return nil, errors.Join(err, undo)
	}
	f.clear(ctx, owner, u)
	f.auth.Dispatch(ctx, Enabled{a.EventMeta(u.AuthID())})
	a.TellFactor(ctx, u, mail.FactorAdded)
	return res, nil
}

// clear deletes the secrets of former users with the same identifier. If that fails they stay, and do nothing.
func (f *Feature) clear(ctx context.Context, owner string, u models.Authenticatable) {
	ctx = context.WithoutCancel(ctx)
	found, _ := f.store.FactorsOf(ctx, owner, Name)
	for _, one := range found {
		if one.ID != idOf(u) && one.ID != unbound {
			_, _ = f.store.DeleteFactor(ctx, owner, Name, one.ID)
		}
	}
}

func (f *Feature) create(ctx context.Context, owner, id string, secret []byte, step int64) error {
	data, err := f.secrets.Seal(f.now(), sealedFor, secret, []byte(owner))
	if err != nil {
		return err
	}
	err = f.store.CreateFactor(ctx, stores.Factor{
		Owner: owner, Kind: Name, ID: id, Data: []byte(data), Counter: step, Created: f.now(), LastUsed: f.now(),
	})
	if errors.Is(err, stores.ErrExists) {
		return errEnabled
	}
	return ginauth.Unavailable("store factor", err)
}

// Import gives a user of a guard the factor with a secret in base32 that an app has already, as from another system. The
// user is not told. The secret fits every user of that identifier: when the user is deleted, call Manager.ResetFactors before
// the identifier can be another user's. The errors are *InputError if the secret is not 128 to 512 bits in base32, an error
// wrapping ginauth.ErrConflict if there is a factor of that identifier, and ginauth.ErrUnavailable.
func (f *Feature) Import(ctx context.Context, guard, userID, secret string) error {
	raw, err := encoding.DecodeString(strings.TrimRight(strings.ToUpper(secret[:min(len(secret), 128)]), "="))
	if err != nil || len(raw) < 16 || len(raw) > 64 {
		return &ginauth.InputError{Field: "secret", Reason: "is not 128 to 512 bits in base32"}
	}
	owner := f.auth.Owner(guard, userID)
	switch found, err := f.store.FactorsOf(ctx, owner, Name); {
	case err != nil:
		return ginauth.Unavailable("find factor", err)
	case len(found) > 0:
		return errEnabled
	}
	return f.create(ctx, owner, unbound, raw, 0)
}

// Answer completes a pending login by a code. The token may be "" for the pending login of the session. The errors are
// those of Authenticator.AnswerChallenge, and *InputError if the code is not 6 digits.
func (f *Feature) Answer(
	ctx context.Context, a *ginauth.Authenticator, token, code string, options ...factor.AnswerOption,
) (*ginauth.LoginResult, error) {
	code, err := normalize(code)
	if err != nil {
		return nil, err
	}
	return a.AnswerChallenge(ctx, token, Name, func(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
		return f.check(ctx, owner, u, code)
	}, options...)
}

// StepUp asks a user who is logged in for a code again, for the middleware RequireLevel. The errors are those of
// Authenticator.ConfirmFactor, and *InputError if the code is not 6 digits.
func (f *Feature) StepUp(ctx context.Context, a *ginauth.Authenticator, code string) error {
	code, err := normalize(code)
	if err != nil {
		return err
	}
	return a.ConfirmFactor(ctx, Name, func(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
		return f.check(ctx, owner, u, code)
	})
}

// check reports whether a code is right, and uses it.
func (f *Feature) check(ctx context.Context, owner string, u models.Authenticatable, code string) (bool, error) {
	found, ok, err := f.find(ctx, owner, u)
	if err != nil || !ok {
		return false, err
	}
	secret, key, ok := f.secrets.Open(f.now(), string(found.Data), []byte(owner))
	if !ok {
		return false, ginauth.Unavailable("open factor", errors.New("no key of the application opens its secret"))
	}
	step, ok := match(secret, code, f.now(), found.Counter)
	if !ok {
		return false, nil
	}
	var renewed []byte
	if key > 0 { // the key is a previous one, which will be removed
		text, err := f.secrets.Seal(f.now(), sealedFor, secret, []byte(owner))
		if err != nil {
			return false, err
		}
		renewed = []byte(text)
	}
	// Of parallel requests with one code the store lets one pass.
	ok, err = f.store.AdvanceFactor(ctx, f.now(), owner, Name, found.ID, step, renewed)
	return ok, ginauth.Unavailable("use factor", err)
}

// Disable removes the factor of a user who is logged in. All other logins of the user end: they may have been made by it. The
// result has the new tokens of a login by tokens. The user is told by mail. The errors are ginauth.ErrNotFound,
// ginauth.ErrUnavailable, and those of Authenticator.EndOtherLogins. Put the middleware RequireLevel before it.
func (f *Feature) Disable(ctx context.Context, a *ginauth.Authenticator) (*ginauth.LoginResult, error) {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil, err
	}
	// What replaces this factor looks what else there is while the factor still is: recovery codes go on beside the others.
	if _, err := a.Factors(ctx, u); err != nil {
		return nil, err
	}
	owner, lasting := a.Owner(u), context.WithoutCancel(ctx)
	removed, err := f.store.DeleteFactor(lasting, owner, Name, idOf(u))
	if err == nil && idOf(u) != unbound {
		var also bool
		also, err = f.store.DeleteFactor(lasting, owner, Name, unbound)
		removed = removed || also
	}
	switch {
	case err != nil:
		return nil, ginauth.Unavailable("delete factor", err)
	case !removed:
		return nil, ginauth.ErrNotFound
	}
	f.auth.Dispatch(ctx, Disabled{a.EventMeta(u.AuthID())})
	a.TellFactor(ctx, u, mail.FactorRemoved)
	return a.EndOtherLogins(lasting)
}

// Enabled is dispatched when a user has enrolled.
type Enabled struct{ events.Meta }

// EventName returns "totp_enabled".
func (Enabled) EventName() string { return "totp_enabled" }

// Disabled is dispatched when a user has removed the factor.
type Disabled struct{ events.Meta }

// EventName returns "totp_disabled".
func (Disabled) EventName() string { return "totp_disabled" }
