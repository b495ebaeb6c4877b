package social

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores"
)

const (
	// storeTime is how long the store calls of one step may take.
	storeTime = 5 * time.Second
	// registering is how long the first login of an identity keeps parallel ones waiting, if it never ends.
	registering = time.Minute
	// patience is how long a parallel first login waits, and pause between two looks.
	patience = 3 * time.Second
	pause    = 20 * time.Millisecond
)

// record is what the data of an identity hold.
type record struct {
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
	// Print tells the user from a later one with the same identifier.
	Print string `json:"print,omitempty"`
	// Tokens are those of the provider, sealed, or "".
	Tokens string `json:"tokens,omitempty"`
	// Pairs says that the identity has logged in by tokens.
	Pairs bool `json:"pairs,omitempty"`
}

// printOf returns a fingerprint of the part of a user's security stamp that stays the same while the user exists, or "".
func printOf(u models.Authenticatable) string {
	s, ok := u.(models.Stamped)
	if !ok {
		return ""
	}
	birth, _, _ := strings.Cut(s.AuthStamp(), ".")
	sum := sha256.Sum256([]byte("social " + birth[:min(len(birth), 16)]))
	return hex.EncodeToString(sum[:12])
}

// expected is what a login by an identity expects of the user that is loaded.
type expected struct {
	print   string
	another bool // the user is a later one with the same identifier
}

type expectedKey struct{}

// sameUser refuses a login by an identity of a user who was deleted, whose identifier another user has now.
func (f *Feature) sameUser(ctx context.Context, _ *ginauth.Authenticator, r *ginauth.LoginRequest) error {
	e, ok := ctx.Value(expectedKey{}).(*expected)
	if ok && e.print != "" && !equal(e.print, printOf(r.User)) {
		e.another = true
		return ginauth.ErrInvalidCredentials
	}
	return nil
}

// logIn logs in whom a profile is of. The handle is that of the guard.
func (f *Feature) logIn(ctx context.Context, a *ginauth.Authenticator, provider string, p *Profile) (*ginauth.LoginResult, error) {
	res, known, err := f.logInKnown(ctx, a, provider, p)
	if known || err != nil {
		return res, err
	}
	if f.options.NoRegistration {
		return nil, ErrNoAccount
	}
	done, err := f.reserve(ctx, a, provider, p)
	if err != nil {
		return nil, err
	}
	defer done()
	// A parallel login may have registered the user meanwhile.
	if res, known, err = f.logInKnown(ctx, a, provider, p); known || err != nil {
		return res, err
	}
	u, existed, err := f.register(ctx, a, provider, p)
	if err != nil {
		return nil, err
	}
	if err := f.create(ctx, a, provider, p, u, existed); err != nil {
		return nil, err
	}
	proof, err := f.proved(provider, p)
	if err != nil {
		return nil, err
	}
	res, err = a.Login(ctx, u, proof)
	return res, f.finish(ctx, a, provider, p, u, res, err)
}

// reserve makes parallel first logins of one identity wait, also on other machines. What it returns ends that.
func (f *Feature) reserve(ctx context.Context, a *ginauth.Authenticator, provider string, p *Profile) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	w := window("register", registering, a.Owner(stub{"1"}), provider, p.Subject)
	for {
		grant, err := f.set.Limiter.Reserve(ctx, f.now(), w)
		if err == nil && grant.OK() {
			return func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
				defer cancel()
				_ = f.set.Limiter.Reset(ctx, w.Key) // otherwise it ends by itself
			}, nil
		}
		if err != nil {
			return nil, ginauth.Unavailable("reserve registration", err)
		}
		select {
		case <-ctx.Done():
			return nil, ginauth.ErrConflict
		case <-time.After(pause):
		}
	}
}

