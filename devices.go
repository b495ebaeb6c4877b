package ginauth

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/accounts"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/token"
)

// Device is a login to an account, or a personal access token.
type Device = token.Device

// Devices returns what is logged into the account of the request's user, the most recently seen first. Sessions are
// included if the store indexes owners. The errors are ErrUnauthenticated and ErrUnavailable.
func (a *Authenticator) Devices(ctx context.Context) ([]Device, error) {
	_, found, err := a.devices(ctx)
	if err != nil {
		return nil, err
	}
	return accounts.PublicDevices(found), nil
}

func (a *Authenticator) devices(ctx context.Context) (models.Authenticatable, []accounts.Device, error) {
	u, err := a.User(ctx)
	if err != nil {
		return nil, nil, err
	}
	if u == nil {
		return nil, nil, ErrUnauthenticated
	}
	ctx, span := a.x.Span(ctx)
	defer span.End()
	var current accounts.Current
	if a.x.Started {
		current.Row = a.x.session.s.Row()
	}
	login, _, err := a.ownLogin(ctx)
	if err != nil {
		return nil, nil, err
	}
	if login.Series != "" {
		current.Families = append(current.Families, login.Series)
	}
	token, err := a.Token(ctx)
	if err != nil {
		return nil, nil, err
	}
	if token != nil {
		current.Families = append(current.Families, cmp.Or(token.family, token.ID))
	}
	found, err := a.x.m.accounts.Devices(ctx, a.account(u), current)
	return u, found, err
}

// RevokeDevice ends one of the devices that Devices returns, with all its parts. The current device is logged out. A
// device that does not exist, or that belongs to another user, returns ErrNotFound. The other errors are
// ErrUnauthenticated, ErrForbidden for a request by a personal access token, and ErrUnavailable.
func (a *Authenticator) RevokeDevice(ctx context.Context, id string) error {
	if _, err := a.ownUser(ctx); err != nil {
		return err
	}
	u, found, err := a.devices(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(found, func(d accounts.Device) bool { return d.ID == id })
	if i < 0 {
		return ErrNotFound
	}
	m, g, d := a.x.m, a.current(), found[i]
	ctx, span := a.x.Span(context.WithoutCancel(ctx)) // a revocation survives a disconnect
	defer span.End()
	_, inSession := g.Guard.(*sessionGuard)
	if d.Current && inSession {
		if err := errors.Join(m.accounts.EndDevice(ctx, d, a.x.session.s.Row()), a.Logout(ctx)); err != nil {
			return err
		}
		m.Dispatch(ctx, events.CurrentDeviceLogout{Meta: a.x.Meta(g.name, u.AuthID())})
		return nil
	}
	if err := m.accounts.EndDevice(ctx, d, ""); err != nil {
		return err
	}
	m.Dispatch(ctx, events.TokenRevoked{Meta: a.x.Meta(g.name, u.AuthID()), Kind: d.Kind, TokenID: d.StoredName()})
	return nil
}

// LogoutOtherDevices ends all logins of the user but this one, with remembered devices, if the user gives the
// password. Personal access tokens stay, unless they were made to be revoked by a password change. The errors are
// those of ChangePassword.
func (a *Authenticator) LogoutOtherDevices(ctx context.Context, password string) (*LoginResult, error) {
	u, err := a.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	changed, err := a.x.m.accounts.ChangeStamp(ctx, &a.x.State, a.account(u), password, a.x.limits)
	if err != nil {
		return nil, err
	}
	return a.continueLogin(ctx, changed, a.gavePassword)
}

// RevokeUser ends everything that was issued to a user of a guard: sessions, remembered devices, logins by tokens,
// mailed links, personal access tokens, and what features issued. It takes effect whatever changes the user at the
// same time, and dispatches one events.UserRevoked at the end. The error wraps ErrUnavailable, or
// errors.ErrUnsupported if the provider changes no stamp or its users have none. It panics without such a guard.
func (m *Manager) RevokeUser(ctx context.Context, guard, userID string) error {
	g := m.mustGuard(guard)
	ctx, span := m.env.Span(context.WithoutCancel(ctx)) // a revocation survives a disconnect
	defer span.End()
	err := errors.Join(m.accounts.RevokeUser(ctx, g.realm, userID), m.revokeFeatures(ctx, g.realm.Name, userID))
	if err == nil {
		m.Dispatch(ctx, events.UserRevoked{Meta: m.env.Meta(ctx, guard, userID)})
	}
	return err
}

// ResetFactors removes all second factors of a user of a guard who has lost them, for an administrator who has made sure who
// asks. It ends everything as RevokeUser does, first, so that no login goes on, and the user is told by mail. Whoever knows
// the password can then log in: consider to let the user choose a new one. The errors are those of RevokeUser, and one
// wrapping errors.ErrUnsupported if a factor cannot be removed. It panics if there is no guard of that name.
func (m *Manager) ResetFactors(ctx context.Context, guard, userID string) error {
	g, ctx := m.mustGuard(guard), context.WithoutCancel(ctx)
	if err := m.RevokeUser(ctx, guard, userID); err != nil {
		return err
	}
	if err := m.pending.Reset(ctx, g.realm.Owner(userID)); err != nil {
		return err
	}
	m.Dispatch(ctx, events.FactorsReset{Meta: m.env.Meta(ctx, guard, userID)})
	return m.mails.TellFactorsReset(ctx, g.realm, userID)
}

// revokeFeatures ends what features issued to a user.
func (m *Manager) revokeFeatures(ctx context.Context, realm, userID string) (err error) {
	for _, hook := range m.features.revoke {
		err = errors.Join(err, hook(ctx, realm, userID))
	}
	return err
}
