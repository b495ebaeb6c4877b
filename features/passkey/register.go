package passkey

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores"
)

// MaxName is the length of the longest name of a passkey, in bytes.
const MaxName = 100

// BeginRegistration begins the registration of a passkey of the request's user. The errors are
// ginauth.ErrUnauthenticated, ginauth.ErrForbidden for a personal access token, ginauth.ErrEmailNotVerified if the user's
// address is not verified: the passkey of a stranger who registered it would lock its owner out; *autherr.StepUpError if the
// user has to prove a second factor again, one wrapping ginauth.ErrConflict if the user has Max passkeys, and
// ginauth.ErrUnavailable. Put the middleware ConfirmPassword before it.
func (f *Feature) BeginRegistration(ctx context.Context, a *ginauth.Authenticator) (*Ceremony, error) {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil, err
	}
	owner := a.Owner(u)
	acc, err := f.ensure(ctx, owner, u)
	if err == nil {
		err = f.mayRegister(ctx, a, u)
	}
	if err != nil {
		return nil, err
	}
	if len(acc.passkeys) >= Max {
		return nil, errMax
	}
	c, sealed, err := f.challengeFor(a, registering, owner)
	if err != nil {
		return nil, err
	}
	name, display := namesOf(u)
	options, err := json.Marshal(creation{
		RP:        entity{ID: f.options.RPID, Name: f.options.AppName},
		User:      entity{ID: b64(acc.user.Handle), Name: name, DisplayName: display},
		Challenge: c.value[:], Parameters: parameters(), Timeout: timeout.Milliseconds(), Exclude: acc.descriptors(),
		Selection:   selection{ResidentKey: "required", RequireResidentKey: true, UserVerification: f.options.UserVerification},
		Attestation: "none",
	})
	return &Ceremony{Token: sealed, Options: options}, err
}

var errMax = fmt.Errorf("passkey: the user has %d passkeys: %w", Max, ginauth.ErrConflict)

// namesOf returns what browsers show of a user.
func namesOf(u models.Authenticatable) (name, display string) {
	name = u.AuthID()
	if v, ok := u.(models.EmailVerifiable); ok && v.AuthEmail() != "" {
		name = v.AuthEmail()
	}
	display = name
	if n, ok := u.(models.Named); ok && n.AuthName() != "" {
		display = n.AuthName()
	}
	return name, display
}

// mayRegister refuses a user whose address is not verified, and a login that proved less than the user can prove, or not
// lately: a password alone must not add to what is stronger.
func (f *Feature) mayRegister(ctx context.Context, a *ginauth.Authenticator, u models.Authenticatable) error {
	if v, ok := u.(models.EmailVerifiable); ok && !v.AuthEmailVerified() {
		return ginauth.ErrEmailNotVerified
	}
	return a.MayChangeFactors(ctx)
}

// Register completes a registration. After the first passkey all other logins of the user end, and the result has the new
// tokens of a login by tokens. The user is told by mail. The errors are *InputError if the ceremony is not one of the user's
// of the last 5 minutes, or the credential is not acceptable; one wrapping ginauth.ErrConflict if the passkey is
// registered, also by another user; and those of BeginRegistration, Authenticator.EndOtherLogins and Authenticator.StillSame.
func (f *Feature) Register(ctx context.Context, a *ginauth.Authenticator, r Response) (*Passkey, *ginauth.LoginResult, error) {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	if r.Name, err = cleanName(r.Name, true); err != nil {
		return nil, nil, err
	}
	owner := a.Owner(u)
	c, err := f.open(a, registering, owner, r.Ceremony)
	if err != nil {
		return nil, nil, err
	}
	made, err := f.accept(ctx, a, u, &c, r)
	if err != nil {
		return nil, nil, err
	}
	first, handle, err := f.reserve(ctx, owner, u, &c, made)
	if err != nil {
		return nil, nil, err
	}
	if err := f.create(ctx, owner, handle, made); err != nil {
		return nil, nil, errors.Join(err, f.releaseHandle(context.WithoutCancel(ctx), owner, made.record))
	}
	res := &ginauth.LoginResult{User: u}
	if first {
		// Without it, somebody who is logged in elsewhere would keep a login that proved one factor.
		res, err = a.EndOtherLogins(ctx, Name)
	} else {
		err = a.StillSame(ctx) // Manager.ResetFactors may have been before
	}
	if err != nil {
		_, undo := f.remove(context.WithoutCancel(ctx), owner, made.record, made.ID)
		return nil, nil, errors.Join(err, undo)
	}
	f.auth.Dispatch(ctx, Registered{a.EventMeta(u.AuthID()), made.record, made.Name})
	a.TellFactor(ctx, u, mail.PasskeyAdded)
	return made.shown(), res, nil
}

