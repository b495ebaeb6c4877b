package ginauth

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/seal"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/stores"
)

// Feature adds something to a Manager, such as a second factor. It is a value in Config.Features.
type Feature interface {
	// Name names the feature in its keys, its session values and in configuration errors: 1 to 64 letters, digits and
	// hyphens. No two features have the same name.
	Name() string
	// Setup is called once by New, before the guards are made. An error is a configuration error.
	Setup(s *Setup) error
}

// LoginCheck decides about a login after the first proof of the user and before anything is issued. It may change the
// request's Remember. An error refuses the login: one that wraps ErrInvalidCredentials looks like a wrong password,
// others are returned to the caller of Attempt or Login.
type LoginCheck func(ctx context.Context, a *Authenticator, r *LoginRequest) error

// Setup is what a Feature is set up with. It is valid only during the call of Feature.Setup.
type Setup struct {
	m    *Manager
	name string
	ring *keys.Ring
	f    *faults.List
}

// features are the hooks of features, in the order of Config.Features.
type features struct {
	before     []LoginCheck
	challenges []Challenge
	after      []func(ctx context.Context, a *Authenticator, p *proof, res *LoginResult)
	revoke     []func(ctx context.Context, realm, userID string) error
	preflight  []func(context.Context) []Finding
}

// setupFeatures sets up what is built in, and then the configured features.
func (m *Manager) setupFeatures(ring *keys.Ring, f *faults.List) {
	m.features.before = append(m.features.before, m.refuseUnverified)
	m.features.after = append(m.features.after, m.rememberDevice)
	names := make(map[string]bool)
	for i, feature := range m.cfg.Features {
		if feature == nil {
			f.Add(fmt.Sprintf("Features[%d]", i), "is nil")
			continue
		}
		s := &Setup{m, feature.Name(), ring, f}
		if !faults.IsName(s.name) {
			s.fault("is not a name of 1 to 64 letters, digits and hyphens")
		} else if names[s.name] {
			s.fault("is the name of two features")
		} else if err := feature.Setup(s); err != nil {
			s.fault("%v", err)
		}
		names[s.name] = true
	}
}

func (s *Setup) fault(format string, args ...any) {
	s.f.Add(fmt.Sprintf("Features[%q]", request.Cut(s.name, 64)), format, args...)
}

// Manager returns the manager. It is not complete yet: keep it, and use it when requests come.
func (s *Setup) Manager() *Manager { return s.m }

// Stores returns the stores of the application. Each call of Factors and Identities has Config.StoreTimeout.
func (s *Setup) Stores() stores.Set { return deadline.Stores(s.m.stores, s.m.cfg.StoreTimeout) }

// Clock returns Config.Now.
func (s *Setup) Clock() func() time.Time { return s.m.cfg.Now }

// Sealer returns a Sealer for a purpose of the feature. Its keys are derived from the application's keys and rotate
// with them. No other feature or purpose can open what it seals.
func (s *Setup) Sealer(purpose string) stores.Sealer {
	return seal.New(s.ring.Derive("feature " + s.name + " " + purpose))
}

// SessionSlot returns a slot for a value of the feature in each session. The application can neither read nor change it.
func (s *Setup) SessionSlot(key string) SessionSlot { return SessionSlot{session.NewSlot(s.name, key)} }

// Guard adds a guard, as Config.Guards does. A name that is taken is a configuration error.
func (s *Setup) Guard(name string, c GuardConfig) {
	if _, taken := s.m.cfg.Guards[name]; taken {
		s.fault("adds a guard %q, which there is already", request.Cut(name, 64))
	}
	s.m.cfg.Guards[name] = c
}

// BeforeLogin adds a check of every login, also of one by a remember-me cookie, which has Remember and not Confirmed. A
// refusal then leaves the request anonymous and the device remembered, and a change of Remember has no effect. A refresh
// token continues a login. The check has the time of Config.StoreTimeout.
func (s *Setup) BeforeLogin(check LoginCheck) {
	s.m.features.before = append(s.m.features.before, func(ctx context.Context, a *Authenticator, r *LoginRequest) error {
		ctx, span := a.x.Span(ctx)
		defer span.End()
		return check(ctx, a, r)
	})
}

