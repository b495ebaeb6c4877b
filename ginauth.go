package ginauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/accounts"
	"github.com/ginauth/ginauth/internal/background"
	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/dispatch"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/ginwriter"
	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/passwords"
	"github.com/ginauth/ginauth/internal/pending"
	"github.com/ginauth/ginauth/internal/preflight"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/remember"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/seal"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/settings"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/jwt"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// Manager is the application object: configuration, stores, guards and gate. One Manager serves a whole application.
// It is safe for concurrent use.
type Manager struct {
	cfg     Config
	env     *request.Env
	stores  stores.Set
	cookies cookies.Config
	memory  bool // all stores are in memory
	owned   bool // New made the stores
	keyless bool // the key was generated for this process
	pages   bool // any page is configured

	guards       map[string]*guardEntry
	marks        keys.Subkeys // of the application in its stores
	defaultGuard *guardEntry
	gate         *Gate
	origins      *request.Origins
	intended     *seal.Sealer
	usage        preflight.Usage
	live         ginwriter.Live
	features     features
	stamps       *stamp.Binder

	hasher    *hashing.Manager
	passwords *passwords.Service
	sessions  *session.Engine
	limiter   *throttle.Limiter
	jwt       *jwt.Service
	tokens    *tokens.Service
	remember  *remember.Service
	accounts  *accounts.Service
	pending   *pending.Service
	mails     *accounts.Mails // nil without a Mailer

	closed   sync.Once
	closeErr error
}

// New returns a Manager, or all faults of the configuration at once, each wrapping ErrConfig. Close the Manager when
// the application ends.
func New(config Config) (*Manager, error) {
	cfg := config.withDefaults()
	var f faults.List
	cfg.check(&f)
	m := &Manager{cfg: cfg, stores: cfg.Stores, gate: NewGate(), keyless: cfg.Key == "", pages: settings.HasPages(&cfg.Pages)}
	m.env = &request.Env{
		Now: cfg.Now, Log: cfg.Logger, StoreTimeout: cfg.StoreTimeout, Background: background.New(cfg.Logger),
		Events: dispatch.New(dispatch.Config{Log: cfg.Logger, Queue: cfg.EventQueue, Audit: cfg.Audit}),
	}
	m.memory = cfg.Stores == (stores.Set{}) || settings.InMemory(cfg.Stores)
	m.cookies = settings.Cookie(&cfg.Session.Cookie)
	ring := settings.Ring(&f, cfg.Key, cfg.PreviousKeys, m.memory)
	signing := jwt.Set(ring, cfg.JWT.SigningKey, cfg.JWT.VerifyingKeys, &f)
	m.origins = settings.CrossOrigin(&f, &cfg.CrossOrigin)
	if proxies := settings.TrustedProxies(&f, cfg.TrustedProxies, cfg.ClientIP != nil); proxies != nil {
		m.cfg.ClientIP = func(c *gin.Context) string { return proxies.Client(c.Request) }
	}
	m.hasher, m.passwords = settings.Passwords(&f, m.env, cfg.Hashing, &cfg.Passwords, cfg.Mail.AppName)
	if m.stores == (stores.Set{}) {
		m.stores, m.owned = memstore.New(memstore.Options{Now: cfg.Now}), true
	}
	m.stamps = stamp.New(ring.Derive("security stamp"))
	m.marks = ring.Derive("application")
	m.setupFeatures(ring, &f)
	settings.Factors(&f, &cfg.Factors, len(m.features.challenges) > 0)
	m.makeGuards(&f)
	if len(f) == 0 {
		m.mails = accounts.NewMails(m.env, cfg.Mail.Mailer, cfg.Mail.Queue, cfg.Mail.Templates, settings.Accounts(&cfg.Account, &cfg.Mail).Mail, &f)
	}
	if len(f) == 0 {
		m.makeEngines(ring, signing)
	}
	if len(f) > 0 {
		return nil, errors.Join(f.Err(), m.Close(context.Background()))
	}
	m.cfg.Key, m.cfg.PreviousKeys = "", nil // not needed again
	m.cfg.JWT.SigningKey, m.cfg.JWT.VerifyingKeys = jwt.Key{}, nil
	m.gate.SetReporter(m.logDenial)
	if !m.memory && cfg.Session.PruneInterval > 0 { // stores in memory prune themselves
		m.env.Prune(cfg.Session.PruneInterval, m.stores)
	}
	m.env.Background.Start()
	return m, nil
}

