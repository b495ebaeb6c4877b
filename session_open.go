package ginauth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ginauth/ginauth/autherr"
)

// Session opens a session outside a request by its cookie's value or by the
// public name that Session.ID returned. The caller must know that the name
// came from a trusted place: unlike a cookie it proves nothing. Changes are
// stored by Save. It returns an error wrapping ErrSessionEnded if there is no
// such session, and one wrapping ErrUnavailable if that cannot be found out.
//
// Sessions that live in their cookies (stores.ClientSessions) can be opened by the
// cookie's value, read, and ended by Invalidate. Opening one by its name, and
// saving changes of it, is an error that wraps errors.ErrUnsupported.
func (m *Manager) Session(ctx context.Context, id string) (*Session, error) {
	s := &Session{m: m, sessionState: &sessionState{ctx: ctx}}
	err := s.open(id)
	if err == nil && !s.exists {
		err = fmt.Errorf("%w: no such session", ErrSessionEnded)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// open loads a session by its cookie's value or by its public name.
func (s *Session) open(id string) error {
	row, publicHalf, ok := strings.Cut(id, ".")
	if !ok || len(row) != 2*rowBytes || len(publicHalf) != publicDigest {
		return s.loadCookie(s.context(), id)
	}
	s.loaded = true
	ctx, span := s.phase(s.context())
	defer span.end()
	found, ok, err := s.m.keeper.find(ctx, row)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return err
	case err != nil:
		return autherr.Unavailable("load session", err)
	}
	if ok && found.Digest.String()[:publicDigest] == publicHalf {
		s.adopt(&found, s.clock())
	}
	return nil
}

// Save stores the changes of a session that Manager.Session opened; it can then
// only be read. A session of a request is stored by its response, and Save
// reports nothing but what went wrong so far. The errors are ErrSessionEnded,
// ErrConflict and ErrUnavailable, and errors.ErrUnsupported for changes of a
// session that lives in its cookie: only a response can send that.
func (s *Session) Save(ctx context.Context) error {
	if s.x != nil {
		s.lock()
		defer s.mu.Unlock()
		return s.fault
	}
	_, err := s.commit(ctx)
	return err
}