// accept returns the passkey of an authenticator's answer, if it is one.
func (f *Feature) accept(ctx context.Context, a *ginauth.Authenticator, u models.Authenticatable, c *challenge, r Response) (*credential, error) {
	parsed, err := parseAttestation(r.Credential)
	if err != nil {
		return nil, err
	}
	acc, err := f.loadOf(ctx, a.Owner(u), u)
	switch {
	case err != nil:
		return nil, err
	case acc.user == nil:
		return nil, errCeremony
	}
	if err := f.mayRegister(ctx, a, u); err != nil {
		return nil, err
	}
	verified, err := f.rp.CreateCredential(acc.verified(), c.session(acc, f.options.UserVerification), parsed)
	if err != nil {
		return nil, &ginauth.InputError{Field: "credential", Reason: "is not valid for this site and this ceremony"}
	}
	now := f.now()
	made := &credential{
		ID: verified.ID, Key: verified.PublicKey, AAGUID: verified.Authenticator.AAGUID, SignCount: verified.Authenticator.SignCount,
		Transports: transportsOf(verified.Transport), Backup: verified.Flags.BackupEligible, BackedUp: verified.Flags.BackupState,
		record: recordOf(verified.ID), created: now, last: now,
	}
	if acc.find(made.record) != nil {
		return nil, errRegistered
	}
	made.Name = r.Name
	if made.Name == "" {
		made.Name = acc.nameFor(made)
	}
	return made, nil
}

var errRegistered = fmt.Errorf("passkey: the passkey is registered: %w", ginauth.ErrConflict)

// reserve uses the challenge, and takes one of the places for passkeys. It reports whether the passkey is the first, and
// the handle of the user.
func (f *Feature) reserve(
	ctx context.Context, owner string, u models.Authenticatable, c *challenge, made *credential,
) (first bool, handle []byte, err error) {
	err = f.update(ctx, owner, u, func(acc *account) error {
		if !acc.user.take(*c, f.now()) {
			return errCeremony
		}
		if len(acc.usable(f.now())) >= Max {
			return errMax
		}
		first, handle = len(acc.passkeys) == 0, acc.user.Handle
		return acc.begin(f.now(), made.record, false)
	})
	return first, handle, err
}

// create stores a passkey, the handle of its user, and whose it is: no two users have one passkey.
func (f *Feature) create(ctx context.Context, owner string, handle []byte, made *credential) error {
	record, err := f.record(owner, Name, made.record, made)
	if err != nil {
		return err
	}
	record.Name = made.Name
	if err := f.claim(ctx, owner, Name, subjectOf(handle)); err != nil {
		return err
	}
	if err := f.claim(ctx, owner, idProvider, digestOf(made.ID)); err != nil {
		return err
	}
	err = f.store.CreateFactor(ctx, record)
	if errors.Is(err, stores.ErrExists) {
		return errRegistered
	}
	if err != nil {
		f.release(ctx, owner, made.ID)
	}
	return ginauth.Unavailable("store passkey", err)
}

// idProvider is the provider of the identities that are ids of passkeys.
const idProvider = "passkey-id"

// digestOf returns an id of a passkey as the subject of an identity.
func digestOf(id []byte) string {
	sum := sha256.Sum256(id)
	return hex.EncodeToString(sum[:])
}

// claim stores that a subject is an owner, unless it is somebody else.
func (f *Feature) claim(ctx context.Context, owner, provider, subject string) error {
	err := f.identities.CreateIdentity(ctx, stores.Identity{Provider: provider, Subject: subject, Owner: owner, Created: f.now()})
	if !errors.Is(err, stores.ErrExists) {
		return ginauth.Unavailable("store identity of passkey", err)
	}
	held, ok, err := f.identities.FindIdentity(ctx, provider, subject)
	if err == nil && (!ok || held.Owner != owner) {
		err = errRegistered
	}
	if errors.Is(err, errRegistered) {
		return err
	}
	return ginauth.Unavailable("find identity of passkey", err)
}

// release deletes the identity of a passkey that is gone. If that fails, nobody else can register the passkey.
func (f *Feature) release(ctx context.Context, owner string, id []byte) {
	_, _ = f.identities.DeleteIdentity(context.WithoutCancel(ctx), owner, idProvider, digestOf(id))
}

// remove deletes a passkey with its identities. It reports whether there was one.
func (f *Feature) remove(ctx context.Context, owner, record string, id []byte) (bool, error) {
	ok, err := f.store.DeleteFactor(ctx, owner, Name, record)
	if err != nil || !ok {
		return false, ginauth.Unavailable("delete passkey", err)
	}
	f.release(ctx, owner, id)
	return true, f.releaseHandle(ctx, owner, record)
}

