package passkey

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/models"
)

// BeginLogin begins a login by a passkey alone. Nobody is known yet, and nothing is stored. An identifier, such as an email
// address, names a user whose passkeys the browser is to look for, see Options.Users; the answer for a user whom nobody
// knows looks the same and takes the same time. With "" the browser offers the passkeys that it has. The errors are
// *InputError if the identifier can be nobody's, and ginauth.ErrUnavailable.
func (f *Feature) BeginLogin(ctx context.Context, a *ginauth.Authenticator, identifier string) (*Ceremony, error) {
	var allow []descriptor
	if identifier != "" && f.options.Users != nil {
		defer level(ctx, time.Now())
		acc, canonical, err := f.named(ctx, a, identifier)
		if err == nil {
			allow, err = f.hide(ctx, acc, canonical)
		}
		if err != nil {
			return nil, err
		}
	}
	return f.ask(a, loggingIn, "", Required, allow)
}

// Login completes a login by a passkey with user verification: it is worth two factors, and no other one is asked for. If
// the passkey is unknown, the signals tell the browser so. The errors are *InputError for what is no answer of an
// authenticator to a challenge of the last 5 minutes, ginauth.ErrInvalidCredentials for one that is not right or was given
// before, ginauth.ErrUnavailable, and those of Authenticator.Login.
func (f *Feature) Login(
	ctx context.Context, a *ginauth.Authenticator, r Response, options ...ginauth.LoginOption,
) (*ginauth.LoginResult, *Signals, error) {
	began := time.Now()
	c, err := f.open(a, loggingIn, "", r.Ceremony)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := parseAssertion(r.Credential)
	if err != nil {
		return nil, nil, err
	}
	acc, err := f.holder(ctx, a, parsed, r.Identifier)
	if err != nil {
		return nil, nil, err
	}
	used, err := f.use(ctx, a, acc, &c, parsed, Required)
	if errors.Is(err, errWrong) {
		if r.Identifier != "" && f.options.Users != nil {
			level(ctx, began)
		}
		return nil, f.unknown(acc, parsed), ginauth.ErrInvalidCredentials
	}
	if err != nil {
		return nil, nil, err
	}
	proof, err := factor.NewProof(f.now(), factor.LevelTwo, used.method(), "user")
	if err != nil {
		return nil, nil, err
	}
	// checkUser compares the user with that of the passkey.
	ctx = context.WithValue(ctx, wanted{}, acc.user.Birth)
	res, err := a.LoginUsingID(ctx, acc.user.ID, append(options, ginauth.ProvedBy(proof))...)
	return res, nil, err
}

// levelTime is how long an answer about an identifier takes at least.
const levelTime = 25 * time.Millisecond

// level waits until levelTime has passed since a request began. To find no user and no passkeys takes a fraction of a
// millisecond less than to read some, and who asks often enough could tell.
func level(ctx context.Context, began time.Time) {
	rest := time.NewTimer(levelTime - time.Since(began))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-ctx.Done():
	}
}

// method returns the method of RFC 8176 that a passkey is. One that can be copied is in no hardware.
func (c *credential) method() string {
	if c.Backup {
		return "swk"
	}
	return "hwk"
}

// named returns the account of a user whom a client names, which has no passkeys if there is no such user.
func (f *Feature) named(ctx context.Context, a *ginauth.Authenticator, identifier string) (*account, string, error) {
	field := f.options.IdentifierField
	canonical, err := f.options.Users.CanonicalIdentifier(field, identifier)
	switch {
	case errors.Is(err, models.ErrBadIdentifier):
		return nil, "", &ginauth.InputError{Field: "identifier", Reason: "is not acceptable"}
	case err != nil:
		return nil, "", ginauth.Unavailable("read identifier", err)
	}
	u, err := f.options.Users.UserByIdentifier(ctx, field, canonical)
	if err != nil {
		return nil, "", ginauth.Unavailable("look up user", err)
	}
	if models.IsNil(u) || u.AuthID() == "" {
		_, err := f.load(ctx, a.Owner(nobody{})) // takes the time of a user
		return &account{}, canonical, err
	}
	acc, err := f.loadOf(ctx, a.Owner(u), u)
	return acc, canonical, err
}

