package ginauth

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/gintree"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// Finding is something that Preflight found.
type Finding struct {
	// Subject is what it is about: a setting, an ability, a route.
	Subject string
	// Problem says what is wrong, and what to do.
	Problem string
}

// String returns "subject: problem".
func (f Finding) String() string { return f.Subject + ": " + f.Problem }

// usage is what middlewares were made of a manager, for Preflight.
type usage struct {
	mu        sync.Mutex
	abilities map[string]bool
	email     bool
	kinds     map[uintptr]middlewareKind
}

// middlewareKind says what a middleware does for a route's protection.
type middlewareKind uint8

const (
	kindNeutral middlewareKind = iota
	kindGuard
	kindPublic
)

func (u *usage) ability(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.abilities == nil {
		u.abilities = make(map[string]bool)
	}
	u.abilities[name] = true
}

func (u *usage) verifiesEmail() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.email = true
}

// mark notes what a middleware is, by its code: all that one function returns
// share it.
func (m *Manager) mark(kind middlewareKind, h gin.HandlerFunc) gin.HandlerFunc {
	if kind != kindNeutral {
		m.usage.mu.Lock()
		defer m.usage.mu.Unlock()
		if m.usage.kinds == nil {
			m.usage.kinds = make(map[uintptr]middlewareKind)
		}
		m.usage.kinds[reflect.ValueOf(h).Pointer()] = kind
	}
	return h
}

// Preflight looks at the finished application and reports what is likely to be
// wrong: abilities that a route asks for and nobody defined, rules for types of
// users that no provider returns, routes with neither Auth nor Guest nor
// Public, and settings that are unsafe in production. Call it when all routes
// are registered, and decide whether to go on. The context bounds the questions
// it asks the stores.
func (m *Manager) Preflight(ctx context.Context, engine *gin.Engine) []Finding {
	var found []Finding
	found = append(found, m.verifyAbilities()...)
	found = append(found, m.verifyUserTypes()...)
	found = append(found, m.verifyRoutes(engine)...)
	found = append(found, m.verifySettings(engine)...)
	return append(found, m.verifyStores(ctx)...)
}

func (m *Manager) verifyAbilities() []Finding {
	defined := make(map[string]bool)
	for _, rule := range m.gate.Rules() {
		defined[rule.Ability] = true
	}
	m.usage.mu.Lock()
	defer m.usage.mu.Unlock()
	var found []Finding
	for name := range m.usage.abilities {
		if !defined[name] {
			found = append(found, Finding{fmt.Sprintf("ability %q", name),
				"Authorize asks for it and nobody defined it: everybody is denied"})
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Compare(a.Subject, b.Subject) })
	return found
}

// verifyUserTypes compares the types that rules are written for with those that
// providers return, as far as these say so.
func (m *Manager) verifyUserTypes() []Finding {
	var types []reflect.Type
	known := true
	for _, name := range m.guardNames() {
		p, ok := m.guards[name].realm.Users.(models.Prototype)
		if !ok {
			known = false
			continue
		}
		types = append(types, reflect.TypeOf(p.PrototypeUser()))
	}
	var found []Finding
	for _, rule := range m.gate.Rules() {
		matches := slices.ContainsFunc(types, func(t reflect.Type) bool { return t.AssignableTo(rule.User) })
		if known && !matches {
			found = append(found, Finding{fmt.Sprintf("ability %q", rule.Ability),
				fmt.Sprintf("is written for users of type %v, which no provider returns: everybody is denied", rule.User)})
		}
	}
	m.usage.mu.Lock()
	defer m.usage.mu.Unlock()
	capable := slices.ContainsFunc(types, func(t reflect.Type) bool {
		return t.Implements(reflect.TypeFor[models.EmailVerifiable]())
	})
	if m.usage.email && known && !capable {
		found = append(found, Finding{"EnsureEmailVerified",
			"no provider returns users that are models.EmailVerifiable: everybody is denied"})
	}
	return found
}

