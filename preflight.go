package ginauth

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/gintree"
	"github.com/ginauth/ginauth/internal/preflight"
	"github.com/ginauth/ginauth/models"
)

// Finding is a problem that Preflight found.
type Finding struct {
	// Subject is what the problem is about: a setting, an ability, a route.
	Subject string
	// Problem says what is wrong and what to do.
	Problem string
}

// String returns "subject: problem".
func (f Finding) String() string { return f.Subject + ": " + f.Problem }

// Preflight checks the finished application and returns what is likely to be wrong: abilities that a route asks
// for and no rule defines, rules for types of users that no provider returns, routes with neither Auth nor
// Guest nor Public, settings that are unsafe in production, and what stores and features report. Call it once
// all routes are registered, and decide whether to start. The context limits the calls to stores. The engine
// may be nil.
func (m *Manager) Preflight(ctx context.Context, engine *gin.Engine) []Finding {
	var providers []models.UserProvider
	for _, name := range m.guardNames() {
		providers = append(providers, m.guards[name].realm.Users)
	}
	rules := m.gate.Rules()
	var found []Finding
	for _, f := range slices.Concat(
		m.usage.Check(rules, providers),
		m.checkRoutes(engine),
		m.checkSettings(engine),
		preflight.Stores(ctx, m.stores, !m.keyless),
	) {
		found = append(found, Finding(f))
	}
	for _, check := range m.features.preflight {
		found = append(found, check(ctx)...)
	}
	return found
}

// checkRoutes finds routes that are neither guarded nor public.
func (m *Manager) checkRoutes(engine *gin.Engine) []preflight.Finding {
	if engine == nil {
		return nil
	}
	routes, err := gintree.Routes(engine)
	if err != nil {
		return []preflight.Finding{{Subject: "routes", Problem: fmt.Sprintf(
			"cannot be read with this version of Gin (%v): check yourself that each has a guard", err)}}
	}
	public := reflect.ValueOf(publicRoute).Pointer()
	var found []preflight.Finding
	for _, r := range routes {
		if !slices.ContainsFunc(r.Handlers, func(h uintptr) bool { return h == public || m.usage.Guards(h) }) {
			found = append(found, preflight.Finding{Subject: r.Method + " " + r.Path,
				Problem: "has neither Auth nor Guest: add one, or Public if every client may use it"})
		}
	}
	return found
}

// checkSettings finds settings that are unsafe in production.
func (m *Manager) checkSettings(engine *gin.Engine) []preflight.Finding {
	release := gin.Mode() == gin.ReleaseMode
	var found []preflight.Finding
	for _, s := range []struct {
		unsafe           bool
		subject, problem string
	}{
		{m.keyless, "Key", "is not set: everything ends with this process"},
		{m.memory && release, "Stores", "are in memory: their content ends with this process and no other process shares it"},
		{m.cfg.Session.Cookie.InsecureAllowHTTP && release, "Session.Cookie.InsecureAllowHTTP", "sends sessions without encryption"},
		{m.cfg.Throttle.InsecureDisable, "Throttle.InsecureDisable", "allows any number of password guesses"},
		{m.cfg.CrossOrigin.InsecureDisable, "CrossOrigin.InsecureDisable", "lets other sites act in a user's name"},
		{m.cfg.JWT.InsecureIgnoreRevocationOutage, "JWT.InsecureIgnoreRevocationOutage", "accepts revoked tokens while the store fails"},
		{m.cfg.Hashing.InsecureAllowWeakParameters, "Hashing.InsecureAllowWeakParameters", "makes stolen hashes cheap to break"},
		{m.cfg.ClientIP == nil && release, "ClientIP", "is not set: behind a proxy all clients share one address and its limits"},
		{m.cfg.ClientIP != nil && engine != nil && gintree.TrustsEverybody(engine), "SetTrustedProxies",
			"was not called: by default Gin trusts every peer, and addresses are what clients claim"},
	} {
		if s.unsafe {
			found = append(found, preflight.Finding{Subject: s.subject, Problem: s.problem})
		}
	}
	return found
}

// guarding records that a handler guards routes, and returns it.
func (m *Manager) guarding(h gin.HandlerFunc) gin.HandlerFunc {
	m.usage.Guard(reflect.ValueOf(h).Pointer())
	return h
}

// Public marks a route that is open to every client on purpose. It only keeps Preflight from reporting the
// route.
func Public() gin.HandlerFunc { return publicRoute }

func publicRoute(*gin.Context) {}
