package social

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

const (
	// storeTime is how long a call of limits, tokens or sessions may take. Those of identities have Config.StoreTimeout.
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
	if _, ok := u.(models.Stamped); !ok {
		return ""
	}
	sum := sha256.Sum256([]byte("social " + models.Birth(u)))
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

// clip returns a text of a provider without control characters, as far as maxText bytes of it go.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.ToValidUTF8(s[:min(len(s), maxText)], "") // no half of a character
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
	if err := f.insert(ctx, a, provider, p, u); err != nil {
		return err
	}
	f.tell(ctx, a, provider, u, existed)
	return nil
}

// tell tells that an identity was linked.
func (f *Feature) tell(ctx context.Context, a *ginauth.Authenticator, provider string, u models.Authenticatable, existed bool) {
	f.auth.Dispatch(ctx, IdentityLinked{a.EventMeta(u.AuthID()), provider})
	if existed {
		a.TellFactor(ctx, u, mail.IdentityLinked)
	}
}

// insert stores the identity of a user.
func (f *Feature) insert(ctx context.Context, a *ginauth.Authenticator, provider string, p *Profile, u models.Authenticatable) error {
	r := f.record(provider, p, a.Owner(u))
	r.Print = printOf(u)
	data, err := f.encode(r)
	if err != nil {
		return err
	}
	err = f.store.CreateIdentity(ctx, stores.Identity{
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
