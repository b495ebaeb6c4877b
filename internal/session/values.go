package session

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/sessioncodec"
	"github.com/ginauth/ginauth/stores"
)

// lookup returns the encoded value of a key, as this request sees it.
func (s *Session) lookup(key string) (string, bool) {
	if s.load() != nil {
		return "", false
	}
	if value, ok := s.now[key]; ok {
		return string(value), true
	}
	if value, ok := s.set[key]; ok {
		return string(value), true
	}
	if s.removed[key] || !s.exists {
		return "", false
	}
	return s.row.Values.Get(key)
}

// keys returns the application's keys.
func (s *Session) keys() []string {
	if s.load() != nil {
		return nil
	}
	seen := make(map[string]bool)
	for key := range s.row.Values.All() {
		seen[key] = s.exists && !s.removed[key]
	}
	for key := range maps.Keys(s.set) {
		seen[key] = true
	}
	for key := range maps.Keys(s.now) {
		seen[key] = true
	}
	var keys []string
	for key, there := range seen {
		if there && !reserved(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// validKey returns nil if an application may set the key.
func validKey(key string) error {
	if reserved(key) {
		return reservedKeyError(key)
	}
	if err := stores.ValidKey(key); err != nil {
		return fmt.Errorf("%w: %w", autherr.ErrInvalidInput, err)
	}
	return nil
}

func (s *Session) put(key string, value any) error {
	if err := validKey(key); err != nil {
		return err
	}
	data, err := sessioncodec.Encode(value)
	if err != nil {
		return fmt.Errorf("ginauth: session key %q: a %T cannot be stored: %w", key, value, err)
	}
	return s.putEncoded(key, data)
}

// PutEncoded is Put with a value that package sessioncodec has encoded.
func (s *Session) PutEncoded(key string, data []byte) error {
	s.lock()
	defer s.mu.Unlock()
	if err := validKey(key); err != nil {
		return err
	}
	return s.putEncoded(key, data)
}

// putEncoded sets a key that may be set.
func (s *Session) putEncoded(key string, data []byte) error {
	if err := s.writable(); err != nil {
		return err
	}
	before, was := s.set[key]
	removed := s.removed[key]
	now, hidden := s.now[key]
	s.assign(key, data)
	room := s.e.backend.room()
	if s.sizeAtMost() <= room {
		return nil
	}
	size := s.size()
	if size <= room {
		return nil
	}
	// A value that does not fit changes nothing.
	delete(s.set, key)
	if was {
		s.set[key] = before
	}
	if removed {
		s.removed[key] = true
	}
	if hidden {
		s.now[key] = now
	}
	return fmt.Errorf("%w: session key %q: the session would hold %d bytes, at most %d are allowed",
		autherr.ErrInvalidInput, key, size, room)
}

// sizeAtMost returns an upper bound of size without reading the values.
func (s *Session) sizeAtMost() int {
	return s.row.Values.Size() + stores.Values{}.SizeWith(stores.Delta{Set: s.set})
}

// size is how many bytes the values take with the changes made so far.
func (s *Session) size() int {
	return s.row.Values.SizeWith(stores.Delta{Set: s.set, Remove: slices.Collect(maps.Keys(s.removed))})
}

// assign sets a key to an encoded value.
func (s *Session) assign(key string, data []byte) {
	if s.set == nil {
		s.set = make(map[string][]byte)
	}
	s.set[key] = data
	delete(s.removed, key)
	delete(s.now, key)
}

// remove removes a key. A key that does not exist changes nothing.
func (s *Session) remove(key string) {
	delete(s.set, key)
	delete(s.now, key)
	if _, there := s.row.Values.Get(key); !there || !s.exists {
		return
	}
	if s.removed == nil {
		s.removed = make(map[string]bool)
	}
	s.removed[key] = true
}

// writable loads the session and reports why it cannot be changed, if so.
func (s *Session) writable() error {
	if s.committed {
		return autherr.ErrCommitted
	}
	return s.load()
}

// renew gives the session a new id.
func (s *Session) renew() {
	row := s.row.Row
	if s.next != nil {
		row = s.next.row
	}
	s.next = &secretID{s.e.backend.nextRow(row), newSecret()}
}

// id returns the row and the digest of the id that the client has after this
// response.
func (s *Session) id() (row string, d stores.Digest) {
	if !s.exists && s.next == nil {
		s.renew()
	}
	if s.next != nil {
		return s.next.row, s.next.digest()
	}
	return s.row.Row, s.row.Digest
}

// changed reports whether there is more to store than the last use.
func (s *Session) changed() bool {
	return len(s.set) > 0 || len(s.removed) > 0 || s.next != nil ||
		len(s.flashed) > len(s.kept)
}

// fail records why the session cannot be read or stored. The first reason counts.
func (s *Session) fail(err error) {
	if s.fault == nil {
		s.fault = err
	}
}

func (s *Session) clock() time.Time { return s.e.env.Now() }

func reserved(key string) bool { return strings.HasPrefix(key, reservedPrefix) }

func reservedKeyError(key string) error {
	return fmt.Errorf("%w: session key %q: the prefix %q is reserved", autherr.ErrInvalidInput, key, reservedPrefix)
}
