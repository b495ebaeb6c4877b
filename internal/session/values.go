package session

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/sessioncodec"
	"github.com/ginauth/ginauth/stores"
)

// tally is what the application's changes are measured by: how many keys the
// application has in the session, and how many bytes all pairs take. Both are kept with
// every change, so that no change costs more in a session with many keys.
type tally struct{ keys, bytes int }

// tallyOf returns the tally of stored values.
func tallyOf(values stores.Values) tally {
	t := tally{bytes: max(values.Size()-1, 0)} // without the version
	for key := range values.All() {
		if !reserved(key) {
			t.keys++
		}
	}
	return t
}

// indexAfter is the number of look-ups in the stored values after which an index is made.
// Most requests read a few keys, and searching for them is cheaper.
const indexAfter = 16

// stored returns the encoded value of a key in the stored row.
func (s *Session) stored(key string) (value string, ok bool) {
	if s.index == nil {
		if s.lookups++; s.lookups <= indexAfter {
			return s.row.Values.Get(key)
		}
		s.index = maps.Collect(s.row.Values.All())
	}
	value, ok = s.index[key]
	return value, ok
}

// lookup returns the encoded value of a key, as this request sees it.
func (s *Session) lookup(key string) (string, bool) {
	if s.load() != nil {
		return "", false
	}
	if value, ok := s.now[key]; ok {
		return string(value), true
	}
	if value, ok := s.set[key]; ok {
		return s.who.open(string(value))
	}
	if s.removed[key] || !s.exists {
		return "", false
	}
	value, ok := s.stored(key)
	if !ok {
		return "", false
	}
	return s.who.open(value)
}

// sizeOf returns the size of the value that a key has after the changes so far.
func (s *Session) sizeOf(key string) (size int, ok bool) {
	if value, ok := s.set[key]; ok {
		return len(value), true
	}
	if s.removed[key] || !s.exists {
		return 0, false
	}
	value, ok := s.stored(key)
	return len(value), ok
}

// keys returns the application's keys.
func (s *Session) keys() []string {
	if s.load() != nil {
		return nil
	}
	seen := make(map[string]bool)
	for key, stored := range s.row.Values.All() {
		_, visible := s.who.open(stored)
		seen[key] = visible && s.exists && !s.removed[key]
	}
	for key, stored := range s.set {
		_, seen[key] = s.who.open(string(stored))
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

// encodePut returns the encoding of a value that an application may put under a key.
func encodePut(key string, value any) ([]byte, error) {
	if err := validKey(key); err != nil {
		return nil, err
	}
	data, err := sessioncodec.Encode(value)
	if err != nil {
		return nil, fmt.Errorf("ginauth: session key %q: a %T cannot be stored: %w", key, value, err)
	}
	return data, nil
}

func (s *Session) put(key string, value any) error {
	data, err := encodePut(key, value)
	if err != nil {
		return err
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
	if s.putUnread(key, data) {
		return nil
	}
	if err := s.writable(); err != nil {
		return err
	}
	data = s.sealed(data)
	if err := s.fits(key, len(data), 0); err != nil {
		return err
	}
	s.assign(key, data)
	return nil
}

// fits returns nil if the session has room for a value of a key, and for further bytes.
// A value that does not fit changes nothing.
func (s *Session) fits(key string, value, further int) error {
	size := s.held.bytes + stores.PairSize(len(key), value) + further + 1
	before, there := s.sizeOf(key)
	switch {
	case there:
		size -= stores.PairSize(len(key), before)
	case s.held.keys >= stores.MaxKeys && !reserved(key):
		return tooManyKeys(key)
	}
	if room := s.e.backend.room(); size > room {
		return fmt.Errorf("%w: session key %q: the session would hold %d bytes, at most %d are allowed",
			autherr.ErrInvalidInput, key, size, room)
	}
	return nil
}

func tooManyKeys(key string) error {
	return fmt.Errorf("%w: session key %q: the session has %d keys, no more are allowed",
		autherr.ErrInvalidInput, key, stores.MaxKeys)
}

// assign sets a key to an encoded value.
func (s *Session) assign(key string, data []byte) {
	s.discount(key, 1)
	s.held.bytes += stores.PairSize(len(key), len(data))
	if s.set == nil {
		s.set = make(map[string][]byte)
	}
	s.set[key] = data
	delete(s.removed, key)
	delete(s.now, key)
}

// discount takes a key off the tally, if the session has it, and adds a number to the
// application's keys if the key is one.
func (s *Session) discount(key string, add int) {
	if !reserved(key) {
		s.held.keys += add
	}
	size, there := s.sizeOf(key)
	if !there {
		return
	}
	s.held.bytes -= stores.PairSize(len(key), size)
	if !reserved(key) {
		s.held.keys--
	}
}

// remove removes a key. A key that does not exist changes nothing.
func (s *Session) remove(key string) {
	s.discount(key, 0)
	delete(s.set, key)
	delete(s.now, key)
	if !s.exists {
		return
	}
	if _, there := s.stored(key); !there {
		return
	}
	if s.removed == nil {
		s.removed = make(map[string]bool)
	}
	s.removed[key] = true
}

// forgetValues forgets the values of the row and all changes of them.
func (s *Session) forgetValues() {
	s.row.Values, s.held = stores.Values{}, tally{}
	s.index, s.lookups = nil, 0
	s.set, s.removed, s.now, s.flashed = nil, nil, nil, nil
}

// writable loads the session and reports why it cannot be changed, if so.
func (s *Session) writable() error {
	if *s.committed() {
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
	s.next = &secretID{row: s.e.backend.nextRow(row), secret: newSecret()}
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
		len(s.flashed) > 0
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
