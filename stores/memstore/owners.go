package memstore

import (
	"bytes"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
)

// A member is an entry in the index of owners: a session or a family under one
// owner.
type member struct {
	// id is the record's, which never changes.
	id *id
	// owner is set when the member is added, and never changes afterwards.
	owner [1]string
	// prev and next link the members of one owner. The lock of the index guards
	// them.
	prev, next *member
}

const ownerShards = 64

// owners is the index of members by owner. Its locks are taken last: a goroutine
// that holds one asks for no other lock.
type owners struct {
	seed   maphash.Seed
	shards [ownerShards]struct {
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

// add lists a member under an owner, unless the owner is "".
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
		m.owner[0] = strings.Clone(owner)
	}
	s.first[m.owner[0]] = m
}

// remove takes a member from the list of its owner.
func (o *owners) remove(m *member) {
	owner := m.owner[0]
	if owner == "" {
		return
	}
	s := &o.shards[o.shard(owner)]
	s.Lock()
	defer s.Unlock()
	switch {
	case m.prev != nil:
		m.prev.next = m.next
	case m.next != nil:
		s.first[owner] = m.next
	default:
		delete(s.first, owner)
	}
	if m.next != nil {
		m.next.prev = m.prev
	}
	m.prev, m.next = nil, nil
}

// members returns the ids of an owner's members at one point in time, each once. A
// record may have another owner, or be gone, when the caller looks it up.
func (o *owners) members(owner string) []id {
	ids := o.listed(owner)
	// A session whose owners change is listed twice for a moment.
	slices.SortFunc(ids, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

func (o *owners) listed(owner string) []id { return o.appendTo(nil, owner) }

// appendTo appends the ids of an owner's members, those that were added last first.
func (o *owners) appendTo(ids []id, owner string) []id {
	s := &o.shards[o.shard(owner)]
	s.Lock()
	defer s.Unlock()
	for m := s.first[owner]; m != nil; m = m.next {
		ids = append(ids, *m.id)
	}
	return ids
}

// newest returns the ids of at most n members, those that were added last first. A session
// whose owners change may be listed twice for a moment; it is returned once.
func (o *owners) newest(owner string, n int) (ids []id) {
	s := &o.shards[o.shard(owner)]
	s.Lock()
	defer s.Unlock()
	for m := s.first[owner]; m != nil && len(ids) < n; m = m.next {
		if !slices.Contains(ids, *m.id) {
			ids = append(ids, *m.id)
		}
	}
	return ids
}

// exceeds reports whether an owner has more than n members.
func (o *owners) exceeds(owner string, n int) bool {
	s := &o.shards[o.shard(owner)]
	s.Lock()
	defer s.Unlock()
	m := s.first[owner]
	for ; m != nil && n > 0; m = m.next {
		n--
	}
	return m != nil
}

// oldest returns the ids of at most n members, those that were added first, each once.
func (o *owners) oldest(owner string, n int) (ids []id) {
	s := &o.shards[o.shard(owner)]
	s.Lock()
	defer s.Unlock()
	skip := -n
	for m := s.first[owner]; m != nil; m = m.next {
		skip++
	}
	for m := s.first[owner]; m != nil; m = m.next {
		if skip--; skip < 0 {
			ids = append(ids, *m.id)
		}
	}
	slices.SortFunc(ids, func(a, b id) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

func (o *owners) shard(owner string) uint64 {
	return maphash.String(o.seed, owner) % uint64(len(o.shards))
}
