package memstore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/ginauth/ginauth/stores"
)

// Tokens is a stores.Tokens in memory. It also implements stores.Pruner and stores.TokenLimit.
//
// An id is unique within its family. A family is listed under the owner of its
// first token.
type Tokens struct {
	shards   [64]tokenShard
	owners   owners
	turns    [ownerShards]sync.Mutex // of CreateLimited; taken first
	tokens   atomic.Int64
	families atomic.Int64
	max      int64
	now      func() time.Time
	janitor  *janitor
}

var (
	_ stores.Tokens     = (*Tokens)(nil)
	_ stores.Pruner     = (*Tokens)(nil)
	_ stores.TokenLimit = (*Tokens)(nil)
)

// tokenShard holds the families whose ids select it, with all their members. So one
// lock makes every change of a family atomic.
type tokenShard struct {
	sync.Mutex
	families map[id]*family
	// others holds the members that are not the root of their family.
	others map[tokenKey]*token
	// expiring and ending order the tokens and the families by their expiry.
	expiring heap[token]
	ending   heap[family]
	// revoked are families that were revoked. Some may be gone.
	revoked []id
	// lastKind and lastAbility are those of the token that was stored last. The
	// next token shares them if it has the same, which is likely.
	lastKind    unique.Handle[stores.Kind]
	lastAbility string
	// firstExpiry repeats the smaller of the times on top of the heaps, for
	// readers that do not hold the lock.
	firstExpiry atomic.Int64
}

type tokenKey struct{ family, id id }

// revocations is the part of MaxTokens, as its reciprocal, by which tokens of the kind
// stores.Revoked may exceed it.
const revocations = 4

// NewTokens returns an empty store.
func NewTokens(o Options) *Tokens {
	o = o.filled()
	s := &Tokens{max: int64(o.MaxTokens), now: o.Now}
	s.owners.init()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.families = make(map[id]*family)
		sh.others = make(map[tokenKey]*token)
		sh.expiring.time = (*token).ends
		sh.expiring.place = func(t *token) *int32 { return &t.expiringAt }
		sh.ending.time = func(f *family) int64 { return f.expires }
		sh.ending.place = func(f *family) *int32 { return &f.endingAt }
		sh.lastKind = unique.Make(stores.Kind(""))
		sh.publish()
	}
	s.janitor = startJanitor(o.PruneEvery, func() { s.prune(micros(s.now())) })
	return s
}

// InProcess implements stores.InProcess.
func (*Tokens) InProcess() {}

// Close stops the store's goroutine. It always returns nil.
func (s *Tokens) Close() error {
	s.janitor.close()
	return nil
}

// Create implements stores.Tokens. It returns stores.ErrFull if the store is full and
// no token or family has expired or was revoked.
func (s *Tokens) Create(ctx context.Context, t stores.Token) (bool, error) {
	if err := ended(ctx); err != nil {
		return false, err
	}
	key, ok := parseKey(t.Family, t.ID)
	if !ok {
		return false, fmt.Errorf("%w: token %.40q of family %.40q", errName, t.ID, t.Family)
	}
	for {
		created, room, err := s.tryCreate(key, t)
		if room {
			return created, err
		}
		if !s.makeRoom(micros(s.now())) {
			return false, s.errFull()
		}
	}
}

// tryCreate creates a token, unless there is no room for it.
func (s *Tokens) tryCreate(key tokenKey, t stores.Token) (created, room bool, err error) {
	sh := s.shard(key.family)
	sh.Lock()
	defer sh.Unlock()
	f, rooted := sh.families[key.family]
	if rooted {
		if _, exists := sh.member(f, key); exists {
			return false, true, fmt.Errorf("%w: token", stores.ErrExists)
		}
		if f.revoked != 0 {
			return false, true, nil
		}
	}
	// Logins must not fill the store so that nobody can log out.
	most := s.max
	if t.Kind == stores.Revoked {
		most += max(s.max/revocations, 1)
	}
	if !reserve(&s.tokens, 1, most) {
		return false, false, nil
	}
	if !rooted {
		if !reserve(&s.families, 1, most) {
			s.tokens.Add(-1)
			return false, false, nil
		}
		f = &family{id: key.family, kind: sh.kind(t.Kind), expires: micros(t.FamilyExpires)}
		f.member.id = &f.id
		s.owners.add(&f.member, t.Owner)
		sh.families[key.family] = f
		sh.ending.push(f)
		sh.insert(&f.root, key, f, t)
		return true, true, nil
	}
	sh.add(key, f, t)
	return true, true, nil
}

// find returns a token of the shard. A token is deleted before its family.
func (sh *tokenShard) find(key tokenKey) (t *token, found bool) {
	f, found := sh.families[key.family]
	if !found {
		return nil, false
	}
	return sh.member(f, key)
}

// member returns a token of a family.
func (sh *tokenShard) member(f *family, key tokenKey) (t *token, found bool) {
	if f.root.family != nil && f.root.id == key.id {
		return &f.root, true
	}
	t, found = sh.others[key]
	return t, found
}

func (s *Tokens) errFull() error {
	return fmt.Errorf("%w: %d tokens or families", stores.ErrFull, s.max)
}

// add stores another token of a family. The caller has counted it.
func (sh *tokenShard) add(key tokenKey, f *family, given stores.Token) {
	t := new(token)
	sh.others[key] = t
	sh.insert(t, key, f, given)
}

// insert sets the fields of a token of a family, and adds it to the family's list and
// to the heap. The caller adds it where it is found.
func (sh *tokenShard) insert(t *token, key tokenKey, f *family, given stores.Token) {
	*t = token{
		id:        key.id,
		family:    f,
		next:      f.first,
		kind:      sh.kind(given.Kind),
		owner:     f.member.owner[0],
		digest:    given.Digest,
		name:      strings.Clone(given.Name),
		data:      slices.Clone(given.Data),
		created:   micros(given.Created),
		expires:   micros(given.Expires),
		consumed:  micros(given.Consumed),
		lastUsed:  micros(given.LastUsed),
		delivered: micros(given.Delivered),
	}
	t.copyAbilities(sh, given.Abilities)
	if t.owner != given.Owner {
		t.owner = strings.Clone(given.Owner)
	}
	if f.first != nil {
		f.first.prev = t
	}
	f.first = t
	sh.expiring.push(t)
	sh.publish()
}

func (sh *tokenShard) kind(kind stores.Kind) unique.Handle[stores.Kind] {
	if kind != sh.lastKind.Value() {
		sh.lastKind = unique.Make(kind)
	}
	return sh.lastKind
}

func (sh *tokenShard) ability(ability string) string {
	if ability != sh.lastAbility {
		sh.lastAbility = strings.Clone(ability)
	}
	return sh.lastAbility
}

func parseKey(family, token string) (key tokenKey, ok bool) {
	f, ok1 := parseID(family)
	t, ok2 := parseID(token)
	return tokenKey{f, t}, ok1 && ok2
}

func (s *Tokens) shard(family id) *tokenShard {
	return &s.shards[int(family[0])%len(s.shards)]
}

// publish updates firstExpiry after a change.
func (sh *tokenShard) publish() {
	sh.firstExpiry.Store(min(sh.expiring.first(), sh.ending.first()))
}