// makeEngines makes the engines. Each purpose has keys of its own, so that a value made for one is refused for every other.
func (m *Manager) makeEngines(ring *keys.Ring, signing *jws.Set) {
	cfg := &m.cfg
	m.intended = seal.New(ring.Derive("intended url"))
	realms, all := make(map[string]string, len(m.guards)), make(map[string]*realm.Realm, len(m.guards))
	for name, g := range m.guards {
		all[name] = g.realm
		if _, inSession := g.Guard.(*sessionGuard); inSession {
			realms[name] = g.realm.Name
		}
	}
	m.sessions = session.New(m.env, m.stores, session.Config{
		IdleTimeout: cfg.Session.IdleTimeout, AbsoluteTimeout: cfg.Session.AbsoluteTimeout,
		TouchInterval: cfg.Session.TouchInterval, MaxPerUser: cfg.Session.MaxPerUser,
		Cookie: cfg.Session.Cookie.Name, Realms: realms, WithUser: settings.WithUser(m.stores.Sessions, cfg.Users),
		FormKeys: ring.Derive("form token"), Sealer: seal.New(ring.Derive("session cookie")),
		Flash: seal.New(ring.Derive("carried flash")),
	})
	m.limiter = throttle.New(m.env, m.stores.Limiter, settings.Limiter(&cfg.Throttle, ring))
	tokenConfig := settings.Tokens(&cfg.JWT, &cfg.Refresh, &cfg.PersonalTokens, &cfg.Account)
	tokenConfig.Enrolment = cfg.Factors.Required != nil
	tokenConfig.Successors = ring.Derive("token successor")
	m.tokens = tokens.New(m.env, m.stores.Tokens, signing, tokenConfig)
	m.jwt = jwt.New(m.tokens)
	m.pending = &pending.Service{
		Env: m.env, Tokens: m.tokens, Limiter: m.limiter, Sealer: seal.New(ring.Derive("pending login")),
		Page: cfg.Pages.SecondFactor, Base: cfg.BasePath, Realms: all, Rules: cfg.Factors,
		Challenges: m.features.challenges, Store: m.stores.Factors,
	}
	m.remember = &remember.Service{Env: m.env, Sessions: m.sessions, Tokens: m.tokens, Config: settings.Remember(&cfg.Session, &cfg.Account)}
	m.accounts = &accounts.Service{
		Env: m.env, Config: settings.Accounts(&cfg.Account, &cfg.Mail).WithKeys(ring), Sessions: m.sessions, Tokens: m.tokens,
		Limiter: m.limiter, Passwords: m.passwords, Mails: m.mails, OnRevoke: m.revokeFeatures,
	}
}

// Gate returns the gate, to register abilities and policies with. It has no user: a request's gate is on the
// gin.Context under "gate".
func (m *Manager) Gate() *Gate { return m.gate }

// Hasher returns the password hasher.
func (m *Manager) Hasher() *hashing.Manager { return m.hasher }

// Format writes the type's name: a Manager holds secrets.
func (*Manager) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("ginauth.Manager")) }

// Close waits until the listeners have had all events, stops the background work, and closes the stores if New made
// them. It gives up, with the context's error, when ctx ends. All requests must have ended before.
func (m *Manager) Close(ctx context.Context) error {
	m.closed.Do(func() {
		m.env.Background.Close()
		if m.mails != nil {
			m.closeErr = m.mails.Queue.Close(ctx)
		}
		m.closeErr = errors.Join(m.closeErr, m.env.Events.Close(ctx))
		if m.owned {
			m.closeErr = errors.Join(m.closeErr, m.stores.Close())
		}
	})
	return m.closeErr
}

// mustGuard returns the guard of that name. It panics if there is none, because a wrong name is a fault of the program.
func (m *Manager) mustGuard(name string) *guardEntry {
	g, ok := m.guards[name]
	if !ok {
		panic(fmt.Sprintf("ginauth: no guard is named %q; there are: %s", name, strings.Join(m.guardNames(), ", ")))
	}
	return g
}

