package ginauth

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
		// What ends must end even if the client has hung up.
		ctx, span := s.phase(context.WithoutCancel(s.context()))
		defer span.end()
		outcome, err := s.m.keeper.end(ctx, s.clock(), s.row)
		if err != nil {
			s.fail(autherr.Unavailable("end session", err))
			return s.fault
		}
		if outcome == stores.Stale { // as above, since it was loaded
			s.fail(ErrConflict)
			return ErrConflict
		}
	}
	s.clearing, s.superseded = s.presented, false
	s.empty()
	return nil
}

// endable reports why the session cannot be ended, if so.
func (s *Session) endable() error {
	s.lock()
	defer s.mu.Unlock()
	return s.mayEnd()
}

func (s *Session) mayEnd() error {
	if err := s.writable(); err != nil {
		return err
	}
	if s.superseded {
		// The session lives on under the id that replaced this one. Saying that
		// it ended would be untrue.
		s.fail(ErrConflict)
		return ErrConflict
	}
	return nil
}

// endDead ends a session whose login was found to have ended. Nobody asked for
// it, and whatever ended the login may go on in this session, as a change of the
// password does: if it has another id by now it stays, and the cookie, which the
// client may have another of before this answer comes, is left alone.
func (s *Session) endDead() error {
	if s.exists {
		ctx, span := s.phase(context.WithoutCancel(s.context()))
		defer span.end()
		outcome, err := s.m.keeper.endUnreplaced(ctx, s.clock(), s.row)
		if err != nil {
			s.fail(autherr.Unavailable("end session", err))
			return s.fault
		}
		s.superseded = outcome == stores.Stale || outcome == stores.Replaced
	}
	s.empty()
	return nil
}

// empty forgets a session that has ended, and what was to become of it.
func (s *Session) empty() {
	s.row, s.exists = stores.Session{}, false
	s.set, s.removed, s.flashed, s.kept = nil, nil, nil, nil
	s.next, s.issued, s.loggedIn, s.onCommit = nil, nil, false, nil
}
