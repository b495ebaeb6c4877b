package preflight

import (
	"reflect"
	"slices"
	"sync"

	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

// Usage records which middlewares an application makes. The zero Usage is empty. It is safe for
// concurrent use.
type Usage struct {
	mu        sync.Mutex
	abilities map[string]bool
	resources map[reflect.Type]bool
	email     bool
	guards    map[uintptr]bool
}

// Ability records that a route asks for an ability.
func (u *Usage) Ability(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.abilities == nil {
		u.abilities = make(map[string]bool)
	}
	u.abilities[name] = true
}

// Resource records what a route asks about: at most one resource, which tells its type if it is
// loaded later.
func (u *Usage) Resource(list []any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range list {
		t := gate.ResourceType(r)
		if later, ok := r.(interface{ ResourceType() reflect.Type }); ok {
			t = later.ResourceType()
		}
		if t.Kind() == reflect.Interface {
			continue // the resource may be of any type
		}
		if u.resources == nil {
			u.resources = make(map[reflect.Type]bool)
		}
		u.resources[t] = true
	}
}

// VerifiesEmail records that a route requires a verified address.
func (u *Usage) VerifiesEmail() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.email = true
}

// Guard records that handlers with this code guard routes. All handlers that one function makes
// have the same code.
func (u *Usage) Guard(code uintptr) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.guards == nil {
		u.guards = make(map[uintptr]bool)
	}
	u.guards[code] = true
}

// Guards reports whether handlers with this code guard routes.
func (u *Usage) Guards(code uintptr) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.guards[code]
}

// Check finds abilities and types of users that do not fit the rules of a gate.
func (u *Usage) Check(rules []gate.Rule, providers []models.UserProvider) []Finding {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Concat(
		abilities(rules, u.abilities), userTypes(rules, providers, u.email), resourceTypes(rules, u.resources),
	)
}
