package filestore

import (
	"context"
	"strings"
	"time"
)

// Prune implements stores.Pruner. It also removes files that killed processes left
// behind: unfinished records, and markers of owners without a row. It takes no lock to
// read rows that have not expired.
//
// Prune skips files that cannot be read, and returns the first such error at the end. It
// returns early only if the context ends.
func (s *Sessions) Prune(ctx context.Context, now time.Time) (int, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	p := pruning{Sessions: s, now: now}
	for shard := range shards {
		p.each(ctx, rowFolder(shard), p.file)
		p.each(ctx, ownerFolder(shard), p.marker)
	}
	if err := s.begin(ctx); err != nil {
		return p.deleted, err
	}
	return p.deleted, wrap(p.err)
}

// pruning is one call of Prune.
type pruning struct {
	*Sessions
	now     time.Time
	deleted int
	err     error
}

// each calls f for each name in a folder, until the context ends.
func (p *pruning) each(ctx context.Context, folder string, f func(ctx context.Context, folder, name string) error) {
	names, err := p.names(folder)
	p.record(err)
	for _, name := range names {
		if ctx.Err() != nil {
			return
		}
		p.record(f(ctx, folder, name))
	}
}

// record keeps the first error.
func (p *pruning) record(err error) {
	if p.err == nil {
		p.err = err
	}
}

// file prunes a file in a folder of rows.
func (p *pruning) file(ctx context.Context, _, name string) error {
	if row, ok := parseRow(name); ok {
		return p.row(ctx, row)
	}
	row, ok := parseRow(strings.TrimSuffix(name, tempSuffix))
	if !ok {
		return nil
	}
	return p.locked(ctx, row, func() error {
		_, err := p.remove(row.temp())
		return err
	})
}

// row deletes a row if it has expired.
func (p *pruning) row(ctx context.Context, row rowName) error {
	if _, expired, err := p.expired(row); err != nil || !expired {
		return err
	}
	return p.locked(ctx, row, func() error {
		// Another process may have prolonged it.
		owners, expired, err := p.expired(row)
		if err != nil || !expired {
			return err
		}
		// The folder is not flushed: a row that comes back has still expired.
		existed, err := p.remove(row.path())
		if existed {
			p.deleted++
			p.unmark(row, owners...)
		}
		return err
	})
}

// expired reports whether a row has expired, and returns its owners.
func (p *pruning) expired(row rowName) (owners []string, expired bool, err error) {
	s, found, err := p.read(row)
	return s.Owners, found && !s.Expires.After(p.now), err
}

// marker removes the marker of a row that does not exist.
func (p *pruning) marker(ctx context.Context, folder, name string) error {
	_, suffix, _ := strings.Cut(name, ".")
	row, ok := parseRow(suffix)
	if !ok {
		return nil
	}
	if exists, err := p.exists(row); err != nil || exists {
		return err
	}
	return p.locked(ctx, row, func() error {
		// Markers are written before their rows, so the row may exist now.
		if exists, err := p.exists(row); err != nil || exists {
			return err
		}
		_, err := p.remove(folder + "/" + name)
		return err
	})
}
