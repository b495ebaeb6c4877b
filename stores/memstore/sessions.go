package memstore

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/ginauth/ginauth/stores"
)

// Sessions is a stores.Sessions in memory. It also implements stores.SessionLimit
// and stores.Pruner.
type Sessions struct {
	shards  [128]sessionShard
	owners  owners
	trims   [ownerShards]sync.Mutex // taken before all other locks
	count   atomic.Int64
	max     int64
	now     func() time.Time
	janitor *janitor
}

var (
	_ stores.Sessions     = (*Sessions)(nil)
	_ stores.SessionLimit = (*Sessions)(nil)
	_ stores.Pruner       = (*Sessions)(nil)
)

// sessionShard holds the rows whose ids select it.
type sessionShard struct {
	sync.RWMutex
	rows map[id]*session
	// expiring orders all rows by their expiry, and idle orders the anonymous
	// rows by when they were last seen.
	expiring, idle heap[session]
	// firstExpiry and firstIdle repeat the times on top of the heaps, for readers
	// that do not hold the lock.
	firstExpiry, firstIdle atomic.Int64
}

// session is a row. Its fields change only while the shard's lock is held. The
// values that they point to do not change.
type session struct {
	id         id
	principals *principals
	digest     stores.Digest
	values     stores.Values
	address    string
	// userAgent is shared by all rows with the same user agent.
	userAgent                           unique.Handle[string]
	created, lastSeen, renamed, expires int64
	generation                          uint32
	expiringAt, idleAt                  int32
}

// NewSessions returns an empty store.
func NewSessions(o Options) *Sessions {
	o = o.filled()
	s := &Sessions{max: int64(o.MaxSessions), now: o.Now}
	s.owners.init()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.rows = make(map[id]*session)
		sh.expiring.time = func(r *session) int64 { return r.expires }
		sh.expiring.place = func(r *session) *int32 { return &r.expiringAt }
		sh.idle.time = func(r *session) int64 { return r.lastSeen }
		sh.idle.place = func(r *session) *int32 { return &r.idleAt }
		sh.publish()
	}
	s.janitor = startJanitor(o.PruneEvery, func() { s.prune(micros(s.now())) })
	return s
}

// Close stops the store's goroutine. It always returns nil.
func (s *Sessions) Close() error {
	s.janitor.close()
	return nil
}

// Load implements stores.Sessions.
func (s *Sessions) Load(ctx context.Context, row string) (stores.Session, bool, error) {
	if err := ended(ctx); err != nil {
		return stores.Session{}, false, err
	}
	key, ok := parseID(row)
	if !ok {
		return stores.Session{}, false, nil
	}
	sh := s.shard(key)
	sh.RLock()
	defer sh.RUnlock()
	r, found := sh.rows[key]
	if !found {
		return stores.Session{}, false, nil
	}
	return r.export(row), true, nil
}

// Create implements stores.Sessions. If the store is full, Create deletes the row
// that expired first, or else the anonymous row that was least recently seen. If
// there is neither, it returns stores.ErrFull.
func (s *Sessions) Create(ctx context.Context, row stores.Session) error {
	if err := ended(ctx); err != nil {
		return err
	}
	key, ok := parseID(row.Row)
	if !ok {
		return fmt.Errorf("%w: session row %.40q", errName, row.Row)
	}
	if err := row.Validate(); err != nil {
		return fmt.Errorf("ginauth: memory store: create session: %w", err)
	}
	r := newRecord(key, row)
	for {
		done, err := s.insert(r, row.Owners)
		if done || err != nil {
			return err
		}
		if !s.makeRoom(micros(s.now())) {
			return fmt.Errorf("%w: %d sessions", stores.ErrFull, s.max)
		}
	}
}

// newRecord returns the record of a row, without its owners.
func newRecord(key id, row stores.Session) *session {
	r := &session{
		id:     key,
		digest: row.Digest,
		values: row.Values,
		// The caller's text may be part of a larger one, such as the header of
		// a request, so copy it. Make copies as well.
		address:    strings.Clone(row.Address),
		userAgent:  unique.Make(row.UserAgent),
		created:    micros(row.Created),
		lastSeen:   micros(row.LastSeen),
		renamed:    micros(row.Renamed),
		expires:    micros(row.Expires),
		generation: row.Generation,
	}
	r.principals = newPrincipals(&r.id, row.Principals, len(row.Owners))
	return r
}

