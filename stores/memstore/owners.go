package memstore

import (
	"hash/maphash"
	"strings"
	"sync"
)

// A member is what the index of owners keeps of a session or a family, inside
// of it.
type member struct {
	id id
	// owner is written with the lock of the record's shard and that of the
	// index held, so either is enough to read it.
	owner string
	// prev and next link the members of one owner. The lock of the index
	// guards them.
	prev, next *member
}

// owners is the index of members by owner. Its locks are taken last: while one
// is held no other lock is asked for.
type owners struct {
	seed   maphash.Seed
	shards [64]struct {
		sync.Mutex
		first map[string]*member
	}
}

// init makes the zero value ready for use.
func (o *owners) init() {
	o.seed = maphash.MakeSeed()
	for i := range o.shards {
		o.shards[i].first = make(map[string]*member)
	}
}

// add enters a member that has no owner under one. Nobody has the members whose
// owner is "".
func (o *owners) add(m *member, owner string) {
	if owner == "" {
		return
	}
	s := &o.shards[o.shard(owner)]
	s.Lock()
	defer s.Unlock()
	if head := s.first[owner]; head != nil {
		m.owner, m.next, head.prev = head.owner, head, m
	} else {
		// The caller's text may be a part of a larger one.
		m.owner = strings.Clone(owner)
	}
	s.first[m.owner] = m
}

// remove takes a member's owner from it.
func (o *owners) remove(m *member) {
	if m.owner == "" {
		return
	}
	s := &o.shards[o.shard(m.owner)]
	s.Lock()
	defer s.Unlock()
	switch {
	case m.prev != nil:
		m.prev.next = m.next
	case m.next != nil:
		s.first[m.owner] = m.next
	default:
		delete(s.first, m.owner)
	}
	if m.next != nil {
		m.next.prev = m.prev
	}
	m.owner, m.prev, m.next = "", nil, nil
}

// members returns the ids of an owner's members at one point in time. Those may
// have another owner, or be gone, when the caller looks them up.
func (o *owners) members(owner string) []id {
	s := &o.shards[o.shard(owner)]
	s.Lock()
	defer s.Unlock()
	var ids []id
	for m := s.first[owner]; m != nil; m = m.next {
		ids = append(ids, m.id)
	}
	return ids
}

func (o *owners) shard(owner string) uint64 {
	return maphash.String(o.seed, owner) % uint64(len(o.shards))
}
