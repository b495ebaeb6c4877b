package request

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/background"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/dispatch"
	"github.com/ginauth/ginauth/stores"
)

// Env is what the engines of one application share. It does not change once the
// application runs.
type Env struct {
	// Now is the clock.
	Now func() time.Time
	// Log gets what operators must know.
	Log *slog.Logger
	// Events takes events.
	Events *dispatch.Dispatcher
	// Background runs what no request waits for.
	Background *background.Runner
	// StoreTimeout limits the store calls of one request together.
	StoreTimeout time.Duration

	warned sync.Map // what WarnOnce has told
}

// WarnOnce logs a warning the first time that it is called with a message, and a debug line
// afterwards. There are few messages, so that what is remembered is bounded.
func (e *Env) WarnOnce(ctx context.Context, message string, args ...any) {
	level := slog.LevelWarn
	if _, told := e.warned.LoadOrStore(message, true); told {
		level = slog.LevelDebug
	}
	e.Log.Log(ctx, level, message, args...)
}

// Span opens a span of store calls under the budget of ctx, if it has one.
func (e *Env) Span(ctx context.Context) (context.Context, *deadline.Span) {
	return deadline.Begin(ctx, nil, e.StoreTimeout)
}

// Dispatch hands an event to the audit sink and the listeners.
func (e *Env) Dispatch(ctx context.Context, event events.Event) { e.Events.Dispatch(ctx, event) }

// Meta describes an event under a context that may come from State.EventContext.
func (e *Env) Meta(ctx context.Context, guard, userID string) events.Meta {
	meta := dispatch.ClientOf(ctx)
	meta.Time, meta.Guard, meta.UserID = e.Now(), guard, userID
	return meta
}

// Prune deletes expired records of the stores at intervals, until the application ends.
func (e *Env) Prune(interval time.Duration, set stores.Set) {
	for _, store := range []any{set.Sessions, set.ClientSessions, set.Tokens, set.Limiter} {
		if p, ok := store.(stores.Pruner); ok {
			e.Background.Every(interval, "delete expired records", func(ctx context.Context) error {
				_, err := p.Prune(ctx, e.Now())
				return err
			})
		}
	}
}
