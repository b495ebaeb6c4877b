package tokens

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/models"
)

// Info tells of a token that authenticated a request.
type Info struct {
	ID     string
	Family string // of the login that the token is of
	Claims string // the payload of a signed token
	// MustEnrol says that the login can do nothing but enrol a second factor.
	MustEnrol bool
}

// Scratch is memory that Access uses. A caller keeps it in one block with what it
// makes of the result.
type Scratch struct{ names [2]string }

// Access returns whose access token a request carries. It checks the token, then
// whether it was revoked, then the user's security stamp. The user is nil for a text
// that is no signed token, and for a token that is refused, which is logged.
func (s *Service) Access(ctx context.Context, g *Guard, text string, scratch *Scratch) (models.Authenticatable, Info, error) {
	claims, mustEnrol, err := s.verifyLogin(text)
	if err == nil {
		var user models.Authenticatable
		if user, err = s.admit(ctx, g, claims, scratch); err == nil {
			s.recordDelivery(ctx, claims)
			return user, Info{ID: claims.ID, Family: claims.Family, Claims: claims.Payload, MustEnrol: mustEnrol}, nil
		}
	}
	if err = s.Refuse(ctx, err); errors.Is(err, autherr.ErrInvalidToken) {
		err = nil
	}
	return nil, Info{}, err
}

// IsSigned reports whether a text has the form of a signed token.
func IsSigned(text string) bool { return isSigned(text) }

// admit returns the user of a verified access token. The errors say why the token is
// refused.
func (s *Service) admit(ctx context.Context, g *Guard, claims *jws.Verified, scratch *Scratch) (models.Authenticatable, error) {
	if claims.Family == "" {
		return nil, ErrEnded // no login could end it
	}
	if !s.inProcess {
		return s.admitAtOnce(ctx, g, claims)
	}
	if err := s.notRevoked(ctx, claims, scratch.names[:0]); err != nil {
		return nil, err
	}
	return s.owner(ctx, g, claims)
}

// owner returns the user that an access token is bound to.
func (s *Service) owner(ctx context.Context, g *Guard, claims *jws.Verified) (models.Authenticatable, error) {
	fingerprint, ok := claims.Bound()
	if !ok {
		return nil, realm.ErrStamp // our own tokens are always bound to a stamp
	}
	return g.Realm.Check(ctx, claims.Subject, g.purpose, fingerprint[:])
}

// admitAtOnce asks the store and the provider at the same time, so that a request waits once for
// servers. Why the store refuses the token comes first, as in admit.
func (s *Service) admitAtOnce(ctx context.Context, g *Guard, claims *jws.Verified) (user models.Authenticatable, err error) {
	var revoked, refused error
	deadline.Both(
		func() { revoked = s.notRevoked(ctx, claims, nil) },
		func() { user, refused = s.owner(ctx, g, claims) },
	)
	if err = cmp.Or(revoked, refused); err != nil {
		return nil, err
	}
	return user, nil
}

// LogOut ends the login that an access token is of, with all its tokens. It succeeds
// if the text is no valid token: no user is logged in then.
func (s *Service) LogOut(ctx context.Context, text string) error {
	claims, _, err := s.verifyLogin(text)
	if err != nil {
		return nil
	}
	_, err = s.store.RevokeFamily(ctx, s.env.Now(), claims.Family)
	return autherr.Unavailable("end login", err)
}

// accessToken returns a new access token of a login, whose family has that owner. It is sent with a
// refresh token, whose name it has if its use is to be recorded.
func (s *Service) accessToken(
	ctx context.Context, g *Guard, now time.Time, with opaque.Token, owner string, u models.Authenticatable, login Login,
) (string, error) {
	id, _ := g.Realm.OwnerID(owner)
	claims := s.claims(now, AccessKind, id, s.cfg.Lifetime)
	if s.delivered != nil {
		claims.ID = with.ID
	}
	fingerprint := g.Realm.Stamps.Sum(g.purpose, g.Realm.Name, id, u)
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], fingerprint[:])
	claims.Family, claims.Fingerprint = with.Family, string(text[:])
	var more any
	var err error
	if f := s.cfg.Claims; f != nil {
		if more, err = f(ctx, u); err != nil {
			return "", autherr.Unavailable("claims of a user", err)
		}
	}
	if more, err = claimsOf(login.Proof, more); err != nil {
		return "", err
	}
	if login.MustEnrol {
		claims.Kind, claims.Audience = enrolmentKind, enrolmentAudience
		return s.sign(enrolmentType, claims, more)
	}
	return s.sign(accessType, claims, more)
}
