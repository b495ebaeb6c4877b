package storetest_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/stores"
)

// memWriter has stores.SessionWriter, apart from the rules that its fields break.
type memWriter struct {
	*memSessions
	anyDigest, anyFormer, anyClock, anyGeneration, anyKey, unmarked, apart bool

	mu      *sync.Mutex
	former  map[string]formerDigest
	deleted map[string]bool
}

// formerDigest is what a row had before its last rename.
type formerDigest struct {
	digest     stores.Digest
	generation uint32
}

func writerOf(s *memSessions, broken memWriter) stores.Sessions {
	broken.memSessions, broken.mu = s, new(sync.Mutex)
	broken.former, broken.deleted = make(map[string]formerDigest), make(map[string]bool)
	return broken
}

func (s memWriter) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, err := s.memSessions.Update(ctx, row, d)
	if d.Rename != nil && d.Rename.New != d.Rename.Old && o == stores.Updated {
		s.former[row] = formerDigest{d.Rename.Old, d.Generation}
	}
	return o, err
}

func (s memWriter) Delete(ctx context.Context, row string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	existed, err := s.memSessions.Delete(ctx, row)
	s.deleted[row] = s.deleted[row] || existed && !s.unmarked
	return existed, err
}

func (s memWriter) DeleteSessionsOf(ctx context.Context, owner, except string) (int, error) {
	rows, _ := s.SessionsOf(ctx, owner, 1000)
	n, err := s.memSessions.DeleteSessionsOf(ctx, owner, except)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range rows {
		s.deleted[row.Row] = s.deleted[row.Row] || row.Row != except
	}
	return n, err
}

func (s memWriter) Write(ctx context.Context, row string, w stores.Write) (stores.Written, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, found, err := s.Load(ctx, row)
	if err != nil || !found {
		return stores.Written{Deleted: err == nil && s.deleted[row]}, err
	}
	d := stores.Delta{Generation: got.Generation, Set: w.Set, LastSeen: w.LastSeen, Expires: w.Expires}
	if !s.opens(got, w) || !got.LastSeen.After(w.SeenAfter) || !got.Created.After(w.CreatedAfter) ||
		!s.hasRoom(got, w, d) {
		return stores.Written{Session: got, Found: true}, nil
	}
	if s.apart {
		s.mu.Unlock()
		pause()
		s.mu.Lock()
		if _, found, _ := s.Load(ctx, row); !found {
			return stores.Written{Done: true}, s.Create(ctx, got)
		}
	}
	_, err = s.memSessions.Update(ctx, row, d)
	return stores.Written{Done: err == nil}, err
}

func (s memWriter) opens(got stores.Session, w stores.Write) bool {
	former, renamed := s.former[got.Row]
	return s.anyDigest || got.Digest == w.Digest || renamed && former.digest == w.Digest &&
		(s.anyGeneration || former.generation == got.Generation) &&
		(s.anyFormer || !w.Since.IsZero() && got.Renamed.After(w.Since)) &&
		(s.anyClock || !got.Renamed.After(w.LastSeen))
}

func (s memWriter) hasRoom(got stores.Session, w stores.Write, d stores.Delta) bool {
	for key := range got.Values.All() {
		if w.Without != "" && strings.HasPrefix(key, w.Without) {
			return s.anyKey
		}
	}
	if got.Values.SizeWith(d) > min(w.MaxValues, stores.MaxValues) {
		return false
	}
	return got.Values.With(d).Len() <= stores.MaxKeys
}

// TestUnbrokenWriter tests that memWriter breaks no rule by itself.
func TestUnbrokenWriter(t *testing.T) {
	sessionsOf(func(s *memSessions) stores.Sessions { return writerOf(s, memWriter{}) })(t)
}
