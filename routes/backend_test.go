package routes_test

import (
	"testing"

	"github.com/ginauth/ginauth/internal/testbackends"
	"github.com/ginauth/ginauth/models"
)

// users is a user provider whose users tests can change and remove.
type users interface {
	models.UserProvider
	models.Registrar
	change(id string, f func(*models.User))
	remove(id string)
	count() int
}

// sqlUsers is a user provider on a database.
type sqlUsers struct{ testbackends.SQLUsers }

func (p sqlUsers) change(id string, f func(*models.User)) { p.Change(id, f) }
func (p sqlUsers) remove(id string)                       { p.Remove(id) }
func (p sqlUsers) count() int                             { return p.Count() }

type backend struct {
	testbackends.Backend
	users users
}

// eachBackend runs a test on each backend of package testbackends.
func eachBackend(t *testing.T, test func(t *testing.T, b backend)) {
	t.Helper()
	testbackends.Each(t, func(t *testing.T, opened testbackends.Backend) { test(t, backendOn(opened)) })
}

// eachOfAccounts is like eachBackend, for tests that do not test sessions.
func eachOfAccounts(t *testing.T, test func(t *testing.T, b backend)) {
	t.Helper()
	testbackends.EachOfAccounts(t, func(t *testing.T, opened testbackends.Backend) { test(t, backendOn(opened)) })
}

func memory(t *testing.T) backend { t.Helper(); return backendOn(testbackends.Memory(t)) }

// backendOn adds a user provider to a backend: in its database, if it has one.
func backendOn(opened testbackends.Backend) backend {
	b := backend{opened, newMemoryUsers()}
	if opened.DB != nil {
		b.users = sqlUsers{opened.Users()}
	}
	return b
}