// releaseHandle deletes the identity that is the handle of a user, if the user has no passkey. Others take it for a way to log
// in. A registration of which the removed record is not has claimed the handle or will do so: it began before the second look,
// which claims the handle for it, or claims it after that.
func (f *Feature) releaseHandle(ctx context.Context, owner string, removed ...string) error {
	acc, err := f.load(ctx, owner)
	if err != nil || acc.user == nil || acc.needsHandle(f.now(), removed) {
		return err
	}
	subject := subjectOf(acc.user.Handle)
	if _, err := f.identities.DeleteIdentity(ctx, owner, Name, subject); err != nil {
		return ginauth.Unavailable("delete handle of passkey user", err)
	}
	again, err := f.load(ctx, owner)
	if err != nil || again.user == nil || !bytes.Equal(again.user.Handle, acc.user.Handle) || !again.needsHandle(f.now(), removed) {
		return err
	}
	return f.claim(ctx, owner, Name, subject)
}

// needsHandle reports whether there is a passkey, or a registration of another one than those that were removed may go on.
func (a *account) needsHandle(now time.Time, removed []string) bool {
	return len(a.passkeys) > 0 || slices.ContainsFunc(a.user.Changes, func(c change) bool {
		return !c.Removal && now.Sub(time.Unix(c.At, 0)) <= changeTime && !slices.Contains(removed, c.ID)
	})
}

// reset removes all passkeys of a user, for Manager.ResetFactors.
func (f *Feature) reset(ctx context.Context, owner string) error {
	acc, err := f.load(ctx, owner)
	if err != nil {
		return err
	}
	if err := f.store.ReplaceFactors(ctx, owner, Name, nil); err != nil {
		return ginauth.Unavailable("delete passkeys", err)
	}
	removed := make([]string, len(acc.passkeys))
	for i, c := range acc.passkeys {
		removed[i] = c.record
		f.release(ctx, owner, c.ID)
	}
	return f.releaseHandle(ctx, owner, removed...)
}

// transports are those of WebAuthn level 3, 5.8.4. What else a client sends is not stored.
var transports = []string{"usb", "nfc", "ble", "smart-card", "hybrid", "internal"}

func transportsOf(given []protocol.AuthenticatorTransport) (list []string) {
	for _, t := range given {
		if slices.Contains(transports, string(t)) && !slices.Contains(list, string(t)) {
			list = append(list, string(t))
		}
	}
	return list
}

// cleanName returns a name without spaces around it.
func cleanName(name string, optional bool) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "" && !optional:
		return "", &ginauth.InputError{Field: "name", Reason: "is required"}
	case len(name) > MaxName:
		return "", &ginauth.InputError{Field: "name", Reason: fmt.Sprintf("is longer than %d bytes", MaxName)}
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", &ginauth.InputError{Field: "name", Reason: "has characters that cannot be shown"}
	}
	return name, nil
}

// nameFor returns a name for a passkey, by the kind of its authenticator, that no other one has.
func (a *account) nameFor(made *credential) string {
	kind := modelOf(made.AAGUID)
	if kind == "" && !made.Backup {
		kind = "Security key"
	}
	if kind == "" {
		kind = "Passkey"
	}
	name := kind
	for n := 2; slices.ContainsFunc(a.passkeys, func(c credential) bool { return c.Name == name }); n++ {
		name = fmt.Sprintf("%s %d", kind, n)
	}
	return name
}

// has reports whether a user has a passkey.
func (f *Feature) has(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
	acc, err := f.loadOf(ctx, owner, u)
	if err != nil {
		return false, err
	}
	return len(acc.passkeys) > 0, nil
}

// wanted is the key of a context that says which user a login has to be of.
type wanted struct{}

// checkUser refuses a login by a passkey of a former user with the same identifier.
func (f *Feature) checkUser(ctx context.Context, _ *ginauth.Authenticator, r *ginauth.LoginRequest) error {
	if birth, ok := ctx.Value(wanted{}).([]byte); ok && !bytes.Equal(birth, birthOf(r.User)) {
		return ginauth.ErrInvalidCredentials
	}
	return nil
}

// shown returns what is shown of a passkey.
func (c *credential) shown() *Passkey {
	return &Passkey{
		ID: c.record, Name: c.Name, Model: modelOf(c.AAGUID), Created: c.created.UTC().Truncate(time.Second),
		LastUsed: c.last.UTC().Truncate(time.Second), Transports: c.Transports, BackupEligible: c.Backup, BackedUp: c.BackedUp,
	}
}
