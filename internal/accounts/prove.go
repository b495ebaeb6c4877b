package accounts

import (
	"context"
	"errors"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/passwords"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/models"
)

// Proof is a password that was found to be right.
type Proof struct {
	User    models.Authenticatable
	Attempt *throttle.Attempt

	s        *Service
	r        *request.State
	realm    *realm.Realm
	password string
}

// Prove checks the credentials of a login. The order matters: the attempt is counted before the
// user is looked up and before the password is hashed, so that a refused attempt costs nothing,
// and every later answer has cost one hash. A user who does not meet the condition, which may be
// nil, is refused like a wrong password. The caller calls Done of the attempt.
func (s *Service) Prove(
	ctx context.Context, r *request.State, rm *realm.Realm, guard string, given map[string]any,
	condition func(models.Authenticatable) bool, lim *throttle.Limits,
) (*Proof, error) {
	c, err := passwords.Parse(rm, given)
	if err != nil {
		return nil, err
	}
	p := &Proof{s: s, r: r, realm: rm, password: c.Password}
	p.Attempt, err = s.Limiter.Reserve(ctx, r, guard, s.Limiter.Subject(r, rm, c.Field, c.Canonical, c.Device), lim)
	if err != nil {
		return nil, err
	}
	proved := false
	defer func() {
		if !proved {
			p.Attempt.Done()
		}
	}()
	s.Env.Dispatch(ctx, events.Attempting{Meta: p.Attempt.Meta("")})
	if p.User, err = p.Attempt.LookUp(ctx, rm, c.Field, c.Canonical); err != nil {
		return nil, err
	}
	ok, err := s.Passwords.Matches(passwords.For(ctx, r.Remote), p.User, c.Password)
	if errors.Is(err, hashing.ErrBusy) {
		// Nothing was compared: a flood of logins must not lock honest users out for longer
		// than it lasts.
		err = errors.Join(err, p.Attempt.Release(ctx))
	}
	if err != nil {
		return nil, err
	}
	if !ok || realm.Disabled(p.User) || (condition != nil && !condition(p.User)) {
		return nil, p.Refuse(ctx)
	}
	proved = true
	return p, nil
}

// Refuse reports the attempt as failed and returns autherr.ErrInvalidCredentials.
func (p *Proof) Refuse(ctx context.Context) error {
	id := ""
	if p.User != nil {
		id = p.User.AuthID()
	}
	p.s.Env.Dispatch(ctx, events.Failed{Meta: p.Attempt.Meta(id)})
	return autherr.ErrInvalidCredentials
}

// Rehash replaces an outdated hash.
func (p *Proof) Rehash(ctx context.Context) {
	if p.password != "" { // it was checked in this request
		p.s.Passwords.Rehash(passwords.For(p.r.Within(ctx), p.r.Remote), p.realm, p.User, p.password)
	}
}

// Resume returns the proof that an earlier request made, which kept the receipt of its attempt.
func (s *Service) Resume(
	r *request.State, rm *realm.Realm, guard string, u models.Authenticatable, receipt throttle.Receipt,
) *Proof {
	return &Proof{User: u, Attempt: s.Limiter.Resume(r, guard, rm, u, receipt), s: s, r: r, realm: rm}
}

// Succeed clears the account's counts and replaces an outdated hash.
func (p *Proof) Succeed(ctx context.Context) error {
	if err := p.Attempt.Succeed(ctx); err != nil {
		return err
	}
	p.Rehash(ctx)
	p.s.Env.Dispatch(ctx, events.Authenticated{Meta: p.Attempt.Meta(p.User.AuthID())})
	return nil
}
