package ginauth

import (
	"context"
	"errors"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
)

// Attempt logs in whoever the credentials belong to. The errors, each answered
// rightly by Abort:
//
//   - *InputError: the credentials are not of the right shape. Nothing was
//     counted.
//   - *ThrottledError: too many tries. No password was checked.
//   - ErrInvalidCredentials: there is no such user, the password is another
//     one, or the user is disabled. Which, is not to be told from the error nor
//     from the time it took.
//   - ErrUnavailable: it could not be found out, or too many logins wait for
//     the hasher already.
//
// A login gives the session a new id, and replaces an outdated password hash.
//
// Options, as Remember, change what the login leads to.
func (a *Authenticator) Attempt(ctx context.Context, credentials Credentials, options ...LoginOption) (*LoginResult, error) {
	return a.AttemptWhen(ctx, credentials, nil, options...)
}

// AttemptWhen is Attempt with a condition that is asked once the password was
// found right. A user who does not meet it gets ErrInvalidCredentials, as a
// wrong password does.
func (a *Authenticator) AttemptWhen(
	ctx context.Context, credentials Credentials, condition func(models.Authenticatable) bool, options ...LoginOption,
) (*LoginResult, error) {
	u, subject, err := a.verify(ctx, credentials, condition)
	if err != nil {
		return nil, err
	}
	res, err := a.logIn(ctx, u, true, options)
	if err != nil {
		return nil, err
	}
	// A client that shows tokens keeps no cookies.
	if res.Tokens == nil {
		a.x.rememberDevice(a.current().realm, subject, u)
		a.x.tellNewDevice(ctx, subject, u)
	}
	return res, nil
}

// Once makes the user whom the credentials belong to the user of this request,
// and of no later one. The errors are those of Attempt.
func (a *Authenticator) Once(ctx context.Context, credentials Credentials) (*LoginResult, error) {
	u, _, err := a.verify(ctx, credentials, nil)
	if err != nil {
		return nil, err
	}
	a.x.setUser(authResult{guard: a.current(), user: u})
	return &LoginResult{User: u}, nil
}

// Validate returns the user whom the credentials belong to, and logs nobody in.
// It counts as a try. The errors are those of Attempt.
func (a *Authenticator) Validate(ctx context.Context, credentials Credentials) (models.Authenticatable, error) {
	u, _, err := a.verify(ctx, credentials, nil)
	return u, err
}

// verify checks credentials. The order matters: the throttle comes before the
// user is looked up and before a password is hashed, so that what it refuses
// costs nothing; and every answer below it has cost one hash.
func (a *Authenticator) verify(
	ctx context.Context, credentials Credentials, condition func(models.Authenticatable) bool,
) (models.Authenticatable, subject, error) {
	g := a.current()
	if g.users == nil {
		return nil, subject{}, errNoProvider
	}
	claim, err := credentials.claim(g.users)
	if err != nil {
		return nil, subject{}, err
	}
	t, err := a.x.take(ctx, g.name, a.x.subject(g, claim.field, claim.canonical))
	if err != nil {
		return nil, t.subject, err
	}
	a.x.m.Dispatch(ctx, events.Attempting{Meta: a.x.accountMeta(g.name, "", t.subject)})

	u, err := a.lookUp(ctx, g, claim, t)
	if err != nil {
		return nil, t.subject, err
	}
	ok, err := a.x.m.checkHash(ctx, u, claim.password)
	if errors.Is(err, hashing.ErrBusy) {
		// Nothing was compared: a flood of logins must not lock honest users
		// out for longer than it lasts.
		err = errors.Join(err, t.release(ctx))
	}
	if err != nil {
		return nil, t.subject, err
	}
	if !ok || disabled(u) || a.x.m.unproved(u) || (condition != nil && !condition(u)) {
		id := ""
		if u != nil {
			id = u.AuthID()
		}
		a.x.m.Dispatch(ctx, events.Failed{Meta: a.x.accountMeta(g.name, id, t.subject)})
		return nil, t.subject, ErrInvalidCredentials
	}
	if err := t.succeed(ctx); err != nil {
		return nil, t.subject, err
	}
	a.x.m.rehash(a.x.Within(ctx), g, u, claim.password)
	a.x.m.Dispatch(ctx, events.Authenticated{Meta: a.x.accountMeta(g.name, u.AuthID(), t.subject)})
	return u, t.subject, nil
}

// lookUp finds the user. One that a known device was counted for is checked
// against the device's stamp: if it does not fit, the device is a stranger and
// is counted as one.
func (a *Authenticator) lookUp(ctx context.Context, g *guardEntry, c claim, t *try) (models.Authenticatable, error) {
	phase, span := a.x.Span(ctx)
	defer span.End()
	found, err := g.users.UserByIdentifier(phase, c.field, c.canonical)
	if err != nil {
		return nil, autherr.Unavailable("look up user", err)
	}
	u := present(found)
	if d := t.subject.device; d != nil && (u == nil || !a.x.m.deviceFits(*d, g.realm, u)) {
		t.subject.device = nil
		if err := t.takeAsStranger(phase); err != nil {
			return nil, err
		}
	}
	if many, ok := g.users.(models.ManyIdentifiers); ok && many.ManyIdentifiers() && t.subject.device == nil {
		if err := t.takeForUser(phase, g.realm, u); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// checkHash compares a password with a user's hash. Nobody, and a user whose
// hash is missing or unreadable, cost the same as everybody else.
func (m *Manager) checkHash(ctx context.Context, u models.Authenticatable, password string) (bool, error) {
	ok, err := false, error(hashing.ErrBadHash)
	if u != nil {
		ok, err = m.hasher.Verify(ctx, password, u.AuthPassword())
	}
	if errors.Is(err, hashing.ErrBadHash) {
		ok, err = false, m.hasher.VerifyDummy(ctx, password)
	}
	if errors.Is(err, hashing.ErrPassword) {
		return false, nil // no hash of this kind can belong to it
	}
	return ok && err == nil, autherr.Unavailable("check password", err)
}

// rehash replaces an outdated hash, if the user is bound to a stamp and not to
// the hash itself. Where it fails the next login tries again.
func (m *Manager) rehash(ctx context.Context, g *guardEntry, u models.Authenticatable, password string) {
	updater, ok := g.users.(models.PasswordUpdater)
	if _, stamped := u.(models.Stamped); !ok || !stamped || !m.hasher.NeedsRehash(u.AuthPassword()) {
		return
	}
	hash, err := m.hasher.Hash(ctx, password)
	if err == nil {
		phase, span := m.env.Span(ctx)
		defer span.End()
		_, err = updater.RehashPassword(phase, u.AuthID(), u.AuthPassword(), hash)
	}
	if err != nil {
		m.env.Log.WarnContext(ctx, "ginauth: password hash not renewed", "user", request.Cut(u.AuthID(), 64), "error", err)
	}
}
