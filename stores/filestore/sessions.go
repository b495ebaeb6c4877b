package filestore

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ginauth/ginauth/stores"
)

// Load implements stores.Sessions. It returns rows that have expired until they
// are pruned.
func (s *Sessions) Load(ctx context.Context, row string) (stores.Session, bool, error) {
	if err := s.begin(ctx); err != nil {
		return stores.Session{}, false, err
	}
	name, ok := parseRow(row)
	if !ok {
		return stores.Session{}, false, nil
	}
	session, found, err := s.read(name)
	return session, found, wrap(err)
}

// Create implements stores.Sessions. It refuses a row that is not 32
// hexadecimal digits in lower case, an owner longer than 255 bytes, and values
// larger than stores.MaxValues; it cuts the address and the user agent at 255
// bytes.
func (s *Sessions) Create(ctx context.Context, row stores.Session) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	name, ok := parseRow(row.Row)
	if !ok {
		return wrap(fmt.Errorf("session row %.40q has to be 32 hexadecimal digits in lower case", row.Row))
	}
	data, err := encode(row)
	if err != nil {
		return wrap(err)
	}
	return wrap(s.locked(ctx, name, func() error {
		exists, err := s.exists(name)
		if err != nil {
			return err
		}
		if exists {
			return fmt.Errorf("%w: session row", stores.ErrExists)
		}
		return s.put(name, row.Owner, data)
	}))
}

// put writes a row that had no owner, or had the same. The row's lock is held.
func (s *Sessions) put(row rowName, owner string, data []byte) error {
	// The marker comes first: one without a row does no harm, but a row without
	// its marker would escape DeleteSessionsOf. So it also stays if the write
	// fails, which may have come as far as the row.
	if err := s.mark(row, owner); err != nil {
		return err
	}
	return s.write(row, data)
}

// Update implements stores.Sessions. A delta after which the row would have
// more than stores.MaxValues of values, or an owner longer than 255 bytes, is an
// error and changes nothing.
func (s *Sessions) Update(ctx context.Context, row string, d stores.Delta) (outcome stores.Outcome, err error) {
	if err := s.begin(ctx); err != nil {
		return stores.Gone, err
	}
	name, ok := parseRow(row)
	if !ok {
		return stores.Gone, nil
	}
	err = s.locked(ctx, name, func() error {
		outcome, err = s.apply(ctx, name, d)
		return err
	})
	if err != nil {
		return stores.Gone, wrap(err)
	}
	return outcome, nil
}

// apply changes a row. The row's lock is held.
func (s *Sessions) apply(ctx context.Context, row rowName, d stores.Delta) (stores.Outcome, error) {
	old, found, err := s.read(row)
	if err != nil || !found {
		return stores.Gone, err
	}
	if d.Rename != nil && subtle.ConstantTimeCompare(old.Digest[:], d.Rename.Old[:]) != 1 {
		return stores.Stale, nil
	}
	changed := with(old, d)
	data, err := encode(changed)
	if err != nil {
		return stores.Gone, err
	}
	if err := ctx.Err(); err != nil {
		return stores.Gone, err
	}
	if changed.Owner == old.Owner {
		return stores.Updated, s.write(row, data)
	}
	if err := s.put(row, changed.Owner, data); err != nil {
		return stores.Gone, err
	}
	s.unmark(row, old.Owner)
	return stores.Updated, nil
}

// with returns a session changed by a delta.
func with(s stores.Session, d stores.Delta) stores.Session {
	s.Values = s.Values.With(d)
	if d.Rename != nil {
		s.Digest, s.Renamed = d.Rename.New, d.Rename.At
	}
	if !d.LastSeen.IsZero() {
		s.LastSeen = d.LastSeen
	}
	if !d.Expires.IsZero() {
		s.Expires = d.Expires
	}
	if d.Owner != nil {
		s.Owner = *d.Owner
	}
	return s
}

// Delete implements stores.Sessions. It deletes a row that cannot be read as
// well.
func (s *Sessions) Delete(ctx context.Context, row string) (existed bool, err error) {
	if err := s.begin(ctx); err != nil {
		return false, err
	}
	name, ok := parseRow(row)
	if !ok {
		return false, nil
	}
	err = s.locked(ctx, name, func() error {
		// The owner of a row that cannot be read is not known. Its marker is
		// left to Prune.
		old, _, _ := s.read(name)
		existed, err = s.drop(name, old.Owner)
		return err
	})
	return existed, wrap(err)
}

// drop removes a row, durably. The row's lock is held.
func (s *Sessions) drop(row rowName, owner string) (existed bool, err error) {
	existed, err = s.remove(row.path())
	if err != nil {
		return false, err
	}
	// Also if there was none: one who was killed may have removed it a moment
	// ago, and what is gone has to stay gone.
	err = s.sync(row.folder())
	if !existed && errors.Is(err, fs.ErrNotExist) {
		return false, s.missing(row.folder())
	}
	if err != nil {
		return false, err
	}
	s.unmark(row, owner)
	return existed, nil
}

// locked calls f with a row's lock held.
func (s *Sessions) locked(ctx context.Context, row rowName, f func() error) error {
	unlock, err := s.locks.lock(ctx, row.shard())
	if err != nil {
		return err
	}
	defer unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}
