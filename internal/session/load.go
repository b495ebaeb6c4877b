package session

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// SupersededFor is how long the engine remembers that an id was replaced. A request
// that still carries the old id was sent before the client received the new one. A
// session of its own would overwrite the client's new cookie.
const SupersededFor = 10 * time.Second

// load reads the session from the store, once. It never adopts an id that is
// unknown, expired or replaced: the session is then empty and gets an id made here
// when a key is put into it.
func (s *Session) load() error { return s.loadIn(s.context()) }

// loadIn is load under a context that may be a span.
func (s *Session) loadIn(ctx context.Context) error {
	s.consulted = true
	switch {
	case s.loaded || s.fault != nil:
		return s.fault
	case len(s.unread) > 0:
		return s.loadUnread(ctx)
	}
	name := s.r.Jar.Session()
	cookie, ok := s.r.Jar.Get(s.r.HTTP.Header, name)
	if !ok {
		if twins := s.r.Twins(name); len(twins) > 0 {
			return s.loadTwins(ctx, twins)
		}
	}
	if err := s.loadCookie(ctx, cookie); err != nil {
		return err
	}
	s.takeCarried()
	return nil
}

// loadCookie loads the session that a cookie's value opens.
func (s *Session) loadCookie(ctx context.Context, cookie string) error {
	s.loaded, s.presented = true, cookie != ""
	if !s.presented {
		return nil
	}
	ctx, span := s.span(ctx)
	defer span.End()
	now := s.clock()
	row, user, state, err := s.e.backend.load(ctx, now, cookie)
	if err != nil {
		s.fail(autherr.Unavailable("load session", err))
		return s.fault
	}
	s.opened(&row, user, state, now)
	return s.fault
}

// opened takes over what a cookie's value opened.
func (s *Session) opened(row *stores.Session, user models.Authenticatable, state idState, now time.Time) {
	switch state {
	case idMalformed:
		s.clearing = !s.cookiesLost()
	case idUnknown:
	case idReplaced:
		s.supersede(row, now)
	default:
		s.adopt(row, now)
		s.fresh = user
		s.due = s.due || state == idOldKey
	}
}

// loadTwins loads the session that one of several cookies opens. If more than one opens a session,
// none is used: who planted the other cannot be known, and no request may have the data of both.
func (s *Session) loadTwins(ctx context.Context, cookies []string) error {
	s.loaded, s.presented = true, true
	ctx, span := s.span(ctx)
	defer span.End()
	now, opened := s.clock(), 0
	var row stores.Session
	var user models.Authenticatable
	var state idState
	for _, cookie := range cookies {
		found, owner, is, err := s.e.backend.load(ctx, now, cookie)
		if err != nil {
			s.fail(autherr.Unavailable("load session", err))
			return s.fault
		}
		switch is {
		case idMalformed, idUnknown:
		case idReplaced:
			s.supersede(&found, now)
		default:
			if !s.e.expired(&found, beganOf(&found), now) {
				row, user, state, s.again = found, owner, is, cookie
				opened++
			}
		}
	}
	if opened != 1 {
		s.again, s.superseded = "", s.superseded && opened == 0
		return nil
	}
	s.superseded, s.before = false, nil
	s.adopt(&row, now)
	s.fresh = user
	s.due = s.due || state == idOldKey
	if s.fault == nil {
		s.takeCarried()
	}
	return s.fault
}

// supersede records that the id of a row was replaced, if that was moments ago: before now, or
// before the first value was put.
func (s *Session) supersede(row *stores.Session, now time.Time) {
	recent := now.Sub(row.Renamed).Abs() < SupersededFor
	if len(s.unread) > 0 {
		recent = s.read.Sub(row.Renamed) < SupersededFor
	}
	if s.e.expired(row, beganOf(row), now) || !recent {
		return
	}
	s.superseded = true
	who, err := parsePrincipals(row.Principals, nil)
	if err != nil {
		return // what it was is not known, so nobody is told to try again
	}
	for _, l := range who {
		if l.Kept {
			s.before = append(s.before, l)
		}
	}
}

// Superseded reports whether the request's id was replaced moments ago in a session in which a
// guard had a login and still has it. The client has the new id by now, or is about to.
func (s *Session) Superseded(guard string) bool {
	s.lock()
	defer s.mu.Unlock()
	if s.load() != nil || !s.superseded {
		return false
	}
	_, ok := s.before.of(guard)
	return ok
}

// cookiesLost reports whether no cookie that is set now is sure to reach the client.
func (s *Session) cookiesLost() bool { return s.r != nil && s.r.CookiesLost() }

// adopt makes a row the session's, unless the row has expired.
func (s *Session) adopt(row *stores.Session, now time.Time) {
	who, err := parsePrincipals(row.Principals, s.oneLogin[:0])
	if err != nil {
		s.fail(autherr.Unavailable("read session", err))
		return
	}
	if s.e.expired(row, who.latest(row.Created), now) {
		return
	}
	if s.r == nil || !s.r.Upgrades() { // the handshake of a WebSocket shows no page: flash stays for one that does
		s.flashed = s.flashedIn(row)
	}
	s.row, s.who, s.exists, s.read = *row, who, true, now
	s.held = tallyOf(row.Values)
	s.due = now.Sub(row.LastSeen) >= s.e.cfg.TouchInterval
}

// beganOf returns when the absolute timeout of a row began: at the latest login in it.
func beganOf(row *stores.Session) time.Time {
	who, _ := parsePrincipals(row.Principals, nil)
	return who.latest(row.Created)
}
