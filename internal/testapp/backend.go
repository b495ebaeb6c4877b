package testapp

import (
	"context"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testbackends"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/cookiestore"
)

// Users is a provider with every capability, which tests can look into.
type Users interface {
	models.UserProvider
	models.Registrar
	models.AddresslessRegistrar
	models.Prototype
	models.PasswordUpdater
	models.PasswordChanger
	models.StampChanger
	models.EmailVerifier
	models.EmailChanger
	// Change stores what f makes of a user.
	Change(id string, f func(*models.User))
	// Remove deletes a user.
	Remove(id string)
	// Count returns how many users there are.
	Count() int
}

// Backend is what an application runs on: stores and users. It ends with its
// test.
type Backend struct {
	testbackends.Backend
	// Users are in the database if there is one, and in memory otherwise.
	Users Users
}

// memoryUsers are users in this process.
type memoryUsers struct {
	*ginauthtest.Users
	count atomic.Int64
}

// newUsers returns an empty provider in memory.
func newUsers() Users { return &memoryUsers{Users: new(ginauthtest.Users)} }

func (p *memoryUsers) CreateUser(ctx context.Context, u models.Authenticatable) error {
	err := p.Users.CreateUser(ctx, u)
	if err == nil {
		p.count.Add(1)
	}
	return err
}

func (p *memoryUsers) CreateAddresslessUser(ctx context.Context, u models.Authenticatable) error {
	err := p.Users.CreateAddresslessUser(ctx, u)
	if err == nil {
		p.count.Add(1)
	}
	return err
}

func (p *memoryUsers) Change(id string, f func(*models.User)) { p.Update(id, f) }

func (p *memoryUsers) Remove(id string) {
	p.Delete(id)
	p.count.Add(-1)
}

func (p *memoryUsers) Count() int { return int(p.count.Load()) }

// on adds users to what package testbackends opened.
func on(opened testbackends.Backend) *Backend {
	b := &Backend{Backend: opened, Users: newUsers()}
	if opened.DB != nil {
		b.Users = opened.Users()
	}
	return b
}

// EachBackend runs a test on memory, on SQLite, with sessions in files and in
// their cookies, and, where time is not short, on the servers that there are.
func EachBackend(t *testing.T, test func(t *testing.T, b *Backend)) {
	t.Helper()
	testbackends.Each(t, func(t *testing.T, opened testbackends.Backend) { test(t, on(opened)) })
}

// EachBackendOfAccounts is EachBackend for tests that are not about sessions. It
// leaves out the backends that differ from memory in sessions alone.
func EachBackendOfAccounts(t *testing.T, test func(t *testing.T, b *Backend)) {
	t.Helper()
	testbackends.EachOfAccounts(t, func(t *testing.T, opened testbackends.Backend) { test(t, on(opened)) })
}

// EachKindOfSession runs a test with sessions in a store, where one store is as
// good as another, and with sessions in their cookies.
func EachKindOfSession(t *testing.T, test func(t *testing.T, b *Backend)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, Memory(t)) })
	t.Run("cookie", func(t *testing.T) { test(t, Cookie(t)) })
}

// EachCookieBackend runs a test with sessions in their cookies, on each store of
// tokens, which records the sessions that have ended.
func EachCookieBackend(t *testing.T, test func(t *testing.T, b *Backend)) {
	t.Helper()
	testbackends.EachOfAccounts(t, func(t *testing.T, opened testbackends.Backend) { test(t, on(opened).InCookies()) })
}

// Memory keeps everything in this process.
func Memory(t testing.TB) *Backend { t.Helper(); return on(testbackends.Memory(t)) }

// Cookie keeps sessions in their cookies, and the rest in this process.
func Cookie(t testing.TB) *Backend { t.Helper(); return on(testbackends.Cookie(t)) }

// SQLite keeps everything in a file.
func SQLite(t testing.TB) *Backend { t.Helper(); return on(testbackends.SQLite(t)) }

// SQL keeps everything in a database, which it migrates.
func SQL(t testing.TB, name string, db *gorm.DB) *Backend {
	t.Helper()
	return on(testbackends.SQL(t, name, db))
}

// Redis keeps everything but users on the server.
func Redis(t testing.TB) *Backend { t.Helper(); return on(testbackends.Redis(t)) }

// Postgres keeps everything on the server.
func Postgres(t testing.TB) *Backend {
	t.Helper()
	return SQL(t, "postgres", testservers.Postgres(t))
}

// InCookies moves the sessions into their cookies, and returns the backend.
func (b *Backend) InCookies() *Backend {
	b.Name, b.Set.Sessions, b.Set.ClientSessions = "cookie", nil, cookiestore.New()
	return b
}