// Challenge adds a second factor. Every login of a user who has it is pending until Authenticator.AnswerChallenge: by a
// password, by Login, and by a remember-me cookie. Two factors of one name are a configuration error.
func (s *Setup) Challenge(c Challenge) {
	others := s.m.features.challenges
	if !faults.IsName(c.Name) || c.Has == nil || slices.ContainsFunc(others, func(o Challenge) bool { return o.Name == c.Name }) {
		s.fault("adds a challenge %q without a name of its own, or without Has", request.Cut(c.Name, 64))
	}
	if _, err := factor.ParseMethods(c.Methods...); err != nil {
		s.fault("adds a challenge %q: %v", c.Name, err)
	}
	s.m.features.challenges = append(others, c)
}

// AfterLogin adds a hook that runs after a guard has made a login, before the response. The login is stored when the
// response begins: a hook that must not run for a login that is never stored listens to events.Login.
func (s *Setup) AfterLogin(hook func(ctx context.Context, a *Authenticator, res *LoginResult)) {
	s.m.features.after = append(s.m.features.after,
		func(ctx context.Context, a *Authenticator, _ *proof, res *LoginResult) { hook(ctx, a, res) })
}

// OnRevoke adds a hook that Manager.RevokeUser calls to end what the feature has issued to a user. Realm and user
// identifier name the user. An error makes RevokeUser fail, after the other hooks have run.
func (s *Setup) OnRevoke(hook func(ctx context.Context, realm, userID string) error) {
	s.m.features.revoke = append(s.m.features.revoke, hook)
}

// Preflight adds a check of Manager.Preflight.
func (s *Setup) Preflight(check func(context.Context) []Finding) {
	s.m.features.preflight = append(s.m.features.preflight, check)
}

// InsecureBypass returns what adds to CrossOrigin.InsecureBypassPatterns, for an endpoint that other sites post to.
func (s *Setup) InsecureBypass() func(pattern string) error { return s.m.origins.Bypass }

// Every runs a job of the feature at intervals, off the requests, from the end of New until Manager.Close. An error
// and a panic are logged.
func (s *Setup) Every(interval time.Duration, job func(context.Context) error) {
	s.f.AtLeast(1, map[string]time.Duration{fmt.Sprintf("Features[%q]: Every", s.name): interval})
	s.m.env.Background.Every(interval, "feature "+s.name, job)
}

// SessionSlot is a value of a feature in each session. A login of another user by the same guard removes it.
type SessionSlot struct{ slot session.Slot }

// Get returns the value, or nil if the session has none. A failure makes the request fail, as for Session.Get.
func (s SessionSlot) Get(in *Session) []byte { return in.s.Slot(s.slot) }

// Put sets the value. The errors are those of Session.Put.
func (s SessionSlot) Put(in *Session, value []byte) error { return in.s.PutSlot(s.slot, value) }

// Forget removes the value. The errors are those of Session.Forget.
func (s SessionSlot) Forget(in *Session) error { return in.s.ForgetSlot(s.slot) }

// refuseUnverified refuses a user whose address is not verified, where Config.Account.HideAccountExistence asks for
// that. A login that the application makes itself is not refused.
func (m *Manager) refuseUnverified(_ context.Context, _ *Authenticator, r *LoginRequest) error {
	if r.Confirmed && m.accounts.Unproved(r.User) {
		return ErrInvalidCredentials
	}
	return nil
}

// rememberDevice makes the device known to the account, and sends a mail if it was not known before. API clients keep
// no cookies and get a token.
func (m *Manager) rememberDevice(ctx context.Context, a *Authenticator, p *proof, res *LoginResult) {
	if p.password == nil {
		return
	}
	subject, rm := p.password.Attempt.Subject, a.current().realm
	if res.Tokens != nil {
		res.Tokens.DeviceToken = m.limiter.DeviceToken(&a.x.State, rm, subject, p.request.User)
		return
	}
	if m.cfg.Mail.NotifyNewDevice && subject.Device == nil {
		m.mails.TellNewDevice(ctx, &a.x.State, p.request.User)
	}
	m.limiter.RememberDevice(&a.x.State, rm, subject, p.request.User)
}
