package session

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/stores"
)

// A request that only puts values need not know what its session holds. Where a store can write a
// session unread, the values wait for the commit, which checks the id and stores them in one round
// trip. Everything else that the request asks of the session loads it first, and then puts the
// values. In both cases the request ends as if it had loaded the session when it put the first
// value. Only if the id has been replaced since, it may get a conflict in place of success.

// maxUnread is how many bytes of keys and values wait at most. Larger values load the session, so
// that Put itself says if they do not fit.
const maxUnread = 4096

// deletedFor is how old a request can be that the store surely tells whether its session was
// deleted since it began. The store may take some time to answer.
const deletedFor = stores.DeletedFor - time.Minute

// putUnread sets a key of a session that was not loaded, if that is possible.
func (s *Session) putUnread(key string, data []byte) bool {
	if s.loaded || s.fault != nil || *s.committed() {
		return false
	}
	id := s.unreadID
	if s.unread == nil {
		var ok bool
		if id, ok = s.writableID(); !ok {
			return false
		}
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
		s.unread, s.unreadID, s.read = make(map[string][]byte, 1), id, s.clock()
	}
	s.consulted = true
	s.unread[key] = data
	delete(s.now, key)
	return true
}

// writableID returns the id that the request's only session cookie contains, if the session can be
// written unread. It cannot where several guards keep logins: a value then belongs to those who are
// logged in.
func (s *Session) writableID() (id ID, ok bool) {
	if s.e.writer == nil || len(s.e.cfg.Realms) > 1 || s.r == nil {
		return ID{}, false
	}
	jar, header := &s.r.Jar, s.r.HTTP.Header
	if _, carried := jar.Get(header, s.e.flashCookie); carried {
		return ID{}, false
	}
	cookie, ok := jar.Get(header, jar.Session())
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
	now := s.clock()
	w := stores.Write{
		Digest: s.unreadID.Digest, SeenAfter: now.Add(-s.e.cfg.IdleTimeout), CreatedAfter: now.Add(-s.e.cfg.AbsoluteTimeout),
		Without: flashPrefix, MaxValues: s.e.backend.room(),
		Set: s.unread, LastSeen: now, Expires: s.expiry(now),
	}
	if now.Sub(s.read) <= SupersededFor { // as for the changes of a guest in delta
		w.Since = s.read
	}
	done, err = s.write(ctx, w)
	switch {
	case err != nil:
		return false, storeError("store session", err)
	case done:
		s.unread = nil
		return true, nil
	}
	return false, s.replay()
}

// loadUnread loads the session in which values wait to be put.
func (s *Session) loadUnread(ctx context.Context) error {
	// The Write is never done, because no row has the zero digest. Unlike Load, it tells a session that
	// was deleted from one that never existed.
	if _, err := s.write(ctx, stores.Write{}); err != nil {
		s.fail(autherr.Unavailable("load session", err))
		return s.fault
	}
	return s.replay()
}

// lateUnread returns an error if the session that values were put into has ended or has another id
// by now. Then nothing that the request did to the session is done, unless it logs in.
func (s *Session) lateUnread() error {
	switch {
	case s.unreadID.Row == "" || len(s.made) > 0:
		return nil
	case s.superseded:
		return autherr.ErrConflict
	case s.ended:
		return autherr.ErrSessionEnded
	}
	return nil
}

// write makes a Write. It loads the session if the Write is not done.
func (s *Session) write(ctx context.Context, w stores.Write) (done bool, err error) {
	ctx, span := s.span(ctx)
	defer span.End()
	got, err := s.e.writer.Write(ctx, s.unreadID.Row, w)
	if err != nil || got.Done {
		return got.Done, err
	}
	now := s.clock()
	held := now.Sub(s.read)
	s.loaded, s.presented = true, true
	// Both times are differences, so that clocks may differ. The response that ended the session may
	// still be on its way to the client.
	s.ended = got.Deleted && got.Ago <= held+SupersededFor || !got.Found && held > deletedFor
	s.opened(&got.Session, nil, stateOf(&got.Session, got.Found, s.unreadID), now)
	return false, nil
}
