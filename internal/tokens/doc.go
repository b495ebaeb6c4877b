// Package tokens holds the engine of tokens: signed access tokens, refresh tokens that
// rotate, personal access tokens and their revocation.
package tokens

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/recent"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// The prefixes of opaque tokens. The prefix of personal access tokens is configured.
const (
	RefreshPrefix  = "grt_"
	RememberPrefix = "grm_"
	ResetPrefix    = "gpr_"
)

// MaxLength is the longest token that is looked at, in bytes. Longer ones are refused
// before they are decoded.
const MaxLength = 8 << 10

// Config configures a Service. The root package documents the fields.
type Config struct {
	Issuer                       string
	Audiences                    []string // at least one, which comes first
	Lifetime, Leeway             time.Duration
	Claims                       func(ctx context.Context, u models.Authenticatable) (any, error)
	IgnoreRevocationOutage       bool
	Enrolment                    bool // users may have to enrol a second factor
	RefreshIdle, RefreshAbsolute time.Duration
	RefreshGrace, RememberGrace  time.Duration
	RetryUnused                  time.Duration // how long an unused refresh token is given again, or 0
	MaxRotations                 int           // of one family
	RotationsPer                 time.Duration // the time that MaxRotations is for
	PersonalPrefix               string
	PersonalLifetime             time.Duration
	// How many families of each kind one owner has at most.
	MaxRefresh, MaxRemember, MaxPersonal int
	// Successors derives what replaces a token from the token.
	Successors keys.Subkeys
}

// Service makes, checks and revokes tokens. It is safe for concurrent use.
type Service struct {
	env     *request.Env
	store   stores.Tokens
	limited stores.TokenLimit // nil if the store cannot limit the tokens of a user
	// inProcess says that the store waits for nothing: to ask it beside others would gain nothing.
	inProcess bool
	cfg       Config
	set       *jws.Set
	seen      *jws.Cache
	lastUsed  lastUsed
	// delivered are access tokens whose use is recorded already, or nil if it is not recorded.
	delivered *recent.Results[string, struct{}]
}

// New returns a Service that signs with a set of keys.
func New(env *request.Env, store stores.Tokens, set *jws.Set, cfg Config) *Service {
	limited, _ := store.(stores.TokenLimit)
	_, inProcess := store.(stores.InProcess)
	s := &Service{env: env, store: store, limited: limited, inProcess: inProcess, cfg: cfg, set: set, seen: jws.NewCache(set)}
	if cfg.RetryUnused > 0 {
		s.delivered = recent.New[string, struct{}](maxDelivered)
	}
	return s
}

// JWKS returns the public keys as a JSON Web Key Set.
func (s *Service) JWKS() []byte { return s.set.JWKS() }

// Guard is a guard whose logins are tokens.
type Guard struct {
	Name  string
	Realm *realm.Realm
	// purpose distinguishes the guard's access tokens from those of another guard of
	// the same users, which may check more than this one.
	purpose stamp.Purpose
	// abilities name the guard in its refresh tokens. The slice is shared and must
	// not be changed.
	abilities []string
}

// NewGuard returns a Guard.
func NewGuard(name string, rm *realm.Realm) Guard {
	return Guard{Name: name, Realm: rm, purpose: stamp.Access + stamp.Purpose(" "+name), abilities: []string{name}}
}

// Why a token is refused, beside the errors of package realm. The log says which; a
// client is not told.
var (
	errShape        = errors.New("has another shape")
	errUnknownToken = errors.New("is not known")
	errForeignToken = errors.New("is of another kind or of another guard's user")
	errRevoked      = errors.New("is revoked")
	// ErrEnded says that the login which a token is of has ended.
	ErrEnded = errors.New("is of a login that ended")
)

// Refuse logs why a token is refused and returns what a client may know:
// autherr.ErrInvalidToken, or the reason itself if it is an outage or a limit.
func (s *Service) Refuse(ctx context.Context, reason error) error {
	if errors.Is(reason, autherr.ErrUnavailable) || errors.Is(reason, autherr.ErrThrottled) {
		return reason
	}
	s.env.Log.LogAttrs(ctx, slog.LevelInfo, "ginauth: token refused", slog.String("reason", request.Cut(reason.Error(), 256)))
	return autherr.ErrInvalidToken
}

// Revoke ends a token that its holder hands in (RFC 7009): a refresh token with its
// login, a personal access token, or a signed token.
func (s *Service) Revoke(ctx context.Context, token string) error {
	ctx, span := s.env.Span(context.WithoutCancel(ctx)) // a revocation survives a disconnect
	defer span.End()
	if t, ok := opaque.Parse(RefreshPrefix, token); ok {
		return s.revokeStored(ctx, stores.Refresh, t.Family, t.ID, t.Digest())
	}
	if t, ok := opaque.ParsePersonal(s.cfg.PersonalPrefix, token); ok {
		return s.revokeStored(ctx, stores.Personal, t.ID, t.ID, t.Digest())
	}
	if len(token) > MaxLength || !isSigned(token) {
		return s.Refuse(ctx, errShape)
	}
	return s.RevokeSigned(ctx, token)
}
