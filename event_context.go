package ginauth

import (
	"context"

	"github.com/ginauth/ginauth/events"
)

// clientKey is where a context keeps what events say of the client.
type clientKey struct{}

// EventContext returns a context for methods of the Manager and of a Broker, as
// Register and Reset: with it their events tell the client's address and user
// agent, as those of a's own methods do, and their store calls are part of the
// request (Config.StoreTimeout). It may outlive the request.
func (a *Authenticator) EventContext(ctx context.Context) context.Context {
	return context.WithValue(a.x.within(ctx), clientKey{}, a.x.meta("", ""))
}

// meta describes what happens under a context.
func (m *Manager) meta(ctx context.Context, guard, userID string) events.Meta {
	meta, _ := ctx.Value(clientKey{}).(events.Meta)
	meta.Time, meta.Guard, meta.UserID = m.now(), guard, userID
	return meta
}
