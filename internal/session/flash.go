package session

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/sessioncodec"
	"github.com/ginauth/ginauth/stores"
)

// Flash sets a key for this request and the next one that uses the session.
func (s *Session) Flash(key string, value any) error {
	s.lock()
	defer s.mu.Unlock()
	if len(key) > stores.MaxKey-len(flashPrefix) {
		return fmt.Errorf("%w: session key %.32q… is too long to be flashed", autherr.ErrInvalidInput, key)
	}
	data, err := encodePut(key, value)
	if err == nil {
		err = s.writable()
	}
	if err != nil {
		return err
	}
	return s.flash(key, s.sealed(data))
}

// flashMark is the value of a key that marks another one as flashed: a version, and when that was,
// in microseconds since 1970.
func flashMark(at time.Time) []byte {
	return binary.BigEndian.AppendUint64([]byte{1}, uint64(at.UnixMicro()))
}

// flashedIn returns the keys of a row that were flashed for this request: not those that a parallel
// one has flashed since this one put a value without loading the session. Of a key that this request
// put itself, only the mark is left to remove.
func (s *Session) flashedIn(row *stores.Session) map[string]bool {
	var flashed map[string]bool
	for key, mark := range row.Values.All() {
		name, ok := strings.CutPrefix(key, flashPrefix)
		if !ok || len(s.unread) > 0 && s.unread[name] == nil && mark > string(flashMark(s.read)) {
			continue
		}
		if flashed == nil {
			flashed = make(map[string]bool)
		}
		flashed[name] = true
	}
	return flashed
}

// flash sets a key to an encoded value and marks it as flashed.
func (s *Session) flash(key string, data []byte) error {
	mark, further := flashMark(s.clock()), 0
	if _, marked := s.sizeOf(flashPrefix + key); !marked {
		further = stores.PairSize(len(flashPrefix)+len(key), len(mark))
	}
	if err := s.fits(key, len(data), further); err != nil {
		return err
	}
	s.assign(key, data)
	s.assign(flashPrefix+key, mark)
	delete(s.flashed, key) // a key that the former request flashed starts over
	return nil
}

// Now sets a key for this request only. Nothing is stored.
func (s *Session) Now(key string, value any) error {
	s.lock()
	defer s.mu.Unlock()
	if reserved(key) {
		return reservedKeyError(key)
	}
	data, err := sessioncodec.Encode(value)
	if err != nil {
		return fmt.Errorf("ginauth: session key %q: a %T cannot be kept: %w", key, value, err)
	}
	if _, there := s.now[key]; !there && len(s.now) >= stores.MaxKeys {
		return tooManyKeys(key)
	}
	if s.now == nil {
		s.now = make(map[string][]byte)
	}
	s.now[key] = data
	return nil
}

// Keep keeps keys that the former request flashed for one more request.
func (s *Session) Keep(keys ...string) error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	for _, key := range keys {
		if data, ok := s.now[key]; ok && s.carried[key] {
			if err := s.flash(key, data); err != nil {
				return err
			}
			continue
		}
		delete(s.flashed, key)
	}
	return nil
}

// Reflash keeps all keys that the former request flashed.
func (s *Session) Reflash() error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	for key := range s.carried {
		if data, ok := s.now[key]; ok {
			if err := s.flash(key, data); err != nil {
				return err
			}
		}
	}
	s.flashed = nil
	return nil
}

// age removes the keys that were flashed for this request and not kept. A key that
// this request put stays.
func (s *Session) age() {
	for key := range s.flashed {
		if _, put := s.set[key]; !put {
			s.remove(key)
		}
		s.remove(flashPrefix + key)
	}
}

// ErrNotList says that a key does not hold a list.
var ErrNotList = fmt.Errorf("%w: not a list", autherr.ErrInvalidInput)

// Push appends a value to the list under a key. It does not read the list, so that the
// time of a call does not grow with the list.
func (s *Session) Push(key string, value any) error {
	s.lock()
	defer s.mu.Unlock()
	if err := validKey(key); err != nil {
		return err
	}
	item, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("ginauth: session key %q: a %T cannot be stored: %w", key, value, err)
	}
	if err := s.writable(); err != nil {
		return err
	}
	header := s.sealed(nil)
	list, ours := s.set[key]
	_, hidden := s.now[key]
	if !ours || hidden || !s.ownedAlike(list, header) {
		text, _ := s.lookup(key)
		list = append(header, text...)
	}
	// AppendItem changes list, which may be the value so far. So nothing may fail after it.
	if err := s.fits(key, len(list)+len(item)+len("j[]"), 0); err != nil {
		return err
	}
	items, ok := sessioncodec.AppendItem(list[len(header):], item)
	if !ok {
		return fmt.Errorf("%w: session key %q", ErrNotList, key)
	}
	list = behind(list, len(header), items)
	s.assign(key, list)
	return nil
}

// Increment adds by to the integer under a key and returns the sum.
func (s *Session) Increment(key string, by int64) (int64, error) {
	s.lock()
	defer s.mu.Unlock()
	if err := validKey(key); err != nil {
		return 0, err
	}
	current, ok := s.lookup(key)
	if !ok {
		current = sessioncodec.Zero
	}
	sum, data, err := sessioncodec.Add(current, by)
	switch {
	case errors.Is(err, sessioncodec.ErrCorrupt):
		return 0, autherr.Unavailable("read session", err)
	case err != nil:
		return 0, fmt.Errorf("%w: session key %q cannot be incremented by %d", autherr.ErrInvalidInput, key, by)
	}
	if err := s.putEncoded(key, data); err != nil {
		return 0, err
	}
	return sum, nil
}

// Decrement is Increment by -by.
func (s *Session) Decrement(key string, by int64) (int64, error) {
	if by == math.MinInt64 {
		return 0, fmt.Errorf("%w: session key %q cannot be decremented by %d", autherr.ErrInvalidInput, key, by)
	}
	return s.Increment(key, -by)
}

// Decode decodes a stored value as Get returns it.
func Decode(data string) (any, error) {
	value, err := sessioncodec.Decode(data)
	if j, ok := value.(sessioncodec.JSON); ok {
		return json.RawMessage(j), err
	}
	return value, err
}