// insert stores a record if there is room.
func (s *Sessions) insert(r *session, owners []string) (done bool, err error) {
	sh := s.shard(r.id)
	sh.Lock()
	defer sh.Unlock()
	if _, exists := sh.rows[r.id]; exists {
		return false, fmt.Errorf("%w: session row", stores.ErrExists)
	}
	if !reserve(&s.count, 1, s.max) {
		return false, nil
	}
	s.list(r.principals, owners)
	sh.rows[r.id] = r
	sh.expiring.push(r)
	if !r.principals.owned() {
		sh.idle.push(r)
	}
	sh.publish()
	return true, nil
}

// Update implements stores.Sessions.
func (s *Sessions) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if err := ended(ctx); err != nil {
		return stores.Gone, err
	}
	if err := d.Validate(); err != nil {
		return stores.Gone, fmt.Errorf("ginauth: memory store: update session: %w", err)
	}
	key, ok := parseID(row)
	if !ok {
		return stores.Gone, nil
	}
	sh := s.shard(key)
	sh.Lock()
	defer sh.Unlock()
	r, found := sh.rows[key]
	switch {
	case !found:
		return stores.Gone, nil
	case r.generation != d.Generation:
		return stores.Replaced, nil
	case d.Rename != nil && subtle.ConstantTimeCompare(r.digest[:], d.Rename.Old[:]) != 1:
		return stores.Stale, nil
	}
	values := r.values.With(d)
	if size := values.Size(); size > stores.MaxValues {
		return stores.Gone, fmt.Errorf("ginauth: memory store: update session: values have %d bytes, at most %d are allowed", size, stores.MaxValues)
	}
	r.values = values
	s.apply(sh, r, d)
	return stores.Updated, nil
}

// apply changes a row as a delta says, except for its values.
func (s *Sessions) apply(sh *sessionShard, r *session, d stores.Delta) {
	if d.Rename != nil && d.Rename.New != d.Rename.Old {
		r.digest, r.renamed = d.Rename.New, micros(d.Rename.At)
	}
	if !d.Expires.IsZero() {
		r.expires = micros(d.Expires)
		sh.expiring.fix(r)
	}
	if d.Principals != nil {
		s.replace(sh, r, *d.Principals)
	}
	if !d.LastSeen.IsZero() {
		r.lastSeen = micros(d.LastSeen)
		if !r.principals.owned() {
			sh.idle.fix(r)
		}
	}
	sh.publish()
}

// Delete implements stores.Sessions.
func (s *Sessions) Delete(ctx context.Context, row string) (bool, error) {
	if err := ended(ctx); err != nil {
		return false, err
	}
	key, ok := parseID(row)
	if !ok {
		return false, nil
	}
	sh := s.shard(key)
	sh.Lock()
	defer sh.Unlock()
	r, found := sh.rows[key]
	if found {
		s.drop(sh, r)
	}
	return found, nil
}

func (s *Sessions) shard(key id) *sessionShard {
	return &s.shards[int(key[0])%len(s.shards)]
}

// drop deletes a row of the shard.
func (s *Sessions) drop(sh *sessionShard, r *session) {
	delete(sh.rows, r.id)
	sh.expiring.remove(r)
	if !r.principals.owned() {
		sh.idle.remove(r)
	}
	s.unlist(r.principals)
	s.count.Add(-1)
	sh.publish()
}

// publish updates firstExpiry and firstIdle after a change.
func (sh *sessionShard) publish() {
	sh.firstExpiry.Store(sh.expiring.first())
	sh.firstIdle.Store(sh.idle.first())
}

// export returns the row as a stores.Session. The caller passes the row's name, so
// that it need not be built from the id.
func (r *session) export(row string) stores.Session {
	return stores.Session{
		Row:        row,
		Digest:     r.digest,
		Principals: r.principals.text(),
		Owners:     r.principals.owners(),
		Generation: r.generation,
		Values:     r.values,
		Address:    r.address,
		UserAgent:  r.userAgent.Value(),
		Created:    fromMicros(r.created),
		LastSeen:   fromMicros(r.lastSeen),
		Renamed:    fromMicros(r.renamed),
		Expires:    fromMicros(r.expires),
	}
}
