package gormstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
	"github.com/ginauth/ginauth/stores/storetest"
)

// named gives a database that no model was used with a naming strategy, and returns it.
func named(db *gorm.DB, strategy schema.NamingStrategy) *gorm.DB {
	db.NamingStrategy = strategy
	return db
}

// tablesOf returns the names of all tables.
func tablesOf(t *testing.T, db *gorm.DB) []string {
	t.Helper()
	names, err := db.Migrator().GetTables()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "sqlite_") })
}

// TestTableNames checks that the tables follow the naming strategy of the application, or an
// option.
func TestTableNames(t *testing.T) {
	plain := []string{"auth_attempts", "auth_factors", "auth_identities", "auth_session_owners", "auth_sessions", "auth_token_families", "auth_tokens"}
	prefixed := func(prefix string) (names []string) {
		for _, name := range plain {
			names = append(names, prefix+name)
		}
		return names
	}
	for _, test := range []struct {
		name     string
		strategy schema.NamingStrategy
		options  []gormstore.Option
		want     []string
	}{
		{"default", schema.NamingStrategy{}, nil, plain},
		{"strategy with a prefix", schema.NamingStrategy{TablePrefix: "shop_"}, nil, prefixed("shop_")},
		{"strategy with singular names", schema.NamingStrategy{SingularTable: true}, nil,
			[]string{"auth_attempt", "auth_factor", "auth_identity", "auth_session", "auth_session_owner", "auth_token", "auth_token_family"}},
		{"option", schema.NamingStrategy{}, []gormstore.Option{gormstore.TablePrefix("shop_")}, prefixed("shop_")},
		{"option before the strategy", schema.NamingStrategy{TablePrefix: "app_"},
			[]gormstore.Option{gormstore.TablePrefix("")}, plain},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
				db := named(open(t), test.strategy)
				for range 2 {
					if err := gormstore.Migrate(t.Context(), db, test.options...); err != nil {
						t.Fatal(err)
					}
				}
				if got := tablesOf(t, db); !slices.Equal(got, test.want) {
					t.Errorf("tables %v, want %v", got, test.want)
				}
				use(t, gormstore.New(db, test.options...))
			})
		})
	}
}

// use runs a statement of each kind on each store.
func use(t *testing.T, set stores.Set) {
	t.Helper()
	if err := set.Sessions.Create(t.Context(), newSession()); err != nil {
		t.Error(err)
	}
	if _, found, err := set.Sessions.Load(t.Context(), row); err != nil || !found {
		t.Errorf("Load: found %v, error %v", found, err)
	}
	if grant, err := set.Limiter.Reserve(t.Context(), now, window); err != nil || !grant.OK() {
		t.Errorf("Reserve: %+v, error %v", grant, err)
	}
	if warnings, err := set.Sessions.(stores.Checker).Check(t.Context()); err != nil {
		t.Errorf("Check: %v, error %v", warnings, err)
	}
}

// TestStoresInSchema runs the rules of all stores on tables in a schema of PostgreSQL, or in
// another database of MySQL, than the connections are in.
func TestStoresInSchema(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		other := open(t)
		db, place := open(t), "main"
		if query := map[string]string{"postgres": "SELECT current_schema()", "mysql": "SELECT DATABASE()"}[db.Name()]; query != "" {
			if err := other.Raw(query).Scan(&place).Error; err != nil {
				t.Fatal(err)
			}
		}
		db = named(db, schema.NamingStrategy{TablePrefix: place + "."})
		for range 2 {
			if err := gormstore.Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		}
		if here := tablesOf(t, db); db.Name() != "sqlite" && len(here) > 0 {
			t.Errorf("tables %v beside the schema", here)
		}
		set := gormstore.New(db)
		use(t, set)
		if testing.Short() || db.Name() == "sqlite" {
			return
		}
		// To create the tables for each rule takes longer than the rules.
		empty := func(t *testing.T) stores.Set {
			for _, name := range tablesOf(t, other) {
				if err := other.Exec("DELETE FROM ?", clause.Table{Name: name}).Error; err != nil {
					t.Fatal(err)
				}
			}
			return set
		}
		storetest.Sessions(t, func(t *testing.T) stores.Sessions { return empty(t).Sessions })
		storetest.Tokens(t, func(t *testing.T) stores.Tokens { return empty(t).Tokens })
		storetest.Factors(t, func(t *testing.T) stores.Factors { return empty(t).Factors })
		storetest.Identities(t, func(t *testing.T) stores.Identities { return empty(t).Identities })
		storetest.Limiter(t, func(t *testing.T) stores.Limiter { return empty(t).Limiter })
	})
}

// TestPrefixThatIsNone checks that a prefix that cannot begin a name panics, and says so.
func TestPrefixThatIsNone(t *testing.T) {
	db := openSQLite(t, "")
	for _, prefix := range []string{"shop-", "a b", `"`, "a.b.", ".", "é_", strings.Repeat("x", 33)} {
		for caller, call := range map[string]func(){
			"New":     func() { gormstore.New(db, gormstore.TablePrefix(prefix)) },
			"Migrate": func() { _ = gormstore.Migrate(t.Context(), db, gormstore.TablePrefix(prefix)) },
		} {
			func() {
				defer func() {
					if got := fmt.Sprint(recover()); !strings.Contains(got, caller+" was given the table prefix") {
						t.Errorf("%s with %q: panic %q", caller, prefix, got)
					}
				}()
				call()
			}()
		}
	}
}

// TestUsersFollowTheStrategy checks that the stores and the users of one database follow the
// same naming strategy, also where a session is loaded with its user.
func TestUsersFollowTheStrategy(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := named(open(t), schema.NamingStrategy{TablePrefix: "shop_"})
		if err := gormstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if err := db.AutoMigrate(&models.User{}); err != nil {
			t.Fatal(err)
		}
		users, set := gormstore.Users[models.User](db), gormstore.New(db)
		u := &models.User{Email: "ann@example.com", Password: "hash"}
		if err := users.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		s := newSession()
		s.Owners = []string{"web:1"}
		if err := set.Sessions.Create(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		load := set.Sessions.(stores.UserSessions).WithUsers(users, "web:")
		if load == nil {
			return // on SQLite, which does not join
		}
		if _, user, found, err := load(t.Context(), row); err != nil || !found || user == nil || user.AuthID() != "1" {
			t.Errorf("found %v, user %v, error %v", found, user, err)
		}
	})
}
