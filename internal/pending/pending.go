// Package pending holds logins that wait for a second factor. A pending login is a token of its own
// kind. It opens nothing, and is used up by the login that completes it.
package pending

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/config"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

const (
	// prefix begins the text of a pending login.
	prefix = "gpl_"
	// Lifetime is how long a login waits.
	Lifetime = 10 * time.Minute
)

// slot holds the sealed token of the browser's pending login.
var slot = session.NewSlot("ginauth", "pending")

// Service begins and finds pending logins. It is safe for concurrent use.
type Service struct {
	Env    *request.Env
	Tokens *tokens.Service
	// Limiter counts guesses at factors.
	Limiter *throttle.Limiter
	// Sealer seals what the session holds: a token is nowhere at rest in clear.
	Sealer stores.Sealer
	// Page is where browsers answer challenges, or "", and Base comes before it.
	Page, Base string
	// Realms are those of the guards.
	Realms map[string]*realm.Realm
	// Challenges are the factors that features add, and Store is where they are kept, or nil.
	Challenges []factor.Challenge
	Store      stores.Factors
	// Rules say who must have a second factor.
	Rules config.Factors
}

// Show returns what a client sees of a pending login that waits for so long.
func (s *Service) Show(token string, factors []string, left time.Duration) *factor.Pending {
	p := &factor.Pending{
		Token: token, Factors: factors, ExpiresIn: int64(left / time.Second),
		TrustFor: int64(max(0, s.Rules.TrustLifetime) / time.Second),
	}
	if s.Page != "" {
		p.Page = s.Base + s.Page
	}
	return p
}

// Guard is the guard that the login is by.
type Guard struct {
	Name  string
	Realm *realm.Realm
	// Sessions says that the guard keeps logins in sessions.
	Sessions bool
}

// Login is a login that waits.
type Login struct {
	User models.Authenticatable
	By   Guard
	Facts
}

// Facts are what a pending login remembers of its first proof.
type Facts struct {
	// Confirmed says that the password was checked, Remember that the device is to be remembered, and
	// Recalled that a remember-me cookie was the first proof.
	Confirmed, Remember, Recalled bool
	// First is what was proved in place of the password, or zero.
	First factor.Proof `json:",omitzero"`
	// Bound says that the login belongs to a session.
	Bound bool
	// Attempt is the receipt of the counted attempt, or nil if none was counted.
	Attempt *throttle.Receipt
	// Fingerprint binds the login to the user's security stamp.
	Fingerprint []byte
}

// Begin stores a pending login and returns its token. A session, unless it is nil, gets a new id and
// knows the token, and nobody without the session can use the token.
func (s *Service) Begin(ctx context.Context, sess *session.Session, l Login) (string, error) {
	owner, err := l.By.Realm.TokenOwner(l.User)
	if err != nil {
		return "", err
	}
	sum := l.By.Realm.Sum(stamp.Pending, l.User)
	l.Fingerprint, l.Bound = sum[:], sess != nil
	data, err := json.Marshal(l.Facts)
	if err != nil {
		return "", err
	}
	token, now := opaque.New(), s.Env.Now()
	if sess != nil {
		if err := s.bind(sess, token.Text(prefix)); err != nil {
			return "", err
		}
	}
	end := now.Add(Lifetime)
	// A user has as many as logins by tokens, the oldest ends: a remember-me cookie makes them without being used up.
	_, err = s.Tokens.StoreNew(ctx, stores.Token{
		ID: token.ID, Family: token.Family, Kind: stores.Pending, Owner: owner, Digest: token.Digest(),
		Abilities: []string{l.By.Name}, Data: data, Created: now, Expires: end, FamilyExpires: end,
	})
	return token.Text(prefix), err
}

// bind puts a token into a session, under a new id.
func (s *Service) bind(sess *session.Session, text string) error {
	sealed, err := s.Sealer.Seal(s.Env.Now(), Lifetime, []byte(text))
	if err != nil {
		return err
	}
	if err := sess.Regenerate(); err != nil {
		return err
	}
	return sess.PutSlot(slot, []byte(sealed))
}

// inSession returns the token that a session knows, or "".
func (s *Service) inSession(sess *session.Session) string {
	if sess == nil {
		return ""
	}
	text, _, ok := s.Sealer.Open(s.Env.Now(), string(sess.Slot(slot)))
	if !ok {
		return ""
	}
	return string(text)
}

// Forget removes the pending login from a session.
func (s *Service) Forget(sess *session.Session) error {
	if sess == nil || sess.Slot(slot) == nil {
		return nil
	}
	return sess.ForgetSlot(slot)
}

// Found is a pending login that was found to live.
type Found struct {
	Login
	Owner   string
	Expires time.Time
	token   stores.Token
}

// Name names the pending login. It is not a secret.
func (f *Found) Name() string { return f.token.Family }

// Find returns the pending login of a token, or of the session if the text is "". The error is autherr.ErrInvalidToken if there is none, also if it ended.
func (s *Service) Find(ctx context.Context, sess *session.Session, text string) (*Found, error) {
	known := s.inSession(sess)
	if text == "" {
		text = known
	}
	token, ok := opaque.Parse(prefix, text)
	if !ok {
		return nil, autherr.ErrInvalidToken
	}
	found, ok, err := s.Tokens.Find(ctx, token)
	switch {
	case err != nil:
		return nil, err
	case !ok, found.Kind != stores.Pending, len(found.Abilities) != 1, !found.Consumed.IsZero(), !tokens.Lives(found, s.Env.Now()):
		return nil, autherr.ErrInvalidToken
	}
	f := &Found{Owner: found.Owner, Expires: found.Expires, token: found}
	if err := json.Unmarshal(found.Data, &f.Facts); err != nil {
		return nil, autherr.Unavailable("read pending login", err)
	}
	if f.Bound && known != text {
		return nil, autherr.ErrInvalidToken // a token that left its browser is worth nothing
	}
	f.By.Name, f.By.Sessions = found.Abilities[0], f.Bound
	if f.By.Realm = s.Realms[f.By.Name]; f.By.Realm == nil {
		return nil, autherr.ErrInvalidToken
	}
	return f, s.findUser(ctx, f)
}

// findUser loads the user, who must be the same as at the first proof.
func (s *Service) findUser(ctx context.Context, f *Found) error {
	id, owned := f.By.Realm.OwnerID(f.Owner)
	if !owned {
		return autherr.ErrInvalidToken
	}
	u, err := f.By.Realm.Check(ctx, id, stamp.Pending, f.Fingerprint)
	if err != nil {
		return s.Tokens.Refuse(ctx, err)
	}
	f.User = u
	return nil
}

// Proofs returns what was proved before the login began to wait.
func (f *Found) Proofs() factor.Proofs {
	p := factor.Proofs{First: f.First}
	if f.Confirmed {
		p.Password = f.token.Created
	}
	return p
}

// Is reports whether the pending login is of a user, by a guard.
func (f *Found) Is(guard string, u models.Authenticatable) bool {
	return f.By.Name == guard && f.User.AuthID() == u.AuthID()
}

// Use uses a pending login up. Of any number of parallel calls one returns nil.
func (s *Service) Use(ctx context.Context, f *Found) error {
	used, err := s.Tokens.Consume(ctx, f.token)
	if err == nil && !used {
		err = autherr.ErrInvalidToken
	}
	return err
}

// IgnoreMissing returns nil for the error that says that there is no such pending login.
func IgnoreMissing(err error) error {
	if errors.Is(err, autherr.ErrInvalidToken) && !errors.Is(err, autherr.ErrUnavailable) {
		return nil
	}
	return err
}