// nobody is a user whom no store knows.
type nobody struct{}

func (nobody) AuthID() string       { return "\uFFFDpasskey" }
func (nobody) AuthPassword() string { return "" }

// identified is a user of whom the identifier is known.
type identified string

func (i identified) AuthID() string     { return string(i) }
func (identified) AuthPassword() string { return "" }

// holder returns the account of which an authenticator says that it has a passkey, by the handle of its user or, where
// it has none, by the identifier that the client named. A user of another guard, and one whom nobody knows, gets an account
// without passkeys: what follows takes the same time.
func (f *Feature) holder(ctx context.Context, a *ginauth.Authenticator, parsed *protocol.ParsedCredentialAssertionData, identifier string) (*account, error) {
	handle := parsed.Response.UserHandle
	acc := &account{}
	switch {
	case len(handle) > 0:
		identity, ok, err := f.identities.FindIdentity(ctx, Name, subjectOf(handle))
		if err != nil {
			return nil, ginauth.Unavailable("find passkey user", err)
		}
		if ok {
			if acc, err = f.load(ctx, identity.Owner); err != nil {
				return nil, err
			}
		}
	case identifier != "" && f.options.Users != nil:
		var err error
		if acc, _, err = f.named(ctx, a, identifier); err != nil {
			return nil, err
		}
	}
	foreign := acc.user == nil || a.Owner(identified(acc.user.ID)) != acc.owner ||
		len(handle) > 0 && !bytes.Equal(handle, acc.user.Handle)
	if foreign {
		return f.decoys.account(parsed.RawID, handle), nil
	}
	return acc, nil
}

// subjectOf returns a user handle as the subject of an identity.
func subjectOf(handle []byte) string { return base64.RawURLEncoding.EncodeToString(handle) }

// unknown returns what to tell a browser whose passkey was refused because it is none, or was removed. Without the handle of
// the user, which is a secret of the authenticator, nobody is told which passkeys there are.
func (f *Feature) unknown(acc *account, parsed *protocol.ParsedCredentialAssertionData) *Signals {
	if len(parsed.Response.UserHandle) == 0 || acc.owner != "" && acc.find(recordOf(parsed.RawID)) != nil {
		return nil
	}
	return &Signals{Unknown: &UnknownCredential{RPID: f.options.RPID, ID: b64(parsed.RawID).String()}}
}

// errWrong says that an answer is not right. It does not leave this package.
var errWrong = errors.New("passkey: the answer is not right")

// use reports whether an authenticator answered a challenge for an account, and uses the challenge. It returns errWrong if
// the answer is not right or was given before.
func (f *Feature) use(
	ctx context.Context, a *ginauth.Authenticator, acc *account, c *challenge, parsed *protocol.ParsedCredentialAssertionData, v Verification,
) (*credential, error) {
	_, err := f.rp.ValidateLogin(acc.verified(), c.session(acc, v), parsed)
	record := recordOf(parsed.RawID)
	signer := acc.find(record)
	if err != nil || signer == nil || acc.owner == "" {
		f.failed(ctx, a, acc)
		return nil, errWrong
	}
	data := &parsed.Response.AuthenticatorData
	var used *credential
	var back *CounterWentBack
	err = f.updateKey(ctx, acc, record, func(k *credential) error {
		if !bytes.Equal(k.Key, signer.Key) || !k.take(*c, f.now()) {
			return errWrong
		}
		back = nil
		if sent := data.Counter; (sent != 0 || k.SignCount != 0) && sent <= k.SignCount {
			back = &CounterWentBack{a.EventMeta(acc.user.ID), record, k.SignCount, sent}
			if !f.options.InsecureAllowCounterBack {
				return errWrong
			}
		}
		k.SignCount, k.BackedUp, k.last = max(k.SignCount, data.Counter), data.Flags.HasBackupState(), f.now()
		used = k
		return nil
	})
	if back != nil {
		f.auth.Dispatch(ctx, *back)
	}
	switch {
	case errors.Is(err, ginauth.ErrNotFound) || errors.Is(err, errWrong):
		f.failed(ctx, a, acc)
		return nil, errWrong
	case err != nil:
		return nil, err
	}
	f.auth.Dispatch(ctx, Used{a.EventMeta(acc.user.ID), record, data.Flags.HasUserVerified(), used.BackedUp})
	return used, nil
}

