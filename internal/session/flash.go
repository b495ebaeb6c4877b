package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

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
	if err := s.put(key, value); err != nil {
		return err
	}
	s.mark(key)
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
		if data, ok := s.now[key]; ok && slices.Contains(s.carried, key) {
			if err := s.putEncoded(key, data); err != nil {
				return err
			}
			s.mark(key)
			continue
		}
		if slices.Contains(s.flashed, key) {
			if s.kept == nil {
				s.kept = make(map[string]bool)
			}
			s.kept[key] = true
		}
	}
	return nil
}

// Reflash keeps all keys that the former request flashed.
func (s *Session) Reflash() error {
	s.lock()
	err, keys := s.writable(), append(slices.Clone(s.flashed), s.carried...)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Keep(keys...)
}

// mark marks a key as flashed. A key that the former request flashed starts over.
func (s *Session) mark(key string) {
	s.flashed = slices.DeleteFunc(s.flashed, func(k string) bool { return k == key })
	delete(s.kept, key)
	s.assign(flashPrefix+key, []byte{1})
}

// age removes the keys that were flashed for this request and not kept. A key that
// this request put stays.
func (s *Session) age() {
	for _, key := range s.flashed {
		if s.kept[key] {
			continue
		}
		if _, put := s.set[key]; !put {
			s.remove(key)
		}
		s.remove(flashPrefix + key)
	}
}

// Push appends a value to the list under a key.
func (s *Session) Push(key string, value any) error {
	s.lock()
	defer s.mu.Unlock()
	var list []json.RawMessage
	if data, ok := s.lookup(key); ok && !reserved(key) {
		var err error
		if list, err = sessioncodec.DecodeInto[[]json.RawMessage](data); err != nil {
			return fmt.Errorf("%w: session key %q does not hold a list", autherr.ErrInvalidInput, key)
		}
	}
	item, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("ginauth: session key %q: a %T cannot be stored: %w", key, value, err)
	}
	return s.put(key, append(list, item))
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
