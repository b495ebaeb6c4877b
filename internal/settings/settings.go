// Package settings checks the parts of a configuration that belong to no engine.
package settings

import (
	"fmt"
	"strings"

	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/redirect"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// Stores refuses a Set with gaps. Memory in place of a forgotten database would lose
// data silently.
func Stores(f *faults.List, s stores.Set) {
	if s == (stores.Set{}) {
		return
	}
	const missing = "is missing beside the others; name one, of package memstore if memory is meant"
	switch {
	case s.Sessions == nil && s.ClientSessions == nil:
		f.Add("Stores.Sessions", missing)
	case s.Sessions != nil && s.ClientSessions != nil:
		f.Add("Stores.ClientSessions", "is named beside Stores.Sessions: sessions are in a store or in their cookies, so one of the two is nil")
	}
	switch {
	case s.Tokens == nil && s.ClientSessions != nil:
		f.Add("Stores.Tokens", "is missing: nothing else remembers that a session in a cookie has ended, and a logout would not hold")
	case s.Tokens == nil:
		f.Add("Stores.Tokens", missing)
	}
	if s.Limiter == nil {
		f.Add("Stores.Limiter", missing)
	}
}

// WithUser returns how the store of sessions loads them with their users, or nil.
func WithUser(sessions stores.Sessions, users models.UserProvider) stores.LoadWithUser {
	joins, ok := sessions.(stores.UserSessions)
	if !ok || models.IsNilProvider(users) {
		return nil
	}
	return joins.WithUsers(users, realm.OwnerName(realm.Default, ""))
}

// InMemory reports whether no store outlives the process. ClientSessions store nothing:
// what they seal under a key that was generated for this process opens in no other.
func InMemory(s stores.Set) bool {
	_, sessions := s.Sessions.(*memstore.Sessions)
	_, tokens := s.Tokens.(*memstore.Tokens)
	_, limiter := s.Limiter.(*memstore.Limiter)
	return (sessions || s.ClientSessions != nil) && tokens && limiter
}

// Ring parses the application's keys. Memory says that all stores are in memory, so that a
// generated key will do: what this process issues ends with the process, as its stores do. A key
// with a fault is replaced by a generated one too, so that New can check the rest before it fails.
func Ring[K ~string](f *faults.List, key K, previous []K, memory bool) *keys.Ring {
	if key == "" {
		if !memory {
			f.Add("Key", "is empty, which is accepted only while all stores are in memory: set one, as NewKey makes")
		}
		if len(previous) > 0 {
			f.Add("PreviousKeys", "are set, and Key is not")
		}
		key, previous = K(keys.Generate()), nil
	}
	current, err := keys.Parse(string(key))
	if err != nil {
		f.Add("Key", "%v", err)
		current, _ = keys.Parse(keys.Generate())
	}
	var earlier [][]byte
	for i, text := range previous {
		old, err := keys.Parse(string(text))
		if err != nil {
			f.Add(fmt.Sprintf("PreviousKeys[%d]", i), "%v", err)
			continue
		}
		earlier = append(earlier, old)
	}
	return keys.NewRing(current, earlier...)
}

// Prefixes refuses prefixes of paths that do not begin with a slash.
func Prefixes(f *faults.List, field string, prefixes []string) {
	for _, prefix := range prefixes {
		if !strings.HasPrefix(prefix, "/") {
			f.Add(field, "%q does not begin with a slash", prefix)
		}
	}
}

// Paths refuses texts that are no paths on this site. The empty path is accepted.
func Paths(f *faults.List, fields map[string]string) {
	for field, path := range fields {
		if clean, ok := redirect.Clean(path); path != "" && (!ok || clean != path) {
			f.Add(field, "%q is not a path on this site", path)
		}
	}
}