// failed tells of a wrong answer for a user, if there is one.
func (f *Feature) failed(ctx context.Context, a *ginauth.Authenticator, acc *account) {
	if acc.owner != "" {
		f.auth.Dispatch(ctx, events.FactorFailed{Meta: a.EventMeta(acc.user.ID), Factor: Name})
	}
}

// errBegun ends a look at the user of a pending login, who proved nothing and guessed nothing.
var errBegun = errors.New("passkey: the ceremony has begun")

// BeginAnswer begins the second factor of a pending login. The token may be "" for the pending login of the session. The
// errors are those of Authenticator.AnswerChallenge.
func (f *Feature) BeginAnswer(ctx context.Context, a *ginauth.Authenticator, token string) (*Ceremony, error) {
	var begun *Ceremony
	_, err := a.AnswerChallenge(ctx, token, Name, func(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
		acc, err := f.loadOf(ctx, owner, u)
		if err == nil {
			begun, err = f.ask(a, answering, owner, f.options.UserVerification, acc.descriptors())
		}
		return false, errors.Join(errBegun, err)
	})
	if begun != nil {
		return begun, nil
	}
	return nil, err
}

// Answer completes a pending login by a passkey. The token may be "" for the pending login of the session. The errors are
// those of Authenticator.AnswerChallenge, and *InputError for what is no answer of an authenticator to a challenge of the
// last 5 minutes.
func (f *Feature) Answer(
	ctx context.Context, a *ginauth.Authenticator, token string, r Response, options ...factor.AnswerOption,
) (*ginauth.LoginResult, error) {
	parsed, err := parseAssertion(r.Credential)
	if err != nil {
		return nil, err
	}
	return a.AnswerChallenge(ctx, token, Name, f.proveTo(a, answering, r.Ceremony, parsed), options...)
}

// BeginConfirm begins another proof of a user who is logged in. The errors are ginauth.ErrUnauthenticated,
// ginauth.ErrForbidden, ginauth.ErrNotFound if the user has no passkey, and ginauth.ErrUnavailable.
func (f *Feature) BeginConfirm(ctx context.Context, a *ginauth.Authenticator) (*Ceremony, error) {
	u, acc, err := f.own(ctx, a)
	if err != nil {
		return nil, err
	}
	if len(acc.passkeys) == 0 {
		return nil, ginauth.ErrNotFound
	}
	return f.ask(a, confirming, a.Owner(u), f.options.UserVerification, acc.descriptors())
}

// Confirm asks a user who is logged in for a passkey again, for the middleware RequireLevel. The errors are those of
// Authenticator.ConfirmFactor, and *InputError for what is no answer of an authenticator to a challenge of the last 5
// minutes.
func (f *Feature) Confirm(ctx context.Context, a *ginauth.Authenticator, r Response) error {
	parsed, err := parseAssertion(r.Credential)
	if err != nil {
		return err
	}
	return a.ConfirmFactor(ctx, Name, f.proveTo(a, confirming, r.Ceremony, parsed))
}

// proveTo returns what AnswerChallenge and ConfirmFactor ask.
func (f *Feature) proveTo(a *ginauth.Authenticator, p purpose, sealed string, parsed *protocol.ParsedCredentialAssertionData) factor.Prove {
	return func(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
		c, err := f.open(a, p, owner, sealed)
		if err != nil {
			return false, err
		}
		acc, err := f.loadOf(ctx, owner, u)
		if err != nil || len(acc.passkeys) == 0 {
			return false, err
		}
		_, err = f.use(ctx, a, acc, &c, parsed, f.options.UserVerification)
		if errors.Is(err, errWrong) {
			return false, nil
		}
		return err == nil, err
	}
}
