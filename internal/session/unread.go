package session

import (
	"context"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/stores"
)

// A request that only puts values need not know what its session holds. Where a store can write a
// session unread, the values wait for the commit, which checks the id and stores them in one round
// trip. Everything else that the request asks of the session loads it first, and then the values
// are put as if it had been loaded when they were.

// maxUnread is how many bytes of keys and values wait at most. Larger values load the session, so
// that Put itself says if they do not fit.
const maxUnread = 4096

// putUnread sets a key of a session that was not loaded, if that is possible.
func (s *Session) putUnread(key string, data []byte) bool {
	switch {
	case s.loaded || s.fault != nil || *s.committed():
		return false
	case s.unread == nil && !s.writableUnread():
		return false
	}
	size := len(key) + len(data)
	for other, value := range s.unread {
		if other != key {
			size += len(other) + len(value)
		}
	}
	if size > maxUnread {
		return false
	}
	if s.unread == nil {
		s.unread, s.read = make(map[string][]byte, 1), s.clock()
	}
	s.consulted = true
	s.unread[key] = data
	delete(s.now, key)
	return true
}

// writableUnread reports whether the request's session can be written unread. It cannot where
// several guards keep logins: a value then belongs to those who are logged in.
func (s *Session) writableUnread() bool {
	if s.e.writer == nil || len(s.e.cfg.Realms) > 1 || s.r == nil || s.r.Upgrades() {
		return false
	}
	if _, carried := s.r.Jar.Get(s.r.HTTP.Header, s.e.flashCookie); carried {
		return false
	}
	_, ok := s.presentedID()
	return ok
}

// presentedID returns the id that the request's only session cookie contains.
func (s *Session) presentedID() (ID, bool) {
	cookie, ok := s.r.Jar.Get(s.r.HTTP.Header, s.r.Jar.Session())
	if !ok {
		return ID{}, false
	}
	return ParseID(cookie)
}

// replay puts the values that waited for the session to be loaded.
func (s *Session) replay() error {
	unread, now := s.unread, s.now
	s.unread, s.now = nil, nil // the values of Now were set later
	for key, data := range unread {
		data = s.sealed(data)
		if err := s.fits(key, len(data), 0); err != nil {
			s.fail(err)
			break
		}
		s.assign(key, data)
	}
	s.now = now
	return s.fault
}

// storeUnread stores the values that wait. It reports false if the session had to be loaded for
// that, which it then is.
func (s *Session) storeUnread(ctx context.Context) (done bool, err error) {
	id, ok := s.presentedID()
	if !ok {
		return false, s.load() // the request's headers were changed since
	}
	ctx, span := s.span(ctx)
	defer span.End()
	now := s.clock()
	// The id is checked as it was when the first value was put, like that of a session that was
	// loaded then. SupersededFor is as for the changes of a guest in delta.
	held := now.Sub(s.read)
	w := stores.Write{
		Digest: id.Digest, SeenAfter: now.Add(-s.e.cfg.IdleTimeout), CreatedAfter: now.Add(-s.e.cfg.AbsoluteTimeout),
		Without: flashPrefix, MaxValues: s.e.backend.room(),
		Set: s.unread, LastSeen: now, Expires: s.expiry(now),
	}
	if held <= SupersededFor {
		w.Since = s.read
	}
	got, err := s.e.writer.Write(ctx, id.Row, w)
	switch {
	case err != nil:
		return false, storeError("store session", err)
	case got.Done:
		s.unread = nil
		return true, nil
	case got.Deleted, !got.Found && held > SupersededFor:
		// The session ended while this request ran, or it may have: the store does not know any more.
		return false, autherr.ErrSessionEnded
	}
	s.loaded, s.presented = true, true
	s.opened(&got.Session, nil, stateOf(&got.Session, got.Found, id), now)
	return false, s.replay()
}