// guardOr returns the guard that an optional name names, or the default guard.
func (m *Manager) guardOr(name []string) *guardEntry {
	if len(name) == 0 {
		return m.defaultGuard
	}
	return m.mustGuard(name[0])
}

func (m *Manager) guardNames() []string { return slices.Sorted(maps.Keys(m.guards)) }

// defaultManager is the manager of the package-level middlewares.
var defaultManager atomic.Pointer[Manager]

// Default returns the manager of the package-level middlewares: the one given to SetDefault, or else one made from
// the zero Config, which keeps everything in memory.
func Default() *Manager {
	if m := defaultManager.Load(); m != nil {
		return m
	}
	m, err := New(Config{})
	if err != nil {
		panic(fmt.Sprintf("ginauth: the zero Config: %v", err)) // it has no faults
	}
	if defaultManager.CompareAndSwap(nil, m) {
		return m
	}
	_ = m.Close(context.Background())
	return defaultManager.Load()
}

// SetDefault makes m the manager of the package-level middlewares. It panics if there is one already: call it once,
// before the first middleware is registered, because a middleware keeps the manager that it was made with.
func SetDefault(m *Manager) {
	if m == nil {
		panic("ginauth: SetDefault: manager is nil")
	}
	if old := defaultManager.Load(); old != m && !defaultManager.CompareAndSwap(nil, m) {
		panic("ginauth: SetDefault after the default manager was used: call New, SetDefault, and then register middlewares")
	}
}

// StartSession is the default manager's StartSession; see (*Manager).StartSession.
func StartSession() gin.HandlerFunc { return Default().StartSession() }

// Auth is the default manager's Auth; see (*Manager).Auth.
func Auth(guards ...string) gin.HandlerFunc { return Default().Auth(guards...) }

// Guest is the default manager's Guest; see (*Manager).Guest.
func Guest(guards ...string) gin.HandlerFunc { return Default().Guest(guards...) }

// Authorize is the default manager's Authorize; see (*Manager).Authorize.
func Authorize(ability string, resource ...any) gin.HandlerFunc {
	return Default().Authorize(ability, resource...)
}

// EnsureEmailVerified is the default manager's EnsureEmailVerified; see (*Manager).EnsureEmailVerified.
func EnsureEmailVerified() gin.HandlerFunc { return Default().EnsureEmailVerified() }

// ConfirmPassword is the default manager's ConfirmPassword; see (*Manager).ConfirmPassword.
func ConfirmPassword() gin.HandlerFunc { return Default().ConfirmPassword() }

// ThrottleLogins is the default manager's ThrottleLogins; see (*Manager).ThrottleLogins.
func ThrottleLogins(options ...ThrottleOption) gin.HandlerFunc {
	return Default().ThrottleLogins(options...)
}

// Basic is the default manager's Basic; see (*Manager).Basic.
func Basic(options ...BasicOption) gin.HandlerFunc { return Default().Basic(options...) }

// RequireAbilities is the default manager's RequireAbilities; see (*Manager).RequireAbilities.
func RequireAbilities(abilities ...string) gin.HandlerFunc {
	return Default().RequireAbilities(abilities...)
}

// RequireAnyAbility is the default manager's RequireAnyAbility; see (*Manager).RequireAnyAbility.
func RequireAnyAbility(abilities ...string) gin.HandlerFunc {
	return Default().RequireAnyAbility(abilities...)
}

// RequireAbilitiesOrLogin is the default manager's RequireAbilitiesOrLogin; see (*Manager).RequireAbilitiesOrLogin.
func RequireAbilitiesOrLogin(abilities ...string) gin.HandlerFunc {
	return Default().RequireAbilitiesOrLogin(abilities...)
}

// RequireAnyAbilityOrLogin is the default manager's RequireAnyAbilityOrLogin; see (*Manager).RequireAnyAbilityOrLogin.
func RequireAnyAbilityOrLogin(abilities ...string) gin.HandlerFunc {
	return Default().RequireAnyAbilityOrLogin(abilities...)
}

// JWKS is the default manager's JWKS; see (*Manager).JWKS.
func JWKS() gin.HandlerFunc { return Default().JWKS() }

// Recovery is the default manager's Recovery; see (*Manager).Recovery.
func Recovery() gin.HandlerFunc { return Default().Recovery() }