// logInKnown logs in the user who has an identity. It returns false if nobody has.
func (f *Feature) logInKnown(
	ctx context.Context, a *ginauth.Authenticator, provider string, p *Profile,
) (res *ginauth.LoginResult, known bool, err error) {
	i, old, found, err := f.find(ctx, provider, p.Subject)
	if err != nil || !found {
		return nil, false, err
	}
	id, ok := userID(a, i.Owner)
	if !ok { // it is of a user of another provider of users
		return nil, true, ErrTaken
	}
	proof, err := f.proved(provider, p)
	if err != nil {
		return nil, true, err
	}
	e := &expected{print: old.Print}
	res, err = a.LoginUsingID(context.WithValue(ctx, expectedKey{}, e), id, proof)
	if e.another {
		_, err := f.store.DeleteIdentity(ctx, i.Owner, provider, p.Subject)
		return nil, false, ginauth.Unavailable("delete identity", err)
	}
	if err != nil {
		return nil, true, err
	}
	now := f.record(provider, p, i.Owner)
	now.Print, now.Pairs = old.Print, old.Pairs || res.Tokens != nil
	if now.Tokens == "" {
		now.Tokens = old.Tokens
	}
	if err := f.use(ctx, i, now); err != nil {
		return nil, true, errors.Join(err, a.Logout(context.WithoutCancel(ctx)))
	}
	return res, true, f.finish(ctx, a, provider, p, stub{id}, res, nil)
}

// find returns an identity and what it holds.
func (f *Feature) find(ctx context.Context, provider, subject string) (stores.Identity, record, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	i, found, err := f.store.FindIdentity(ctx, provider, subject)
	var r record
	if err == nil && found && len(i.Data) > 0 {
		err = json.Unmarshal(i.Data, &r)
	}
	return i, r, found, ginauth.Unavailable("find identity", err)
}

// use records that an identity was used.
func (f *Feature) use(ctx context.Context, i stores.Identity, r record) error {
	data, err := f.encode(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	ok, err := f.store.UseIdentity(ctx, f.now(), i.Owner, i.Provider, i.Subject, data)
	if err == nil && !ok {
		return ginauth.ErrConflict // it was unlinked meanwhile
	}
	return ginauth.Unavailable("use identity", err)
}

// encode returns a record as data. Tokens that are too large are dropped.
func (f *Feature) encode(r record) ([]byte, error) {
	data, err := json.Marshal(r)
	if err == nil && len(data) > stores.MaxIdentityData {
		r.Tokens = ""
		data, err = json.Marshal(r)
	}
	return data, err
}

const maxText = 254 // of the name and the address at a provider, in bytes

// record makes the record of a profile, without the print.
func (f *Feature) record(provider string, p *Profile, owner string) record {
	r := record{Email: clip(p.Email), Name: clip(p.Name)}
	if p.Token == nil || !slices.Contains(f.options.KeepTokens, provider) {
		return r
	}
	if data, err := json.Marshal(p.Token); err == nil {
		r.Tokens, _ = f.tokens.Seal(f.now(), kept, data, tokenContext(owner, provider, p.Subject))
	}
	return r
}

// kept is how long sealed tokens can be opened: as good as for ever.
const kept = 100 * 365 * 24 * time.Hour

func tokenContext(owner, provider, subject string) []byte {
	return []byte(owner + "\x00" + provider + "\x00" + subject)
}

func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	for len(s) > maxText {
		s = string([]rune(s)[:len([]rune(s))-1])
	}
	return s
}

// register makes the account of a first login, or returns the one that there is and that the identity may be linked to.
func (f *Feature) register(
	ctx context.Context, a *ginauth.Authenticator, provider string, p *Profile,
) (u models.Authenticatable, existed bool, err error) {
	in := ginauth.Registration{Guard: a.GuardName(), Passwordless: true}
	if f.options.Fields != nil {
		if in.Fields, err = f.options.Fields(ctx, provider, p); err != nil {
			return nil, false, err
		}
	}
	in.Name = f.nameFor(provider, p)
	if p.EmailVerified {
		in.Email, in.EmailVerified = p.Email, p.Email != ""
	}
	ctx = a.EventContext(ctx)
	u, err = f.auth.Register(ctx, in)
	var fault *ginauth.InputError
	switch {
	case err == nil:
		return u, false, nil
	case u != nil && errors.As(err, &fault):
		return u, true, f.mayLink(provider, u)
	case errors.As(err, &fault) && fault.Field == "email" && in.Email != "":
		in.Email, in.EmailVerified = "", false // it is no address that this application accepts
		u, err = f.auth.Register(ctx, in)
	}
	if errors.Is(err, errors.ErrUnsupported) && in.Email == "" {
		err = errors.Join(ErrNoAddress, err)
	}
	return u, false, err
}

