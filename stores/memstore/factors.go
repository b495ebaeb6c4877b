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

var _ stores.Factors = (*Factors)(nil)

// Factors is a stores.Factors in memory.
type Factors struct {
	mu     sync.Mutex
	owners map[string][]stores.Factor
	count  int
	max    int
}

// NewFactors returns an empty store, for as many factors as there may be tokens.
func NewFactors(o Options) *Factors {
	return &Factors{owners: make(map[string][]stores.Factor), max: o.filled().MaxTokens}
}

// FactorsOf implements stores.Factors.
func (s *Factors) FactorsOf(ctx context.Context, owner string, kinds ...string) ([]stores.Factor, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []stores.Factor
	for _, f := range s.owners[owner] {
		if len(kinds) == 0 || slices.Contains(kinds, f.Kind) {
			f.Data = bytes.Clone(f.Data)
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b stores.Factor) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return found, nil
}

// find returns the place of a factor, or -1. The caller holds the lock.
func (s *Factors) find(owner, kind, id string) int {
	return slices.IndexFunc(s.owners[owner], func(f stores.Factor) bool { return f.Kind == kind && f.ID == id })
}

// CreateFactor implements stores.Factors.
func (s *Factors) CreateFactor(ctx context.Context, f stores.Factor) error {
	if err := f.Validate(); err != nil {
		return err
	}
	if err := ended(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.find(f.Owner, f.Kind, f.ID) >= 0:
		return fmt.Errorf("ginauth: create factor: %w", stores.ErrExists)
	case s.count >= s.max:
		return fmt.Errorf("ginauth: create factor: %w", stores.ErrFull)
	}
	s.add(f)
	return nil
}

func (s *Factors) add(f stores.Factor) {
	f.Data = bytes.Clone(f.Data)
	s.owners[f.Owner] = append(s.owners[f.Owner], f)
	s.count++
}

// AdvanceFactor implements stores.Factors.
func (s *Factors) AdvanceFactor(ctx context.Context, now time.Time, owner, kind, id string, counter int64, data []byte) (bool, error) {
	if err := ended(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(owner, kind, id)
	if i < 0 || s.owners[owner][i].Counter >= counter {
		return false, nil
	}
	s.owners[owner][i].Counter, s.owners[owner][i].LastUsed = counter, now
	if data != nil {
		s.owners[owner][i].Data = bytes.Clone(data)
	}
	return true, nil
}

// DeleteFactor implements stores.Factors.
func (s *Factors) DeleteFactor(ctx context.Context, owner, kind, id string) (bool, error) {
	if err := ended(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(owner, kind, id) < 0 {
		return false, nil
	}
	s.remove(owner, func(f stores.Factor) bool { return f.Kind == kind && f.ID == id })
	return true, nil
}

func (s *Factors) remove(owner string, is func(stores.Factor) bool) {
	before := len(s.owners[owner])
	left := slices.DeleteFunc(s.owners[owner], is)
	s.count -= before - len(left)
	if s.owners[owner] = left; len(left) == 0 {
		delete(s.owners, owner)
	}
}

// ReplaceFactors implements stores.Factors.
func (s *Factors) ReplaceFactors(ctx context.Context, owner, kind string, factors []stores.Factor) error {
	if err := stores.ValidateFactors(owner, kind, factors); err != nil {
		return err
	}
	if err := ended(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count+len(factors) > s.max {
		return fmt.Errorf("ginauth: replace factors: %w", stores.ErrFull)
	}
	s.remove(owner, func(f stores.Factor) bool { return f.Kind == kind })
	for _, f := range factors {
		s.add(f)
	}
	return nil
}
