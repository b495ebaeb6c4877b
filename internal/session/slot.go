package session

import (
	"fmt"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/stores"
)

// slotPrefix begins the keys of slots.
const slotPrefix = reservedPrefix + "feature."

// Slot names a value of a feature in each session. Applications neither see nor set it.
type Slot struct{ key string }

// NewSlot returns the slot of a feature for a key.
func NewSlot(feature, key string) Slot {
	return Slot{slotPrefix + feature + "." + key}
}

// Slot returns the value of a slot, or nil.
func (s *Session) Slot(slot Slot) []byte {
	s.lock()
	defer s.mu.Unlock()
	data, ok := s.lookup(slot.key)
	if !ok {
		return nil
	}
	return cutSlot(data)
}

// PutSlot sets the value of a slot.
func (s *Session) PutSlot(slot Slot, value []byte) error {
	s.lock()
	defer s.mu.Unlock()
	if err := stores.ValidKey(slot.key); err != nil {
		return fmt.Errorf("%w: %w", autherr.ErrInvalidInput, err)
	}
	return s.putEncoded(slot.key, append([]byte(slotTag), value...))
}

// ForgetSlot removes the value of a slot.
func (s *Session) ForgetSlot(slot Slot) error {
	s.lock()
	defer s.mu.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	s.remove(slot.key)
	return nil
}
