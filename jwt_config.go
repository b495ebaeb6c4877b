package ginauth

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
)

// JWTConfig configures signed tokens: the access tokens of the JWT guard, and
// those that an application makes with Manager.JWT.
type JWTConfig struct {
	// SigningKey signs. Default: HS256 under a key derived from Config.Key.
	SigningKey JWTKey
	// VerifyingKeys are accepted as well: the keys of before, until what they
	// signed has expired, and those of tomorrow, so that every machine knows a
	// key before the first one signs with it.
	VerifyingKeys []JWTKey
	// Issuer and Audience are written into every token and must be in it again
	// exactly. Both are required with a SigningKey. Default "ginauth".
	Issuer   string
	Audience string
	// Lifetime is how long an access token lives. Default 15 min.
	Lifetime time.Duration
	// Leeway is by how much the clocks of two machines may differ. Default
	// 10 s, at most 60 s; negative: none.
	Leeway time.Duration
	// Claims returns further claims for a user's access tokens, as a struct or
	// map that is a JSON object. It is asked at each login and refresh. Names
	// that ginauth uses itself are refused.
	Claims func(ctx context.Context, u models.Authenticatable) (any, error)
	// Source returns the token that a request carries, or "". Default: that of
	// the Authorization header, and no other place. A token that a browser
	// sends by itself, such as one in a cookie, needs StartSession's
	// protection against other sites.
	Source func(*http.Request) string
	// InsecureIgnoreRevocationOutage accepts tokens while the store that knows
	// of revoked ones cannot be asked. The default is to answer 503.
	InsecureIgnoreRevocationOutage bool
}

// RefreshConfig configures refresh tokens.
type RefreshConfig struct {
	// IdleTimeout ends a login whose refresh token was not used for so long.
	// Default 7 days.
	IdleTimeout time.Duration
	// AbsoluteTimeout ends a login so long after it began. Default 30 days.
	AbsoluteTimeout time.Duration
	// Grace is how long a client that lost the answer may send the same refresh
	// token again, to get the same successor. After it the same token is taken
	// for a stolen one, and everything from that login ends (RFC 9700, 4.14.2).
	// Default 10 s; negative: not at all.
	Grace time.Duration
}

// PersonalTokensConfig configures personal access tokens.
type PersonalTokensConfig struct {
	// Prefix begins the tokens, so that scanners for leaked secrets recognise
	// them: letters and digits. Default "gat".
	Prefix string
	// Lifetime is how long a token lives that is not made for another time.
	// Default 365 days.
	Lifetime time.Duration
}

// Defaults of JWTConfig, RefreshConfig and PersonalTokensConfig.
const (
	defaultIssuer          = "ginauth"
	defaultAccessLifetime  = 15 * time.Minute
	defaultLeeway          = 10 * time.Second
	maxLeeway              = time.Minute
	defaultRefreshIdle     = 7 * 24 * time.Hour
	defaultRefreshAbsolute = 30 * 24 * time.Hour
	defaultGrace           = 10 * time.Second
	defaultPrefix          = "gat"
	defaultTokenLifetime   = 365 * 24 * time.Hour
)

func (c *Config) setTokenDefaults() {
	if c.JWT.SigningKey.unset() {
		setDefault(&c.JWT.Issuer, defaultIssuer)
		setDefault(&c.JWT.Audience, c.JWT.Issuer)
	}
	setDefault(&c.JWT.Lifetime, defaultAccessLifetime)
	setDefault(&c.JWT.Leeway, defaultLeeway)
	setDefault(&c.Refresh.IdleTimeout, defaultRefreshIdle)
	setDefault(&c.Refresh.AbsoluteTimeout, defaultRefreshAbsolute)
	setDefault(&c.Refresh.Grace, defaultGrace)
	setDefault(&c.PersonalTokens.Prefix, defaultPrefix)
	setDefault(&c.PersonalTokens.Lifetime, defaultTokenLifetime)
	c.JWT.Leeway, c.Refresh.Grace = max(c.JWT.Leeway, 0), max(c.Refresh.Grace, 0)
}

func (c *Config) checkTokens(f *faults) {
	for field, text := range map[string]string{"JWT.Issuer": c.JWT.Issuer, "JWT.Audience": c.JWT.Audience} {
		// An empty one would be no check at all.
		if text == "" {
			f.add(field, "is required with JWT.SigningKey")
		} else if len(text) > 255 {
			f.add(field, "is longer than 255 bytes")
		}
	}
	if c.JWT.Leeway > maxLeeway {
		f.add("JWT.Leeway", "%v is over %v", c.JWT.Leeway, maxLeeway)
	}
	for field, d := range map[string]time.Duration{
		"JWT.Lifetime": c.JWT.Lifetime, "Refresh.IdleTimeout": c.Refresh.IdleTimeout,
		"Refresh.AbsoluteTimeout": c.Refresh.AbsoluteTimeout, "PersonalTokens.Lifetime": c.PersonalTokens.Lifetime,
	} {
		if d < time.Second {
			f.add(field, "%v is under 1 s", d)
		}
	}
	if !validPrefix(c.PersonalTokens.Prefix) {
		f.add("PersonalTokens.Prefix", "%q is not 1 to 16 letters and digits", request.Cut(c.PersonalTokens.Prefix, 32))
	}
}

func validPrefix(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 16
}

// keySet builds the keys of signed tokens.
func (c *JWTConfig) keySet(ring *keys.Ring, f *faults) *jws.Set {
	var verifying []jws.Key
	signing := c.SigningKey
	if signing.unset() && ring != nil {
		derived := ring.Derive("jwt")
		signing = derivedKey(derived, 0)
		for i := 1; i < derived.Len(); i++ {
			verifying = append(verifying, derivedKey(derived, i).key)
		}
	}
	if signing.err != nil {
		f.add("JWT.SigningKey", "%v", signing.err)
	}
	for i, key := range c.VerifyingKeys {
		if key.err != nil || key.unset() {
			f.add("JWT.VerifyingKeys", "key %d: %v", i, key.fault())
			continue
		}
		verifying = append(verifying, key.key)
	}
	if len(*f) > 0 {
		return nil
	}
	set, err := jws.NewSet(signing.key, verifying...)
	if err != nil {
		f.add("JWT", "%v", err)
	}
	return set
}

// derivedKey returns the key that stands for application key i.
func derivedKey(derived keys.Subkeys, i int) JWTKey {
	mac := derived.MACUnder(i, []byte("kid"))
	return JWTSecret(hex.EncodeToString(mac[:4]), "HS256", derived.Bytes(i))
}
