package tokens

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/stores"
)

// The types in the headers of signed tokens. They distinguish an access token (RFC
// 9068, 2.1) from an application's own, also if their claims are alike.
const (
	accessType = "at+jwt"
	plainType  = "JWT"
)

// AccessKind is the kind of access tokens.
const AccessKind = "access"

// Spec is what an application's own signed token says.
type Spec struct {
	Kind     string
	Subject  string
	Lifetime time.Duration
	Claims   any
}

// Signed is a signed token that was found valid.
type Signed struct {
	ID, Kind, Subject string
	IssuedAt, Expires time.Time
	Payload           string
}

// isSigned tells a signed token from an opaque one.
func isSigned(token string) bool { return strings.Contains(token, ".") }

// Encode returns an application's own signed token.
func (s *Service) Encode(t Spec) (string, error) {
	switch {
	case t.Kind == AccessKind || !faults.IsToken(t.Kind):
		return "", autherr.Invalid("kind", "is not a name of its own")
	case t.Subject == "" || len(t.Subject) > 255:
		return "", autherr.Invalid("subject", "is not 1 to 255 bytes long")
	case t.Lifetime < time.Second:
		return "", autherr.Invalid("lifetime", "is under 1 s")
	}
	claims := s.claims(s.env.Now(), t.Kind, t.Subject, t.Lifetime)
	return s.sign(plainType, claims, t.Claims)
}

// claims returns the registered claims of a new token.
func (s *Service) claims(now time.Time, kind, subject string, lifetime time.Duration) jws.Claims {
	return jws.Claims{
		Issuer: s.cfg.Issuer, Audience: s.cfg.Audiences,
		ID: opaque.NewName(), Kind: kind, Subject: subject, IssuedAt: now, Expiry: now.Add(lifetime),
	}
}

func (s *Service) sign(typ string, claims jws.Claims, more any) (string, error) {
	var extra []byte
	if more != nil {
		var err error
		if extra, err = json.Marshal(more); err != nil {
			return "", fmt.Errorf("ginauth: claims: %w", err)
		}
	}
	text, err := s.set.SignClaims(typ, &claims, extra)
	switch {
	case errors.Is(err, jws.ErrInput):
		return "", fmt.Errorf("ginauth: claims: %w", err)
	case err != nil:
		return "", fmt.Errorf("ginauth: sign: %w", err)
	}
	if len(text) > MaxLength {
		return "", autherr.Invalid("claims", fmt.Sprintf("make a token of over %d bytes", MaxLength))
	}
	return text, nil
}

// Decode returns what an application's own token of a kind says, if it is valid.
func (s *Service) Decode(ctx context.Context, kind, token string) (Signed, error) {
	if kind == "" {
		return Signed{}, s.Refuse(ctx, errForeignToken) // no token is of every kind
	}
	claims, err := s.verify(plainType, kind, token)
	if err != nil {
		return Signed{}, s.Refuse(ctx, err)
	}
	ctx, span := s.env.Span(ctx)
	defer span.End()
	if err := s.notRevoked(ctx, claims, nil); err != nil {
		return Signed{}, s.Refuse(ctx, err)
	}
	return Signed{
		ID: claims.ID, Kind: claims.Kind, Subject: claims.Subject,
		IssuedAt: claims.IssuedAt, Expires: claims.Expiry, Payload: claims.Payload,
	}, nil
}

// RevokeSigned ends a signed token of any kind. Only valid tokens can be revoked, so
// forged tokens cannot fill the store.
func (s *Service) RevokeSigned(ctx context.Context, token string) error {
	claims, err := s.verify(plainType, "", token)
	if err != nil {
		claims, _, err = s.verifyLogin(token)
	}
	if err != nil {
		return s.Refuse(ctx, err)
	}
	ctx, span := s.env.Span(context.WithoutCancel(ctx))
	defer span.End()
	// Until the token would have expired on every machine.
	now, end := s.env.Now(), claims.Expiry.Add(2*s.cfg.Leeway)
	_, err = s.store.Create(ctx, stores.Token{
		ID: claims.ID, Family: claims.ID, Kind: stores.Revoked,
		Created: now, Expires: end, FamilyExpires: end,
	})
	if err != nil && !errors.Is(err, stores.ErrExists) {
		return autherr.Unavailable("revoke token", err)
	}
	s.env.Dispatch(ctx, events.TokenRevoked{Meta: s.env.Meta(ctx, "", claims.Subject), Kind: claims.Kind, TokenID: claims.ID})
	return nil
}

// verify checks a token by itself: shape, signature, claims. A kind of "" stands for
// any kind.
func (s *Service) verify(typ, kind, token string) (*jws.Verified, error) {
	claims, err := s.seen.VerifyClaims(typ, token)
	if err != nil {
		return nil, err
	}
	if kind == "" {
		kind = claims.Kind
	}
	if err := claims.Check(s.env.Now(), s.cfg.Leeway, s.cfg.Issuer, s.audienceIn(claims), kind); err != nil {
		return nil, err
	}
	return claims, nil
}

// audienceIn returns an audience of this application that a token is for, or the first one, which
// the token then lacks.
func (s *Service) audienceIn(claims *jws.Verified) string {
	for _, audience := range s.cfg.Audiences {
		if slices.Contains(claims.Audience, audience) {
			return audience
		}
	}
	return s.cfg.Audiences[0]
}

// notRevoked asks the store whether a token, and the login that it is of, still lives.
// A login that the store does not know has ended: it expired, or the store lost it.
// Asked has room for the two names, or is nil.
func (s *Service) notRevoked(ctx context.Context, claims *jws.Verified, asked []string) error {
	asked = append(asked, claims.ID)
	if claims.Family != "" {
		asked = append(asked, claims.Family)
	}
	states, err := s.store.Lives(ctx, s.env.Now(), asked...)
	if err == nil && len(states) != len(asked) {
		err = fmt.Errorf("%w: %d answers to %d questions", stores.ErrCorrupt, len(states), len(asked))
	}
	switch {
	case err != nil && s.cfg.IgnoreRevocationOutage:
		s.env.Log.WarnContext(ctx, "ginauth: token accepted, revocation could not be checked", "error", request.Cut(err.Error(), 512))
		return nil
	case err != nil:
		return autherr.Unavailable("look up revocation", err)
	case states[0] != stores.Unknown:
		return errRevoked
	case len(states) > 1 && states[1] != stores.Alive:
		return ErrEnded
	}
	return nil
}

// LooksIssued reports whether a text looks like a token that this application issued: a
// personal access token, or a signed one that names the issuer. Nothing is verified.
func (s *Service) LooksIssued(text string) bool {
	if s.LooksPersonal(text) {
		return true
	}
	_, rest, _ := strings.Cut(text, ".")
	payload, _, signed := strings.Cut(rest, ".")
	if !signed || len(text) > MaxLength {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(payload)
	var claims struct {
		Issuer string `json:"iss"`
	}
	return err == nil && json.Unmarshal(data, &claims) == nil && claims.Issuer == s.cfg.Issuer
}
