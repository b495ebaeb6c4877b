package ginauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/passpolicy"
	"github.com/ginauth/ginauth/internal/recent"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// Manager is the application object: configuration, stores, guards, gate. One
// serves a whole application. It is safe for concurrent use.
type Manager struct {
	cfg     Config
	log     *slog.Logger
	stores  stores.Set
	keeper  sessionKeeper
	memory  bool // all stores are in memory
	owned   bool // and were made here
	keyless bool // the key was made up for this process
	subkeys subkeys
	// fingerprints are those of security stamps under the current key, and
	// windows those of addresses.
	fingerprints *recent.Results[bond, stores.Digest]
	windows      *recent.Results[addressLimit, stores.Window]
	hasher       *hashing.Manager
	guards       map[string]*namedGuard
	// defaultGuard is the one of Config.DefaultGuard.
	defaultGuard *namedGuard
	gate         *Gate
	events       dispatcher
	origins      *http.CrossOriginProtection
	usage        usage
	jwt          *JWT
	touches      touches

	passwords  *passpolicy.Policy
	mails      *mail.Queue // nil without a mailer
	templates  *mail.Templates
	background background

	stopPruning context.CancelFunc
	pruning     sync.WaitGroup
	closed      sync.Once
	closeErr    error
}

// New returns a Manager, or all faults of the configuration at once, each
// wrapping ErrConfig. Close the Manager when the application ends.
func New(config Config) (*Manager, error) {
	cfg := config.withDefaults()
	var f faults
	cfg.check(&f)
	m := &Manager{cfg: cfg, log: cfg.Logger, stores: cfg.Stores, gate: NewGate()}
	m.memory = cfg.Stores == (stores.Set{}) || inMemory(cfg.Stores)
	ring := cfg.ring(m.memory, &f)

	var err error
	if m.hasher, err = hashing.New(cfg.Hashing); err != nil {
		f.add("Hashing", "%v", err)
	}
	m.origins = cfg.CrossOrigin.protection(&f)
	m.passwords = cfg.passwordPolicy(&f)
	m.jwt = newJWT(m, cfg.JWT.keySet(ring, &f))
	m.makeGuards(&f)
	m.defaultGuard = m.guards[cfg.DefaultGuard]
	if len(f) > 0 {
		return nil, f.err()
	}

	m.subkeys = deriveSubkeys(ring)
	m.fingerprints = recent.New[bond, stores.Digest](knownFingerprints)
	m.windows = recent.New[addressLimit, stores.Window](knownAddresses)
	m.keyless = cfg.Key == ""
	m.cfg.Key, m.cfg.PreviousKeys = "", nil // not needed again
	m.cfg.JWT.SigningKey, m.cfg.JWT.VerifyingKeys = JWTKey{}, nil
	if m.stores == (stores.Set{}) {
		m.stores, m.owned = memstore.New(memstore.Options{Now: cfg.Now}), true
	}
	m.keeper = m.newKeeper()
	m.events = dispatcher{log: cfg.Logger, size: cfg.EventQueue}
	m.gate.SetReporter(m.logDenial)
	m.background.log = cfg.Logger
	if err := m.openMail(); err != nil {
		return nil, err
	}
	m.startPruning()
	return m, nil
}

// Gate returns the gate, to register abilities and policies with. Its own user
// is a guest; a request's gate is on its context under "gate".
func (m *Manager) Gate() *Gate { return m.gate }

// Hasher returns what hashes passwords.
func (m *Manager) Hasher() *hashing.Manager { return m.hasher }

// Format writes the type's name: a Manager knows secrets.
func (*Manager) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("ginauth.Manager")) }

// Close waits until all events were delivered, stops what runs in the
// background, and closes the stores if they were made by New. It gives up, with
// the context's error, when ctx ends. Requests must have ended before.
func (m *Manager) Close(ctx context.Context) error {
	m.closed.Do(func() {
		m.stopPruning()
		m.pruning.Wait()
		m.touches.close()
		m.background.close()
		if m.mails != nil {
			m.closeErr = m.mails.Close(ctx)
		}
		m.closeErr = errors.Join(m.closeErr, m.events.close(ctx))
		if m.owned {
			m.closeErr = errors.Join(m.closeErr, m.stores.Close())
		}
	})
	return m.closeErr
}

// startPruning deletes expired records from time to time.
func (m *Manager) startPruning() {
	ctx, cancel := context.WithCancel(context.Background())
	m.stopPruning = cancel
	var pruners []stores.Pruner
	for _, store := range []any{m.stores.Sessions, m.stores.ClientSessions, m.stores.Tokens, m.stores.Limiter} {
		if p, ok := store.(stores.Pruner); ok {
			pruners = append(pruners, p)
		}
	}
	// Stores in memory look after themselves.
	if m.memory || len(pruners) == 0 || m.cfg.Session.PruneInterval < 0 {
		return
	}
	m.pruning.Go(func() {
		ticker := time.NewTicker(m.cfg.Session.PruneInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			for _, p := range pruners {
				if err := m.prune(ctx, p); err != nil && ctx.Err() == nil {
					m.log.Warn("ginauth: expired records not deleted", "error", err)
				}
			}
		}
	})
}

