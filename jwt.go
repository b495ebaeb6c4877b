package ginauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// JWT makes and checks signed tokens (RFC 7519). It is safe for concurrent use.
type JWT struct {
	m    *Manager
	set  *jws.Set
	seen *jws.Cache
	// audience is that of all tokens that are made.
	audience []string
}

func newJWT(m *Manager, set *jws.Set) *JWT {
	return &JWT{m: m, set: set, seen: jws.NewCache(set), audience: []string{m.cfg.JWT.Audience}}
}

// JWT returns what makes and checks the manager's signed tokens, for
// applications that make tokens of their own.
func (m *Manager) JWT() *JWT { return m.jwt }

// Format writes the type's name: a JWT knows keys.
func (*JWT) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("ginauth.JWT")) }

// The types in the headers of tokens. They keep an access token (RFC 9068, 2.1)
// and an application's own apart even where their claims are alike.
const (
	accessType = "at+jwt"
	plainType  = "JWT"
)

// JWTSpec is what an application's own token says.
type JWTSpec struct {
	// Kind says what the token is for, as in "invitation". Decode asks for it.
	// Required, and not "access".
	Kind string
	// Subject says whom the token is about. Required, at most 255 bytes.
	Subject string
	// Lifetime is required: a token without an end is never made.
	Lifetime time.Duration
	// Claims are further claims, as a struct or map that is a JSON object.
	Claims any
}

// DecodedJWT is a token that was found valid.
type DecodedJWT struct {
	ID       string
	Kind     string
	Subject  string
	IssuedAt time.Time
	Expires  time.Time
	payload  string
}

// Claims decodes the token's claims, all of them, into what v points to.
func (d *DecodedJWT) Claims(v any) error {
	if err := json.Unmarshal([]byte(d.payload), v); err != nil {
		return fmt.Errorf("ginauth: claims: %w", err)
	}
	return nil
}

// Encode returns a signed token. The error is an *InputError, or names the
// claim that cannot be in a token.
func (j *JWT) Encode(t JWTSpec) (string, error) {
	switch {
	case t.Kind == accessKind || !validToken(t.Kind):
		return "", autherr.Invalid("kind", "is not a name of its own")
	case t.Subject == "" || len(t.Subject) > 255:
		return "", autherr.Invalid("subject", "is not 1 to 255 bytes long")
	case t.Lifetime < time.Second:
		return "", autherr.Invalid("lifetime", "is under 1 s")
	}
	claims := j.claims(j.m.env.Now(), t.Kind, t.Subject, t.Lifetime)
	return j.sign(plainType, claims, t.Claims)
}

// claims returns the registered claims of a new token.
func (j *JWT) claims(now time.Time, kind, subject string, lifetime time.Duration) jws.Claims {
	return jws.Claims{
		Issuer: j.m.cfg.JWT.Issuer, Audience: j.audience,
		ID: opaque.NewName(), Kind: kind, Subject: subject, IssuedAt: now, Expiry: now.Add(lifetime),
	}
}

func (j *JWT) sign(typ string, claims jws.Claims, more any) (string, error) {
	var extra []byte
	if more != nil {
		var err error
		if extra, err = json.Marshal(more); err != nil {
			return "", fmt.Errorf("ginauth: claims: %w", err)
		}
	}
	text, err := j.set.SignClaims(typ, &claims, extra)
	switch {
	case errors.Is(err, jws.ErrInput):
		return "", fmt.Errorf("ginauth: claims: %w", err)
	case err != nil:
		return "", fmt.Errorf("ginauth: sign: %w", err)
	}
	if len(text) > maxBearer {
		return "", autherr.Invalid("claims", fmt.Sprintf("make a token of over %d bytes", maxBearer))
	}
	return text, nil
}

// Decode returns what a token of a kind says, if this manager or one with its
// keys signed it, it has not expired and was not revoked. The errors are
// ErrInvalidToken, which says nothing of the reason, and ErrUnavailable.
func (j *JWT) Decode(ctx context.Context, kind, token string) (*DecodedJWT, error) {
	if kind == "" {
		return nil, j.refuse(ctx, errForeignToken) // no token is of every kind
	}
	claims, err := j.check(plainType, kind, token)
	if err != nil {
		return nil, j.refuse(ctx, err)
	}
	ctx, span := j.m.env.Span(ctx)
	defer span.End()
	if err := j.notRevoked(ctx, claims, nil); err != nil {
		return nil, j.refuse(ctx, err)
	}
	return &DecodedJWT{
		ID: claims.ID, Kind: claims.Kind, Subject: claims.Subject,
		IssuedAt: claims.IssuedAt, Expires: claims.Expiry, payload: claims.Payload,
	}, nil
}

