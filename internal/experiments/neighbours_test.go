package experiments

import (
	"context"
	"slices"
	"testing"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testbackends"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// onSharedServers runs a test on each server that two applications can share. Open returns the
// stores of one of them, which a prefix keeps apart.
func onSharedServers(t *testing.T, test func(t *testing.T, open func(prefix string) stores.Set)) {
	tables := func(t *testing.T, db *gorm.DB) func(prefix string) stores.Set {
		return func(prefix string) stores.Set {
			option := gormstore.TablePrefix(prefix)
			if err := gormstore.Migrate(t.Context(), db, option); err != nil {
				t.Fatal(err)
			}
			return gormstore.New(db, option)
		}
	}
	t.Run("sqlite", func(t *testing.T) { test(t, tables(t, testbackends.SQLite(t).DB)) })
	t.Run("postgres", func(t *testing.T) { test(t, tables(t, testservers.Postgres(t))) })
	t.Run("mysql", func(t *testing.T) { test(t, tables(t, testservers.MySQL(t))) })
	t.Run("redis", func(t *testing.T) {
		client, prefix := testservers.Redis(t)
		test(t, func(own string) stores.Set { return redisstore.New(client, redisstore.WithPrefix(prefix+own)) })
	})
}

// neighbour starts an application with users of its own, whose first is Alice.
func neighbour(t *testing.T, set stores.Set, key ginauth.Key) *testapp.App {
	b := testapp.Memory(t)
	b.Set = set
	return testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Key = key }))
}

// TestNeighbours runs two applications with keys of their own on one server, whose users have
// equal ids. Neither sees, ends or counts what the other has.
func TestNeighbours(t *testing.T) {
	onSharedServers(t, func(t *testing.T, open func(prefix string) stores.Set) {
		sets := [2]stores.Set{open("one_"), open("two_")}
		a := neighbour(t, sets[0], testapp.Key)
		b := neighbour(t, sets[1], ginauth.Key("base64:YW5vdGhlciBhcHBsaWNhdGlvbiBoYXMgdGhpcyBrZXk="))

		session, remembered := a.LoggedIn(testapp.Alice), a.Remembered(testapp.Alice)
		pair := a.IssueTokens(testapp.Alice)
		personal := session.Personal("read")
		factor := stores.Factor{Owner: "users:1", Kind: "totp", ID: "0123456789abcdef0123456789abcdef", Created: a.Clock.Now()}
		if err := sets[0].Factors.CreateFactor(t.Context(), factor); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			a.Client().LogIn(testapp.Bob, "wrong")
		}
		a.Client().LogIn(testapp.Bob, testapp.Password).Want(t, 429)

		other := b.LoggedIn(testapp.Alice)
		b.Client().LogIn(testapp.Bob, testapp.Password).Want(t, 200)
		if devices := other.Devices(); len(devices) != 1 {
			t.Errorf("the other application lists %+v", devices)
		}
		if tokens := other.Tokens(); len(tokens) != 0 {
			t.Errorf("the other application lists %+v", tokens)
		}
		if found, err := sets[1].Factors.FactorsOf(t.Context(), factor.Owner); err != nil || len(found) > 0 {
			t.Errorf("the other application has the factors %+v, error %v", found, err)
		}
		// What one application has issued is nothing in the other, and does not end there.
		b.With(session.Session()).Get("/me").Want401(t)
		b.WithRemember(remembered.Remember()).Get("/me").Want401(t)
		b.Bearer(pair.AccessToken).Get("/api/me").Want401(t)
		b.Bearer(personal.Text).Get("/token/me").Want401(t)
		b.Refresh(pair.RefreshToken).Want401(t)
		for _, id := range idsOf(session.Devices()) {
			other.Delete("/devices/"+id).Want(t, 404)
		}
		if err := b.RevokeUser(context.Background(), "web", b.Alice.AuthID()); err != nil {
			t.Fatal(err)
		}
		other.Get("/me").Want401(t)

		session.Get("/me").Want(t, 200)
		remembered.Only(testapp.RememberCookie).Get("/me").Want(t, 200)
		a.Bearer(pair.AccessToken).Get("/api/me").Want(t, 200)
		a.Bearer(personal.Text).Get("/token/me").Want(t, 200)
		a.Refresh(pair.RefreshToken).Want(t, 200)
		if found, err := sets[0].Factors.FactorsOf(t.Context(), factor.Owner); err != nil || len(found) != 1 {
			t.Errorf("factors %+v, error %v", found, err)
		}
	})
}

// idsOf returns the ids of devices.
func idsOf(devices []ginauth.Device) (ids []string) {
	for _, d := range devices {
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	return ids
}
