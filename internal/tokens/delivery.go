package tokens

import (
	"context"
	"strings"

	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/request"
)

// maxDelivered is how many access tokens are remembered whose use was recorded.
const maxDelivered = 1 << 14

// recordDelivery records that a client has the response with an access token, and so its refresh
// token: the former one comes from somebody else from then on. It costs one write for each access
// token, and nothing unless it is asked for. A failure refuses no request: it leaves the former
// token usable until a later request records the use.
func (s *Service) recordDelivery(ctx context.Context, claims *jws.Verified) {
	if s.delivered == nil {
		return
	}
	if _, known := s.delivered.Get(claims.ID); known {
		return
	}
	if err := s.store.MarkDelivered(ctx, s.env.Now(), claims.Family, claims.ID); err != nil {
		s.env.Log.WarnContext(ctx, "ginauth: use of an access token not recorded", "error", request.Cut(err.Error(), 256))
		return
	}
	s.delivered.Put(strings.Clone(claims.ID), struct{}{}) // not the whole token
}
