// Package jwt holds the keys of signed tokens (RFC 7519), for Config.JWT of package ginauth, and what makes and checks
// an application's own tokens with them: Manager.JWT returns it.
package jwt

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/internal/tokens"
)

// Service makes and checks the signed tokens of an application's own. It is safe for concurrent use.
type Service struct{ tokens *tokens.Service }

// New returns the Service of a manager. Only package ginauth can call it; see Manager.JWT.
func New(engine *tokens.Service) *Service { return &Service{engine} }

// Format writes the type's name: a Service holds keys.
func (*Service) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("jwt.Service")) }

// Spec is what a token says.
type Spec struct {
	// Kind says what the token is for, as in "invitation". Decode asks for it. Required, and not "access".
	Kind string
	// Subject says whom the token is about: 1 to 255 bytes. Required.
	Subject string
	// Lifetime is how long the token lives, at least 1 s. Required.
	Lifetime time.Duration
	// Claims are further claims, as a struct or map that is a JSON object.
	Claims any
}

// Decoded is a token that was found valid.
type Decoded struct {
	ID       string
	Kind     string
	Subject  string
	IssuedAt time.Time
	Expires  time.Time
	payload  string
}

// Claims decodes all claims of the token into v, as json.Unmarshal does.
func (d *Decoded) Claims(v any) error {
	if err := json.Unmarshal([]byte(d.payload), v); err != nil {
		return fmt.Errorf("ginauth: claims: %w", err)
	}
	return nil
}

// Encode returns a signed token. The error is an *InputError of package autherr, or names the claim that cannot be in
// a token.
func (s *Service) Encode(t Spec) (string, error) { return s.tokens.Encode(tokens.Spec(t)) }

// Decode returns what a token of a kind says, if it has a valid signature, has not expired and was not revoked. The
// errors are autherr.ErrInvalidToken, which does not tell the reason, and autherr.ErrUnavailable.
func (s *Service) Decode(ctx context.Context, kind, token string) (*Decoded, error) {
	t, err := s.tokens.Decode(ctx, kind, token)
	if err != nil {
		return nil, err
	}
	return &Decoded{t.ID, t.Kind, t.Subject, t.IssuedAt, t.Expires, t.Payload}, nil
}

// Revoke ends a signed token of any kind. Only valid tokens can be revoked, so forged tokens cannot fill the store.
// The errors are those of Decode.
func (s *Service) Revoke(ctx context.Context, token string) error {
	return s.tokens.RevokeSigned(ctx, token)
}
