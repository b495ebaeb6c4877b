package ginauth

import (
	"context"
	"log/slog"
	"reflect"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/dispatch"
)

// On adds a listener for events of type E. If E is events.Event, it gets all events. Listeners run one after the other on a
// goroutine of the manager, so that a slow or panicking listener delays no request. If the queue (Config.EventQueue) is full,
// the event is dropped, counted and logged. On panics if listener is nil. It is safe for concurrent use.
func On[E events.Event](m *Manager, listener func(ctx context.Context, e E)) {
	if listener == nil {
		panic("ginauth: On: listener is nil")
	}
	m.env.Events.Listen(reflect.TypeFor[E](), func(ctx context.Context, e events.Event) {
		if typed, ok := e.(E); ok {
			listener(ctx, typed)
		}
	})
}

// Dispatch gives an event, which may be the application's own, to the audit sink and queues it for the listeners.
func (m *Manager) Dispatch(ctx context.Context, e events.Event) { m.env.Dispatch(ctx, e) }

// DroppedEvents returns how many events the listeners missed because the queue was full.
func (m *Manager) DroppedEvents() uint64 { return m.env.Events.Dropped() }

// EventMeta returns the Meta of an event of the application about this request and the user with the ID, or "".
func (a *Authenticator) EventMeta(userID string) events.Meta {
	return a.x.Meta(a.current().name, userID)
}

// EventContext returns a context for methods of the Manager and of a Broker, such as Register and Reset. Under it
// their events tell the client's address and user agent, and their store calls share the request's
// Config.StoreTimeout. The context may be used after the request.
func (a *Authenticator) EventContext(ctx context.Context) context.Context {
	return a.x.EventContext(ctx)
}

// SlogAudit returns an audit sink for Config.Audit that writes one log line for each event.
func SlogAudit(log *slog.Logger) func(context.Context, events.Event) { return dispatch.Slog(log) }
