package social

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores"
)

// userMayLink returns nil if a user may link an identity, which logs in like a password and may be worth two factors. A
// stranger who registered the address of somebody else must not: the identity would outlive the owner's proof of it.
func userMayLink(ctx context.Context, a *ginauth.Authenticator, u models.Authenticatable) error {
	if v, ok := u.(models.EmailVerifiable); ok && v.AuthEmail() != "" && !v.AuthEmailVerified() {
		return ginauth.ErrEmailNotVerified
	}
	return a.MayChangeFactors(ctx)
}

// link makes an identity one of the user who is logged in.
func (f *Feature) link(ctx context.Context, a *ginauth.Authenticator, provider string, p *Profile) error {
	u, err := routes.Owner(ctx, a)
	if err == nil {
		err = userMayLink(ctx, a, u)
	}
	if err != nil {
		return err
	}
	err = f.insert(ctx, a, provider, p, u)
	if err == nil {
		// Manager.RevokeUser or a reset may have been before: what a login that has ended links must not log in.
		if err := a.StillSame(ctx); err != nil {
			_, undo := f.store.DeleteIdentity(context.WithoutCancel(ctx), a.Owner(u), provider, p.Subject)
			return errors.Join(err, undo)
		}
		f.tell(ctx, a, provider, u, true)
	}
	if !errors.Is(err, ErrTaken) {
		return err
	}
	i, _, found, findErr := f.find(ctx, provider, p.Subject)
	if findErr == nil && found && i.Owner == a.Owner(u) {
		return nil // it is linked already
	}
	return errors.Join(err, findErr)
}

// Identity is an account at a provider, as its user sees it.
type Identity struct {
	// ID identifies the identity among those of all users.
	ID string `json:"id"`
	// Provider is the provider's name, and Title what it is called.
	Provider string `json:"provider"`
	Title    string `json:"title"`
	// Email and Name are those at the provider, at the last login, or "".
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
	// Linked is when it was linked, and LastUsed when it was last used.
	Linked   time.Time `json:"linked"`
	LastUsed time.Time `json:"last_used"`

	subject string
}

// identifier names an identity. It tells nobody the subject.
func identifier(i stores.Identity) string {
	sum := sha256.Sum256([]byte(i.Provider + "\x00" + i.Subject))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Identities returns the identities of the request's user, the oldest first. The errors are ginauth.ErrUnauthenticated,
// ginauth.ErrForbidden for a request by a personal access token, and ginauth.ErrUnavailable.
func (f *Feature) Identities(ctx context.Context, a *ginauth.Authenticator) ([]Identity, error) {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil, err
	}
	all, err := f.store.IdentitiesOf(ctx, a.Owner(u))
	if err != nil {
		return nil, ginauth.Unavailable("find identities", err)
	}
	list := []Identity{}
	for _, i := range all {
		p := f.providers[i.Provider]
		var r record
		if p == nil || json.Unmarshal(i.Data, &r) != nil {
			continue // it is another feature's, or of a provider that is not configured any more
		}
		list = append(list, Identity{
			ID: identifier(i), Provider: i.Provider, Title: p.Title(), Email: r.Email, Name: r.Name,
			Linked: i.Created, LastUsed: i.LastUsed, subject: i.Subject,
		})
	}
	return list, nil
}

