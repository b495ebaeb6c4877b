package memstore

import (
	"context"
	"sync/atomic"
	"time"
)

// makeRoom deletes one row: the row that expired first, or else the anonymous row
// that was least recently seen. It reports whether there may be room now.
func (s *Sessions) makeRoom(now int64) bool {
	sh, first := s.lowest(func(sh *sessionShard) *atomic.Int64 { return &sh.firstExpiry })
	if first <= now {
		sh.Lock()
		defer sh.Unlock()
		// Another goroutine may have deleted it already. Then there is room.
		if sh.expiring.first() <= now {
			s.drop(sh, sh.expiring.items[0])
		}
		return true
	}
	sh, first = s.lowest(func(sh *sessionShard) *atomic.Int64 { return &sh.firstIdle })
	if first == never {
		return false
	}
	sh.Lock()
	defer sh.Unlock()
	if sh.idle.first() == first {
		s.drop(sh, sh.idle.items[0])
	}
	return true
}

// lowest returns the shard with the smallest published time, and that time.
func (s *Sessions) lowest(time func(*sessionShard) *atomic.Int64) (*sessionShard, int64) {
	found, least := &s.shards[0], int64(never)
	for i := range s.shards {
		if t := time(&s.shards[i]).Load(); t < least {
			found, least = &s.shards[i], t
		}
	}
	return found, least
}

// Prune implements stores.Pruner.
func (s *Sessions) Prune(ctx context.Context, now time.Time) (int, error) {
	if err := ended(ctx); err != nil {
		return 0, err
	}
	return s.prune(micros(now)), nil
}

func (s *Sessions) prune(now int64) int {
	n := 0
	for i := range s.shards {
		sh := &s.shards[i]
		if sh.firstExpiry.Load() > now {
			continue
		}
		sh.Lock()
		for sh.expiring.first() <= now {
			s.drop(sh, sh.expiring.items[0])
			n++
		}
		sh.Unlock()
	}
	return n
}

// DeleteSessionsOf implements stores.SessionIndex.
func (s *Sessions) DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (int, error) {
	if err := ended(ctx); err != nil {
		return 0, err
	}
	except, named := parseID(exceptRow)
	n := 0
	for _, key := range s.owners.members(owner) {
		if named && key == except {
			continue
		}
		if s.dropOf(key, owner) {
			n++
		}
	}
	return n, nil
}
