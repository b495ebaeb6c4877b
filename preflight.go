package ginauth

import (
	"context"
	"reflect"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/gintree"
	"github.com/ginauth/ginauth/internal/preflight"
	"github.com/ginauth/ginauth/internal/settings"
	"github.com/ginauth/ginauth/models"
)

// Preflight checks the finished application and returns what is likely to be wrong: abilities that a route asks for
// and no rule defines, rules for types of users that no provider returns, routes with neither Auth nor Guest nor
// Public, settings that are unsafe in production, and what stores and features report. Call it once all routes are
// registered, and decide whether to start. The context limits the calls to stores. The engine may be nil.
func (m *Manager) Preflight(ctx context.Context, engine *gin.Engine) []Finding {
	var providers []models.UserProvider
	for _, name := range m.guardNames() {
		providers = append(providers, m.guards[name].realm.Users)
	}
	rules := m.gate.Rules()
	found := slices.Concat(
		m.usage.Check(rules, providers),
		m.checkRoutes(engine),
		m.checkSettings(engine),
		preflight.Stores(ctx, m.stores, !m.keyless),
		preflight.Users(ctx, providers, m.hasher),
		preflight.Shared(ctx, m.stores.Tokens, m.marks, m.cfg.Now()),
	)
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
	public := reflect.ValueOf(publicRoute).Pointer()
	return preflight.Routes(gintree.Without(engine, func(h uintptr) bool { return h == public || m.usage.Guards(h) }))
}

// checkSettings finds settings that are unsafe in production.
func (m *Manager) checkSettings(engine *gin.Engine) []preflight.Finding {
	release, clientIP := gin.Mode() == gin.ReleaseMode, ""
	if m.cfg.ClientIP != nil && engine != nil {
		clientIP = gintree.CheckClientIP(engine, m.cfg.ClientIP)
	}
	return preflight.Unsafe(&preflight.Application{
		Keyless: m.keyless, Memory: m.memory, Release: release, NoProxies: m.cfg.ClientIP == nil, ClientIP: clientIP,
		OutsideBase: m.cfg.BasePath != "" && settings.OutsideBase(m.cfg.Mail.BaseURL, m.cfg.BasePath),
		Cookie:      &m.cfg.Session.Cookie, Throttle: &m.cfg.Throttle, CrossOrigin: &m.cfg.CrossOrigin, JWT: &m.cfg.JWT,
		WeakHashes: m.cfg.Hashing.InsecureAllowWeakParameters,
	})
}

// guarding records that a handler guards routes, and returns it.
func (m *Manager) guarding(h gin.HandlerFunc) gin.HandlerFunc {
	m.usage.Guard(reflect.ValueOf(h).Pointer())
	return h
}

// Public marks a route that is open to every client on purpose. It only keeps Preflight from reporting the route.
func Public() gin.HandlerFunc { return publicRoute }

// Public marks a route that is open to every client on purpose, as the function Public does.
func (*Manager) Public() gin.HandlerFunc { return publicRoute }

func publicRoute(*gin.Context) {}