// prune turns a panic of a store into an error: it must not end the process.
func (m *Manager) prune(ctx context.Context, p stores.Pruner) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errStorePanic
		}
	}()
	_, err = p.Prune(ctx, m.now())
	return err
}

var errStorePanic = errors.New("ginauth: a store panicked")

func (m *Manager) now() time.Time { return m.cfg.Now() }

// mustGuard returns the guard of that name. A wrong name is a slip in the
// program, found where the program says it.
func (m *Manager) mustGuard(name string) *namedGuard {
	g, ok := m.guards[name]
	if !ok {
		panic(fmt.Sprintf("ginauth: no guard is named %q; there are: %s", name, strings.Join(m.guardNames(), ", ")))
	}
	return g
}

func (m *Manager) guardNames() []string { return slices.Sorted(maps.Keys(m.guards)) }

// defaultManager is what the package-level middlewares use.
var defaultManager atomic.Pointer[Manager]

// Default returns the manager that the package-level middlewares use: the one
// given to SetDefault, or else one with the zero Config, which keeps everything
// in memory.
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

// SetDefault makes m the manager of the package-level middlewares. It panics if
// there is one already: call it once, before the first middleware is
// registered, because a middleware belongs to the manager it was made with.
func SetDefault(m *Manager) {
	if m == nil {
		panic("ginauth: SetDefault: manager is nil")
	}
	if old := defaultManager.Load(); old != m && !defaultManager.CompareAndSwap(nil, m) {
		panic("ginauth: SetDefault after the default manager was used: call New, SetDefault, and then register middlewares")
	}
}

// StartSession gives the request a session; see (*Manager).StartSession.
func StartSession() gin.HandlerFunc { return Default().StartSession() }

// ConfirmPassword lets only users pass who gave their password lately; see
// (*Manager).ConfirmPassword.
func ConfirmPassword() gin.HandlerFunc { return Default().ConfirmPassword() }

// Recovery answers 500 to a panic; see (*Manager).Recovery.
func Recovery() gin.HandlerFunc { return Default().Recovery() }

// Auth lets only users pass; see (*Manager).Auth.
func Auth(guards ...string) gin.HandlerFunc { return Default().Auth(guards...) }

// Guest lets only guests pass; see (*Manager).Guest.
func Guest(guards ...string) gin.HandlerFunc { return Default().Guest(guards...) }

// Authorize lets only those pass who may; see (*Manager).Authorize.
func Authorize(ability string, resource ...any) gin.HandlerFunc {
	return Default().Authorize(ability, resource...)
}

// EnsureEmailVerified lets only users with a verified address pass; see
// (*Manager).EnsureEmailVerified.
func EnsureEmailVerified() gin.HandlerFunc { return Default().EnsureEmailVerified() }

// Basic lets only users pass who send their password; see (*Manager).Basic.
func Basic(options ...BasicOption) gin.HandlerFunc { return Default().Basic(options...) }

// RequireAbilities lets only tokens pass that have all of the abilities; see
// (*Manager).RequireAbilities.
func RequireAbilities(abilities ...string) gin.HandlerFunc {
	return Default().RequireAbilities(abilities...)
}

// RequireAnyAbility lets only tokens pass that have one of the abilities; see
// (*Manager).RequireAnyAbility.
func RequireAnyAbility(abilities ...string) gin.HandlerFunc {
	return Default().RequireAnyAbility(abilities...)
}

// RequireAbilitiesOrLogin is RequireAbilities that lets logged-in users pass as
// well; see (*Manager).RequireAbilitiesOrLogin.
func RequireAbilitiesOrLogin(abilities ...string) gin.HandlerFunc {
	return Default().RequireAbilitiesOrLogin(abilities...)
}

// RequireAnyAbilityOrLogin is RequireAnyAbility that lets logged-in users pass
// as well; see (*Manager).RequireAnyAbilityOrLogin.
func RequireAnyAbilityOrLogin(abilities ...string) gin.HandlerFunc {
	return Default().RequireAnyAbilityOrLogin(abilities...)
}

// JWKS serves the public keys of signed tokens; see (*Manager).JWKS.
func JWKS() gin.HandlerFunc { return Default().JWKS() }

// ThrottleLogins refuses addresses that are locked; see
// (*Manager).ThrottleLogins.
func ThrottleLogins(options ...ThrottleOption) gin.HandlerFunc {
	return Default().ThrottleLogins(options...)
}
