package session

import (
	"context"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/stores"
)

// Follow makes s what has become of another session of a request: it is found by its row, also
// under an id that the request does not know. Nobody uses the session by looking at it. A failure
// is that of the first method that is called.
func (s *Session) Follow(ctx context.Context, r *request.State, of *Session) {
	row, who := of.standing()
	s.Init(of.e, r)
	s.lock()
	defer s.mu.Unlock()
	s.loaded = true
	if row.Row == "" { // there are at most logins that were shown to the request alone
		s.who = who
		return
	}
	ctx, span := s.span(ctx)
	defer span.End()
	found, ok, err := s.e.backend.now(ctx, row)
	switch {
	case err != nil:
		s.fail(autherr.Unavailable("load session", err))
	case ok && s.e.inCookie: // who is logged in is only in the cookies
		s.row, s.who, s.exists = found, who, true
	case ok:
		s.adopt(&found, s.clock())
	}
}

// standing returns the row of the session, without a name if there is none, and its logins.
func (s *Session) standing() (stores.Session, principals) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil || !s.loaded {
		return stores.Session{}, nil
	}
	row := s.row
	switch {
	case s.issued != nil:
		row.Row = s.issued.row
	case s.next != nil && *s.committed():
		row.Row = s.next.row
	case !s.exists:
		row.Row = ""
	}
	return row, s.who
}

// now returns the row as it is stored now.
func (b storeBackend) now(ctx context.Context, s stores.Session) (stores.Session, bool, error) {
	return b.sessions.Load(ctx, s.Row)
}

// now returns the session if no request has ended it or given it another id. When it was last used
// is in cookies that this one does not know, so it does not count as idle.
func (b *cookieBackend) now(ctx context.Context, s stores.Session) (stores.Session, bool, error) {
	_, found, err := b.tokens.Find(ctx, s.Row, s.Row)
	return s, !found && err == nil, err
}
