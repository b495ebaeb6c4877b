package gormstore_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/plugin/dbresolver"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// lagging returns a database with a replica that has empty tables and never gets any
// records.
func lagging(t *testing.T, open func(t *testing.T) *gorm.DB) *gorm.DB {
	t.Helper()
	primary, replica := open(t), open(t)
	for _, db := range []*gorm.DB{primary, replica} {
		if err := db.AutoMigrate(models.All()...); err != nil {
			t.Fatal(err)
		}
	}
	plugin := dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{replica.Dialector}})
	if err := primary.Use(plugin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = plugin.Call(func(pool gorm.ConnPool) error { return pool.(*sql.DB).Close() })
	})
	return primary
}

// TestLaggingReplica reads what was just written, while plain reads go to a replica that
// does not have it yet.
func TestLaggingReplica(t *testing.T) { // F12
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := lagging(t, open)
		ctx := t.Context()
		users, set := gormstore.Users[models.User](db), gormstore.New(db)
		user := &models.User{Name: "Ann", Email: "ann@example.com", Password: "x"}
		token, other := newToken(), newToken()
		other.ID, other.Family = "00000000000000000000000000000002", "00000000000000000000000000000002"
		created, err := set.Tokens.Create(ctx, token)
		_, err2 := set.Tokens.Create(ctx, other)
		if err := errors.Join(err, err2, users.CreateUser(ctx, user), set.Sessions.Create(ctx, newSession())); err != nil || !created {
			t.Fatal(err)
		}
		var copies int64
		if err := db.Model(&models.Session{}).Count(&copies).Error; err != nil || copies != 0 {
			t.Fatalf("a plain read finds %d sessions, error %v: it does not go to the replica", copies, err)
		}

		found, err := users.UserByID(ctx, user.AuthID())
		byName, err2 := users.UserByIdentifier(ctx, "email", "ann@example.com")
		if err := errors.Join(err, err2); models.IsNil(found) || models.IsNil(byName) || err != nil {
			t.Errorf("a new user is found by id: %v, by address: %v; error %v", found, byName, err)
		}
		if _, ok, err := gormstore.Find[models.User](db)(ctx, user.AuthID()); !ok || err != nil {
			t.Errorf("Find of a new row: %v, error %v", ok, err)
		}
		checkLaggingSessions(t, set.Sessions)
		checkLaggingTokens(t, set.Tokens, token, other)
		for range window.Limit {
			_, err := set.Limiter.Reserve(ctx, now, window)
			if err != nil {
				t.Fatal(err)
			}
		}
		if grant, err := set.Limiter.Peek(ctx, now, window); grant.OK() || err != nil {
			t.Errorf("Peek of a full window: %+v, error %v", grant, err)
		}
	})
}

// checkLaggingSessions reads, lists and deletes the session that was created.
func checkLaggingSessions(t *testing.T, sessions stores.Sessions) {
	t.Helper()
	ctx := t.Context()
	index := sessions.(stores.SessionIndex)
	if _, found, err := sessions.Load(ctx, row); !found || err != nil {
		t.Errorf("Load of a new session: %v, error %v", found, err)
	}
	if list, err := index.SessionsOf(ctx, "1", 1000); len(list) != 1 || err != nil {
		t.Errorf("SessionsOf lists %d, error %v", len(list), err)
	}
	if n, err := index.DeleteSessionsOf(ctx, "1", ""); n != 1 || err != nil {
		t.Errorf("DeleteSessionsOf: %d, error %v", n, err)
	}
	if _, found, err := sessions.Load(ctx, row); found || err != nil {
		t.Errorf("Load of a session that was deleted: %v, error %v", found, err)
	}
}

// checkLaggingTokens uses one token, and a token whose family was revoked.
func checkLaggingTokens(t *testing.T, tokens stores.Tokens, token, other stores.Token) {
	t.Helper()
	ctx := t.Context()
	if list, err := tokens.TokensOf(ctx, token.Owner, 10); len(list) != 2 || err != nil {
		t.Errorf("TokensOf lists %d, error %v", len(list), err)
	}
	if used, err := tokens.Consume(ctx, now, token.Family, token.ID); !used || err != nil {
		t.Errorf("Consume: %v, error %v", used, err)
	}
	if got, found, err := tokens.Find(ctx, token.Family, token.ID); !found || got.Consumed.IsZero() || err != nil {
		t.Errorf("Find of a used token: %v, consumed %v, error %v", found, got.Consumed, err)
	}
	if _, err := tokens.RevokeFamily(ctx, now, other.Family); err != nil {
		t.Error(err)
	}
	if got, found, err := tokens.Find(ctx, other.Family, other.ID); !found || got.FamilyRevoked.IsZero() || err != nil {
		t.Errorf("Find of a revoked token: %v, revoked %v, error %v", found, got.FamilyRevoked, err)
	}
	child := other
	child.ID = "00000000000000000000000000000003"
	if what, err := tokens.Rotate(ctx, now.Add(time.Second), other.ID, child); what != stores.RotateDead || err != nil {
		t.Errorf("Rotate of a revoked token: %v, error %v", what, err)
	}
}
