package ginauth

import (
	"context"
	"fmt"
	"strings"
)

// Session opens a session outside a request by its cookie's value or by the
// public name that Session.ID returned. The caller must know that the name
// came from a trusted place: unlike a cookie it proves nothing. Changes are
// stored by Save. It returns an error wrapping ErrSessionEnded if there is no
// such session, and one wrapping ErrUnavailable if that cannot be found out.
func (m *Manager) Session(ctx context.Context, id string) (*Session, error) {
	parsed, isID := parseSessionID(id)
	row, publicHalf, isName := strings.Cut(id, ".")
	s := &Session{m: m, ctx: ctx}
	switch {
	case isID:
		s.presented = &parsed
		if err := s.load(); err != nil {
			return nil, err
		}
	case isName && len(row) == 2*rowBytes && len(publicHalf) == publicDigest:
		s.loaded = true
		ctx, cancel := m.phase(ctx)
		defer cancel()
		found, ok, err := m.stores.Sessions.Load(ctx, row)
		if err != nil {
			return nil, unavailable("load session", err)
		}
		if ok && !s.expired(found) && found.Digest.String()[:publicDigest] == publicHalf {
			s.adopt(found)
		}
	}
	if !s.exists {
		return nil, fmt.Errorf("%w: no such session", ErrSessionEnded)
	}
	return s, nil
}

// Save stores the changes of a session that Manager.Session opened; it can then
// only be read. A session of a request is stored by its response, and Save
// reports nothing but what went wrong so far. The errors are ErrSessionEnded,
// ErrConflict and ErrUnavailable.
func (s *Session) Save(ctx context.Context) error {
	s.mu.Lock()
	fault, ofRequest := s.fault, s.ofRequest
	s.mu.Unlock()
	if ofRequest {
		return fault
	}
	_, err := s.commit(ctx)
	return err
}