// verifyRoutes reports routes that nobody decided about.
func (m *Manager) verifyRoutes(engine *gin.Engine) []Finding {
	if engine == nil {
		return nil
	}
	routes, err := gintree.Routes(engine)
	if err != nil {
		return []Finding{{"routes", fmt.Sprintf("cannot be looked at with this version of gin (%v): check yourself that each has a guard", err)}}
	}
	m.usage.mu.Lock()
	defer m.usage.mu.Unlock()
	public := reflect.ValueOf(publicRoute).Pointer()
	var found []Finding
	for _, r := range routes {
		decided := slices.ContainsFunc(r.Handlers, func(h uintptr) bool {
			return h == public || m.usage.kinds[h] == kindGuard
		})
		if !decided {
			found = append(found, Finding{r.Method + " " + r.Path,
				"has neither Auth nor Guest: add one, or Public if everybody may use it"})
		}
	}
	return found
}

func (m *Manager) verifySettings(engine *gin.Engine) []Finding {
	var found []Finding
	add := func(subject, problem string) { found = append(found, Finding{subject, problem}) }
	release := gin.Mode() == gin.ReleaseMode
	if m.keyless {
		add("Key", "is not set: everything ends with this process")
	}
	if m.memory && release {
		add("Stores", "are in memory: what they hold ends with this process and is not shared with another")
	}
	if m.cfg.Session.Cookie.InsecureAllowHTTP && release {
		add("Session.Cookie.InsecureAllowHTTP", "sends sessions in the clear")
	}
	if m.cfg.Throttle.InsecureDisable {
		add("Throttle.InsecureDisable", "lets anybody guess passwords as fast as they like")
	}
	if m.cfg.CrossOrigin.InsecureDisable {
		add("CrossOrigin.InsecureDisable", "lets other sites act in a user's name")
	}
	if m.cfg.JWT.InsecureIgnoreRevocationOutage {
		add("JWT.InsecureIgnoreRevocationOutage", "accepts revoked tokens while the store cannot be asked")
	}
	if m.cfg.Hashing.InsecureAllowWeakParameters {
		add("Hashing.InsecureAllowWeakParameters", "makes stolen hashes cheap to break")
	}
	if m.cfg.ClientIP == nil && release {
		add("ClientIP", "is not set: behind a proxy all clients would share one address, and its limits")
	}
	if m.cfg.ClientIP != nil && engine != nil && trustsEverybody(engine) {
		add("SetTrustedProxies", "was not called: with gin's default everybody is a trusted proxy, and addresses are what clients say")
	}
	return found
}

// trustsEverybody reports whether gin takes the word of any peer for an
// address. It asks by trying.
func trustsEverybody(engine *gin.Engine) bool {
	return gintree.ClientIP(engine, "203.0.113.1:1", "198.51.100.7") == "198.51.100.7" &&
		gintree.ClientIP(engine, "[2001:db8::1]:1", "198.51.100.7") == "198.51.100.7"
}

func (m *Manager) verifyStores(ctx context.Context) []Finding {
	var found []Finding
	if _, memory := m.stores.Tokens.(*memstore.Tokens); memory && m.stores.ClientSessions != nil && !m.keyless {
		found = append(found, Finding{"Stores.Tokens",
			"are in memory beside Stores.ClientSessions: a session that ended lives again after a restart, and in every other process: " +
				"name a token store that all share and that lasts"})
	}
	for name, store := range map[string]any{
		"Stores.Sessions": m.stores.Sessions, "Stores.ClientSessions": m.stores.ClientSessions,
		"Stores.Tokens": m.stores.Tokens, "Stores.Limiter": m.stores.Limiter,
	} {
		checker, ok := store.(stores.Checker)
		if !ok {
			continue
		}
		problems, err := checker.Check(ctx)
		if err != nil {
			found = append(found, Finding{name, fmt.Sprintf("could not be checked: %v", err)})
		}
		for _, problem := range problems {
			found = append(found, Finding{name, problem})
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Compare(a.String(), b.String()) })
	return found
}

// Public marks a route that is open to everybody on purpose. It only keeps Preflight
// from reporting the route.
func Public() gin.HandlerFunc { return publicRoute }

func publicRoute(*gin.Context) {}
