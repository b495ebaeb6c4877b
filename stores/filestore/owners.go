package filestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/ginauth/ginauth/stores"
)

// The owners of a row are in its record. A marker is an empty file that lists the row under
// one of them. There is a marker for each owner of each row. There may also be markers for
// owners that a row does not have, so readers of a marker check the row. Markers change only
// while the row's lock is held.

// markerOf returns the shard of an owner's markers, and the part of their names before
// the row.
func markerOf(owner string) (shard int, prefix string) {
	digest := sha256.Sum256([]byte(owner))
	return int(digest[0]), hex.EncodeToString(digest[:]) + "."
}

// mark creates the marker of a row under an owner, durably.
func (s *Sessions) mark(row rowName, owner string) error {
	shard, prefix := markerOf(owner)
	folder := ownerFolder(shard)
	err := s.within(folder, &s.ownersMade[shard], func() error {
		f, err := s.root.OpenFile(folder+"/"+prefix+string(row), os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	})
	if err != nil {
		return err
	}
	// Flush also if the marker existed, because it may not have been flushed.
	return s.sync(folder)
}

// unmark removes the markers of a row under owners that it no longer has. If that
// fails, Prune removes the markers once the row is gone.
func (s *Sessions) unmark(row rowName, owners ...string) {
	for _, owner := range owners {
		shard, prefix := markerOf(owner)
		_, _ = s.remove(ownerFolder(shard) + "/" + prefix + string(row))
	}
}

// marked returns the rows that have a marker under the owner.
func (s *Sessions) marked(owner string) ([]rowName, error) {
	if owner == "" {
		return nil, nil
	}
	shard, prefix := markerOf(owner)
	names, err := s.names(ownerFolder(shard))
	if err != nil {
		return nil, err
	}
	var rows []rowName
	for _, name := range names {
		suffix, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if row, ok := parseRow(suffix); ok {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// DeleteSessionsOf implements stores.SessionIndex. It deletes the rows one by one. If it
// returns an error, it has deleted as many rows as it returns. It also deletes rows of
// the owner that cannot be read.
func (s *Sessions) DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	rows, err := s.marked(owner)
	if err != nil {
		return 0, wrap(err)
	}
	n := 0
	for _, row := range rows {
		if string(row) == exceptRow {
			continue
		}
		existed, err := s.deleteOwned(ctx, row, owner)
		if err != nil {
			return n, wrap(err)
		}
		if existed {
			n++
		}
	}
	return n, nil
}

// deleteOwned deletes a row if it has the owner, or cannot be read.
func (s *Sessions) deleteOwned(ctx context.Context, row rowName, owner string) (existed bool, err error) {
	err = s.locked(ctx, row, func() error {
		session, found, err := s.read(row)
		owners := session.Owners
		switch {
		case errors.Is(err, stores.ErrCorrupt), err == nil && !found:
			owners = []string{owner} // the only one that is known
		case err != nil:
			return err
		case !slices.Contains(owners, owner):
			return nil
		}
		existed, err = s.drop(row, owners)
		return err
	})
	return existed, err
}
