package session

import (
	"context"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/stores"
)

// end ends the session at once.
func (s *Session) end() error {
	if err := s.mayEnd(); err != nil {
		return err
	}
	if s.exists {
		ctx, span := s.span(context.WithoutCancel(s.context()))
		defer span.End()
		outcome, err := s.e.backend.end(ctx, s.clock(), s.row)
		if err != nil {
			s.fail(autherr.Unavailable("end session", err))
			return s.fault
		}
		if outcome == stores.Stale { // replaced since it was loaded
			s.fail(autherr.ErrConflict)
			return autherr.ErrConflict
		}
	}
	s.clearing, s.superseded, s.ended = s.presented, false, false
	s.empty()
	return nil
}

// MayEnd returns why the session cannot be ended, or nil.
func (s *Session) MayEnd() error {
	s.lock()
	defer s.mu.Unlock()
	return s.mayEnd()
}

// endable is writable for the end of the session or of a login, which survives a disconnect.
func (s *Session) endable() error {
	if *s.committed() {
		return autherr.ErrCommitted
	}
	return s.loadIn(context.WithoutCancel(s.context()))
}

func (s *Session) mayEnd() error {
	if err := s.endable(); err != nil {
		return err
	}
	if s.superseded {
		// The session lives under the id that replaced this one. To say that it
		// ended would be wrong.
		s.fail(autherr.ErrConflict)
		return autherr.ErrConflict
	}
	return nil
}

// endStale ends a session whose login was found to have ended. The client did not
// ask for it, and the request that ended the login may continue in this session, as
// a password change does: a session that has another id by now stays. The cookie
// stays too, because the client may have received another one meanwhile.
func (s *Session) endStale() error {
	if s.exists {
		ctx, span := s.span(context.WithoutCancel(s.context()))
		defer span.End()
		outcome, err := s.e.backend.endUnreplaced(ctx, s.clock(), s.row)
		if err != nil {
			s.fail(autherr.Unavailable("end session", err))
			return s.fault
		}
		s.superseded = outcome == stores.Stale || outcome == stores.Replaced
	}
	s.empty()
	return nil
}

// empty forgets a session that has ended, with all changes.
func (s *Session) empty() {
	now := s.now
	s.forgetValues()
	s.row, s.exists, s.now = stores.Session{}, false, now
	s.who, s.made, s.whoChanged, s.replaced, s.renewed = nil, nil, false, false, false
	s.next, s.issued = nil, nil
	if s.r != nil {
		s.r.DropAfterCommit()
	}
}
