package ginauth

import (
	"context"
	"sync"
	"time"

	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/stores"
)

// touchEvery is the least time between two writes of when a personal token was
// last used.
const touchEvery = time.Minute

// maxTouching is how many such writes run at once. Further ones are left to a
// later request: knowing the minute is not worth holding one up.
const maxTouching = 8

// touches writes, off the request, when tokens were last used.
type touches struct {
	mu      sync.Mutex
	running map[string]bool
}

// note records that a token is in use, if that was not recorded in the last
// minute. It never blocks and reports nothing: a failing write harms nobody.
func (t *touches) note(m *Manager, token stores.Token) {
	now := m.env.Now()
	if now.Sub(token.LastUsed) < touchEvery || !t.begin(token.ID) {
		return
	}
	started := m.env.Background.TryRun(func() {
		defer t.end(token.ID)
		ctx, span := m.env.Span(context.Background())
		defer span.End()
		if err := m.touchToken(ctx, now, token); err != nil {
			m.env.Log.Warn("ginauth: last use of a token not recorded", "error", request.Cut(err.Error(), 512))
		}
	})
	if !started {
		t.end(token.ID)
	}
}

// touchToken looks again, because a parallel request may have written since.
func (m *Manager) touchToken(ctx context.Context, now time.Time, token stores.Token) error {
	found, ok, err := m.stores.Tokens.Find(ctx, token.Family, token.ID)
	if err != nil || !ok || now.Sub(found.LastUsed) < touchEvery {
		return err
	}
	return m.stores.Tokens.Touch(ctx, now, token.Family, token.ID)
}

func (t *touches) begin(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running[id] || len(t.running) >= maxTouching {
		return false
	}
	if t.running == nil {
		t.running = make(map[string]bool)
	}
	t.running[id] = true
	return true
}

func (t *touches) end(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, id)
}
