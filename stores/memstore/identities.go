package memstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var _ stores.Identities = (*Identities)(nil)

// Identities is a stores.Identities in memory.
type Identities struct {
	mu     sync.Mutex
	all    map[identityName]stores.Identity
	owners map[string][]identityName
	max    int
}

type identityName struct{ provider, subject string }

// NewIdentities returns an empty store, for as many identities as there may be tokens.
func NewIdentities(o Options) *Identities {
	return &Identities{
		all: make(map[identityName]stores.Identity), owners: make(map[string][]identityName), max: o.filled().MaxTokens,
	}
}

// FindIdentity implements stores.Identities.
func (s *Identities) FindIdentity(ctx context.Context, provider, subject string) (stores.Identity, bool, error) {
	if err := ended(ctx); err != nil {
		return stores.Identity{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.all[identityName{provider, subject}]
	i.Data = bytes.Clone(i.Data)
	return i, found, nil
}

// IdentitiesOf implements stores.Identities.
func (s *Identities) IdentitiesOf(ctx context.Context, owner string) ([]stores.Identity, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []stores.Identity
	for _, name := range s.owners[owner] {
		i := s.all[name]
		i.Data = bytes.Clone(i.Data)
		found = append(found, i)
	}
	slices.SortStableFunc(found, func(a, b stores.Identity) int { return a.Created.Compare(b.Created) })
	return found, nil
}

// CreateIdentity implements stores.Identities.
func (s *Identities) CreateIdentity(ctx context.Context, i stores.Identity) error {
	if err := cmp.Or(i.Validate(), ended(ctx)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := identityName{i.Provider, i.Subject}
	if _, exists := s.all[name]; exists {
		return fmt.Errorf("ginauth: create identity: %w", stores.ErrExists)
	}
	if len(s.all) >= s.max || len(s.owners[i.Owner]) >= stores.MaxIdentities {
		return fmt.Errorf("ginauth: create identity: %w", stores.ErrFull)
	}
	i.Data = bytes.Clone(i.Data)
	s.all[name] = i
	s.owners[i.Owner] = append(s.owners[i.Owner], name)
	return nil
}

// UseIdentity implements stores.Identities.
func (s *Identities) UseIdentity(
	ctx context.Context, now time.Time, owner, provider, subject string, data []byte,
) (bool, error) {
	if len(data) > stores.MaxIdentityData {
		return false, fmt.Errorf("ginauth: use identity: more than %d bytes of data", stores.MaxIdentityData)
	}
	if err := ended(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := identityName{provider, subject}
	i, found := s.all[name]
	if !found || i.Owner != owner {
		return false, nil
	}
	i.LastUsed = now
	if data != nil {
		i.Data = bytes.Clone(data)
	}
	s.all[name] = i
	return true, nil
}

// DeleteIdentity implements stores.Identities.
func (s *Identities) DeleteIdentity(ctx context.Context, owner, provider, subject string, others ...string) (bool, error) {
	if err := ended(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := identityName{provider, subject}
	if i, found := s.all[name]; !found || i.Owner != owner {
		return false, nil
	}
	another := func(n identityName) bool { return n != name && slices.Contains(others, n.provider) }
	if len(others) > 0 && !slices.ContainsFunc(s.owners[owner], another) {
		return false, nil
	}
	delete(s.all, name)
	left := slices.DeleteFunc(s.owners[owner], func(n identityName) bool { return n == name })
	if s.owners[owner] = left; len(left) == 0 {
		delete(s.owners, owner)
	}
	return true, nil
}