// mayLink says whether an identity with a verified address is linked at once to the user who has the address.
func (f *Feature) mayLink(provider string, u models.Authenticatable) error {
	v, ok := u.(models.EmailVerifiable)
	if !ok || !v.AuthEmailVerified() || !slices.Contains(f.options.LinkVerified, provider) {
		return ErrLinkRequired
	}
	return nil
}

// nameFor returns a name that the registration accepts.
func (f *Feature) nameFor(provider string, p *Profile) string {
	name := strings.TrimSpace(clip(p.Name))
	if name == "" {
		name, _, _ = strings.Cut(clip(p.Email), "@")
	}
	if name == "" {
		name = f.providers[provider].Title()
	}
	return string([]rune(name)[:min(100, len([]rune(name)))])
}

// create stores the identity of a user, who is told by mail if the account existed before.
func (f *Feature) create(
	ctx context.Context, a *ginauth.Authenticator, provider string, p *Profile, u models.Authenticatable, existed bool,
) error {
	r := f.record(provider, p, a.Owner(u))
	r.Print = printOf(u)
	data, err := f.encode(r)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	err = f.store.CreateIdentity(limited, stores.Identity{
		Provider: provider, Subject: p.Subject, Owner: a.Owner(u), Data: data, Created: f.now(), LastUsed: f.now(),
	})
	switch {
	case errors.Is(err, stores.ErrExists):
		return ErrTaken
	case errors.Is(err, stores.ErrFull):
		return ErrTooMany
	case err != nil:
		return ginauth.Unavailable("store identity", err)
	}
	f.auth.Dispatch(ctx, IdentityLinked{a.EventMeta(u.AuthID()), provider})
	if existed {
		a.TellFactor(ctx, u, mail.IdentityLinked)
	}
	return nil
}

// proved says what the login was proved by: one factor, unless the application trusts what the provider says.
func (f *Feature) proved(provider string, p *Profile) (ginauth.LoginOption, error) {
	level, methods := factor.LevelOne, []string(nil)
	if f.options.Proof != nil {
		level, methods = f.options.Proof(provider, p)
	}
	proof, err := factor.NewProof(f.now(), level, methods...)
	return ginauth.ProvedBy(proof), err
}

// finish records in the session which provider began it, and tells of the login.
func (f *Feature) finish(
	ctx context.Context, a *ginauth.Authenticator, provider string, p *Profile, u models.Authenticatable, res *ginauth.LoginResult, err error,
) error {
	if err != nil {
		return err
	}
	if res.Pending == nil {
		f.auth.Dispatch(ctx, LoggedIn{a.EventMeta(u.AuthID()), provider})
	}
	return f.mark(ctx, a, provider, p, u, res)
}

// Link makes an identity one of the user who is logged in.
func (f *Feature) link(ctx context.Context, a *ginauth.Authenticator, provider string, p *Profile) error {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return err
	}
	err = f.create(ctx, a, provider, p, u, true)
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
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
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
// more, and those of Authenticator.EndOtherLogins. Ask for a fresh proof first.
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
	owner := a.Owner(u)
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	// Of parallel requests that unlink the last two, one is refused.
	switch ok, err := f.store.DeleteIdentity(limited, owner, list[n].Provider, list[n].subject, f.otherWays(u)...); {
	case err != nil:
		return nil, ginauth.Unavailable("delete identity", err)
	case !ok:
		if _, found, err := f.store.FindIdentity(limited, list[n].Provider, list[n].subject); err != nil || !found {
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
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	expired := *old
	expired.Expiry = time.Unix(1, 0)
	fresh, err := by.Refresh(ctx, &expired)
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
	_, err = f.store.UseIdentity(context.WithoutCancel(ctx), i.LastUsed, i.Owner, i.Provider, i.Subject, data)
	return fresh, ginauth.Unavailable("store token", err)
}