// Unlink removes an identity of the request's user, who is told by mail. All other logins of the user end: they may have
// been made by it. The errors are those of Identities, ginauth.ErrNotFound, ErrLastWay if the user could not log in any
// more, and those of Authenticator.MayChangeFactors and Authenticator.EndOtherLogins. Ask for a fresh proof first.
func (f *Feature) Unlink(ctx context.Context, a *ginauth.Authenticator, id string) (*ginauth.LoginResult, error) {
	list, err := f.Identities(ctx, a)
	if err != nil {
		return nil, err
	}
	n := slices.IndexFunc(list, func(i Identity) bool { return i.ID == id })
	if n < 0 {
		return nil, ginauth.ErrNotFound
	}
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := a.MayChangeFactors(ctx); err != nil {
		return nil, err
	}
	owner := a.Owner(u)
	lasting := context.WithoutCancel(ctx)
	// Of parallel requests that unlink the last two, one is refused.
	switch ok, err := f.store.DeleteIdentity(lasting, owner, list[n].Provider, list[n].subject, f.otherWays(u)...); {
	case err != nil:
		return nil, ginauth.Unavailable("delete identity", err)
	case !ok:
		if _, found, err := f.store.FindIdentity(lasting, list[n].Provider, list[n].subject); err != nil || !found {
			return nil, errors.Join(ginauth.ErrNotFound, ginauth.Unavailable("find identity", err))
		}
		return nil, ErrLastWay
	}
	f.auth.Dispatch(ctx, IdentityUnlinked{a.EventMeta(u.AuthID()), list[n].Provider})
	a.TellFactor(ctx, u, mail.IdentityUnlinked)
	return a.EndOtherLogins(ctx)
}

// otherWays names the identities of which one has to stay: none if the user has a password.
func (f *Feature) otherWays(u models.Authenticatable) []string {
	if u.AuthPassword() != "" {
		return nil
	}
	ways := slices.Clone(f.options.OtherWays)
	for name := range f.providers {
		ways = append(ways, name)
	}
	return ways
}

// Forget removes all identities of a user of the guard, of this feature's providers. Call it when the user is deleted.
// The error wraps ginauth.ErrUnavailable.
func (f *Feature) Forget(ctx context.Context, a *ginauth.Authenticator, userID string) error {
	owner := a.Owner(stub{userID})
	all, err := f.store.IdentitiesOf(ctx, owner)
	for _, i := range all {
		if f.providers[i.Provider] != nil && err == nil {
			_, err = f.store.DeleteIdentity(ctx, owner, i.Provider, i.Subject)
		}
	}
	return ginauth.Unavailable("forget identities", err)
}

// Token returns the token of a provider that the request's user logged in with last, renewed if it has expired. The
// provider is one of Options.KeepTokens. The errors are those of Identities, ginauth.ErrNotFound if there is none, and
// ErrRefused if the provider does not renew it.
func (f *Feature) Token(ctx context.Context, a *ginauth.Authenticator, provider string) (*oauth2.Token, error) {
	list, err := f.Identities(ctx, a)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b Identity) int { return b.LastUsed.Compare(a.LastUsed) })
	n := slices.IndexFunc(list, func(i Identity) bool { return i.Provider == provider })
	if n < 0 {
		return nil, ginauth.ErrNotFound
	}
	i, r, found, err := f.find(ctx, provider, list[n].subject)
	if err != nil {
		return nil, err
	}
	data, _, ok := f.tokens.Open(f.now(), r.Tokens, tokenContext(i.Owner, provider, i.Subject))
	var token oauth2.Token
	if !found || !ok || json.Unmarshal(data, &token) != nil {
		return nil, ginauth.ErrNotFound
	}
	refresher, can := f.providers[provider].(Refresher)
	if token.Expiry.IsZero() || f.now().Before(token.Expiry.Add(-leeway)) || !can {
		return &token, nil
	}
	return f.renew(ctx, refresher, i, r, &token)
}

// renew replaces stored tokens that have expired.
func (f *Feature) renew(ctx context.Context, by Refresher, i stores.Identity, r record, old *oauth2.Token) (*oauth2.Token, error) {
	asking, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	expired := *old
	expired.Expiry = time.Unix(1, 0)
	fresh, err := by.Refresh(asking, &expired)
	if err != nil {
		return nil, logged("renew token", err)
	}
	data, err := json.Marshal(fresh)
	if err == nil {
		r.Tokens, err = f.tokens.Seal(f.now(), kept, data, tokenContext(i.Owner, i.Provider, i.Subject))
	}
	if err != nil {
		return nil, err
	}
	if data, err = f.encode(r); err != nil {
		return nil, err
	}
	// The provider may have replaced the old one, so the new one is stored whoever has hung up.
	_, err = f.store.UseIdentity(context.WithoutCancel(ctx), i.LastUsed, i.Owner, i.Provider, i.Subject, data)
	return fresh, ginauth.Unavailable("store token", err)
}
