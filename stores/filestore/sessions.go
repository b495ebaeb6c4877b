package filestore

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/ginauth/ginauth/stores"
)

// Load implements stores.Sessions. It returns expired rows until they are pruned.
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

// Create implements stores.Sessions. It refuses a row that is not 32 hexadecimal
// digits in lower case, and truncates the address and the user agent to 255
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
		return s.put(name, row.Owners, data)
	}))
}

// put writes a row that is not listed under the given owners yet. The row's lock
// is held.
func (s *Sessions) put(row rowName, owners []string, data []byte) error {
	// The markers come first: a marker without a row does no harm, but a row
	// without its marker would escape DeleteSessionsOf. So the markers also stay
	// if the write fails, because the row may have been written.
	for _, owner := range owners {
		if err := s.mark(row, owner); err != nil {
			return err
		}
	}
	return s.write(row, data)
}

// Update implements stores.Sessions.
func (s *Sessions) Update(ctx context.Context, row string, d stores.Delta) (outcome stores.Outcome, err error) {
	if err := s.begin(ctx); err != nil {
		return stores.Gone, err
	}
	if err := d.Validate(); err != nil {
		return stores.Gone, wrap(err)
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
	switch {
	case err != nil || !found:
		return stores.Gone, err
	case old.Generation != d.Generation:
		return stores.Replaced, nil
	case d.Rename != nil && subtle.ConstantTimeCompare(old.Digest[:], d.Rename.Old[:]) != 1:
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
	if err := s.put(row, without(changed.Owners, old.Owners), data); err != nil {
		return stores.Gone, err
	}
	s.unmark(row, without(old.Owners, changed.Owners)...)
	return stores.Updated, nil
}

// without returns the owners that are not among the others.
func without(owners, others []string) (left []string) {
	for _, owner := range owners {
		if !slices.Contains(others, owner) {
			left = append(left, owner)
		}
	}
	return left
}

// with returns a session changed by a delta.
func with(s stores.Session, d stores.Delta) stores.Session {
	s.Values = s.Values.With(d)
	if d.Rename != nil && d.Rename.New != d.Rename.Old {
		s.Digest, s.Renamed = d.Rename.New, d.Rename.At
	}
	if !d.LastSeen.IsZero() {
		s.LastSeen = d.LastSeen
	}
	if !d.Expires.IsZero() {
		s.Expires = d.Expires
	}
	if p := d.Principals; p != nil {
		s.Principals, s.Owners, s.Generation = p.Data, p.Owners, p.Generation
	}
	return s
}

// Delete implements stores.Sessions. It also deletes rows that cannot be read.
func (s *Sessions) Delete(ctx context.Context, row string) (existed bool, err error) {
	if err := s.begin(ctx); err != nil {
		return false, err
	}
	name, ok := parseRow(row)
	if !ok {
		return false, nil
	}
	err = s.locked(ctx, name, func() error {
		// The owners of a row that cannot be read are not known. Prune removes
		// their markers.
		old, _, _ := s.read(name)
		existed, err = s.drop(name, old.Owners)
		return err
	})
	return existed, wrap(err)
}

// drop removes a row durably. The row's lock is held.
func (s *Sessions) drop(row rowName, owners []string) (existed bool, err error) {
	existed, err = s.remove(row.path())
	if err != nil {
		return false, err
	}
	// Flush also if there was no file. A process that was killed may have removed
	// it without flushing, and a row that is gone must not come back.
	err = s.sync(row.folder())
	if !existed && errors.Is(err, fs.ErrNotExist) {
		return false, s.missing(row.folder())
	}
	if err != nil {
		return false, err
	}
	s.unmark(row, owners...)
	return existed, nil
}

// locked calls f while it holds the row's lock.
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
