package tokens

import (
	"context"
	"sync"
	"time"

	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/stores"
)

// lastUsedInterval is the least time between two writes of when a personal token was
// last used.
const lastUsedInterval = time.Minute

// maxWrites is how many such writes run at once. Further ones are left to a later
// request: a write is not worth a wait.
const maxWrites = 8

// lastUsed tells which tokens have a write of their last use running.
type lastUsed struct {
	mu      sync.Mutex
	running map[string]bool
}

// recordUse writes, off the request, that a token was used, at most once a minute. A
// write that fails is logged and harms no request.
func (s *Service) recordUse(t stores.Token) {
	now := s.env.Now()
	if now.Sub(t.LastUsed) < lastUsedInterval || !s.lastUsed.begin(t.ID) {
		return
	}
	started := s.env.Background.TryRun(func() {
		defer s.lastUsed.end(t.ID)
		ctx, span := s.env.Span(context.Background())
		defer span.End()
		if err := s.touch(ctx, now, t); err != nil {
			s.env.Log.Warn("ginauth: last use of a token not recorded", "error", request.Cut(err.Error(), 512))
		}
	})
	if !started {
		s.lastUsed.end(t.ID)
	}
}

// touch looks again, because a parallel request may have written since.
func (s *Service) touch(ctx context.Context, now time.Time, t stores.Token) error {
	found, ok, err := s.store.Find(ctx, t.Family, t.ID)
	if err != nil || !ok || now.Sub(found.LastUsed) < lastUsedInterval {
		return err
	}
	return s.store.Touch(ctx, now, t.Family, t.ID)
}

func (l *lastUsed) begin(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running[id] || len(l.running) >= maxWrites {
		return false
	}
	if l.running == nil {
		l.running = make(map[string]bool)
	}
	l.running[id] = true
	return true
}

func (l *lastUsed) end(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, id)
}