// Revoke ends a signed token, of whatever kind, before its time. It takes none
// but a valid one: what nobody signed can fill no store. The errors are
// ErrInvalidToken and ErrUnavailable.
func (j *JWT) Revoke(ctx context.Context, token string) error {
	claims, err := j.check(plainType, "", token)
	if err != nil {
		claims, err = j.check(accessType, accessKind, token)
	}
	if err != nil {
		return j.refuse(ctx, err)
	}
	ctx, span := j.m.env.Span(context.WithoutCancel(ctx))
	defer span.End()
	if err := j.revoke(ctx, claims); err != nil {
		return err
	}
	j.m.Dispatch(ctx, events.TokenRevoked{Meta: j.m.env.Meta(ctx, "", claims.Subject), Kind: claims.Kind, TokenID: claims.ID})
	return nil
}

// revoke remembers the token until it would have expired everywhere.
func (j *JWT) revoke(ctx context.Context, claims *jws.Verified) error {
	now, end := j.m.env.Now(), claims.Expiry.Add(2*j.m.cfg.JWT.Leeway)
	_, err := j.m.stores.Tokens.Create(ctx, stores.Token{
		ID: claims.ID, Family: claims.ID, Kind: stores.Revoked,
		Created: now, Expires: end, FamilyExpires: end,
	})
	if err != nil && !errors.Is(err, stores.ErrExists) {
		return autherr.Unavailable("revoke token", err)
	}
	return nil
}

// Why a token is refused, for the log alone.
var (
	errRevoked  = errors.New("is revoked")
	errForgot   = errors.New("is of a login that ended")
	errNoUser   = errors.New("has no user")
	errStamp    = errors.New("is bound to an earlier security stamp")
	errDisabled = errors.New("is of a disabled user")
)

// check verifies a token by itself: shape, signature, claims. A kind of "" is
// any.
func (j *JWT) check(typ, kind, token string) (*jws.Verified, error) {
	claims, err := j.seen.VerifyClaims(typ, token)
	if err != nil {
		return nil, err
	}
	if kind == "" {
		kind = claims.Kind
	}
	cfg := &j.m.cfg.JWT
	if err := claims.Check(j.m.env.Now(), cfg.Leeway, cfg.Issuer, cfg.Audience, kind); err != nil {
		return nil, err
	}
	return claims, nil
}

// notRevoked asks the store whether a token, and the login that it is of, if
// there is one, still lives. A login that the store does not know has ended: the
// store lost it, or it expired. Asked has room for the two names, or none.
func (j *JWT) notRevoked(ctx context.Context, claims *jws.Verified, asked []string) error {
	asked = append(asked, claims.ID)
	if claims.Family != "" {
		asked = append(asked, claims.Family)
	}
	states, err := j.m.stores.Tokens.Lives(ctx, j.m.env.Now(), asked...)
	if err == nil && len(states) != len(asked) {
		err = fmt.Errorf("%w: %d answers to %d questions", stores.ErrCorrupt, len(states), len(asked))
	}
	switch {
	case err != nil && j.m.cfg.JWT.InsecureIgnoreRevocationOutage:
		j.m.env.Log.WarnContext(ctx, "ginauth: token accepted, revocation could not be checked", "error", request.Cut(err.Error(), 512))
		return nil
	case err != nil:
		return autherr.Unavailable("look up revocation", err)
	case states[0] != stores.Unknown:
		return errRevoked
	case len(states) > 1 && states[1] != stores.Alive:
		return errForgot
	}
	return nil
}

// refuse logs why a token is refused and returns what everybody may know.
func (j *JWT) refuse(ctx context.Context, reason error) error {
	if errors.Is(reason, ErrUnavailable) {
		return reason
	}
	j.m.env.Log.LogAttrs(ctx, slog.LevelInfo, "ginauth: token refused", slog.String("reason", request.Cut(reason.Error(), 256)))
	return ErrInvalidToken
}

// access returns a new access token of a login by a guard, whose family has that
// owner. It is bound to the guard: another one of the same users may ask for more
// than this one did.
func (j *JWT) access(
	ctx context.Context, g *jwtGuard, now time.Time, family, owner string, u models.Authenticatable,
) (string, error) {
	id, _ := ownerID(g.realm, owner)
	claims := j.claims(now, accessKind, id, j.m.cfg.JWT.Lifetime)
	fingerprint := j.m.fingerprintOf(id, g.credential, g.realm, u)
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], fingerprint[:])
	claims.Family, claims.Fingerprint = family, string(text[:])
	var more any
	if f := j.m.cfg.JWT.Claims; f != nil {
		var err error
		if more, err = f(ctx, u); err != nil {
			return "", autherr.Unavailable("claims of a user", err)
		}
	}
	return j.sign(accessType, claims, more)
}

// JWKS serves the public keys of the manager's signed tokens as a JSON Web Key
// Set (RFC 7517, 5), for services that check tokens themselves. Symmetric keys
// are not among them.
func (m *Manager) JWKS() gin.HandlerFunc {
	document := m.jwt.set.JWKS()
	return func(c *gin.Context) {
		c.Header("Cache-Control", "public, max-age=300")
		c.Data(http.StatusOK, "application/jwk-set+json", document)
	}
}
