package gormstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// tenantMember is a user of one tenant. Users of two tenants may have the same address.
type tenantMember struct {
	ID              uint64 `gorm:"primaryKey"`
	TenantID        int    `gorm:"not null;uniqueIndex:idx_tenant_members_email"`
	Email           string `gorm:"size:254;not null"`
	EmailCanonical  string `gorm:"size:190;not null;uniqueIndex:idx_tenant_members_email"`
	Password        string `gorm:"size:255;not null"`
	SecurityStamp   string `gorm:"size:64;not null"`
	EmailVerifiedAt *time.Time
}

func (m *tenantMember) AuthID() string {
	u := models.User{ID: m.ID}
	return u.AuthID()
}
func (m *tenantMember) AuthPassword() string    { return m.Password }
func (m *tenantMember) AuthStamp() string       { return m.SecurityStamp }
func (m *tenantMember) AuthEmail() string       { return m.Email }
func (m *tenantMember) AuthEmailVerified() bool { return m.EmailVerifiedAt != nil }

// BeforeCreate sets the tenant of the request.
func (m *tenantMember) BeforeCreate(tx *gorm.DB) error {
	if m.TenantID == 0 {
		m.TenantID, _ = tx.Statement.Context.Value(tenantKey{}).(int)
	}
	return nil
}

type tenantKey struct{}

var errNoTenant = errors.New("the request has no tenant")

// byTenant is a Scope for the tenant of the context.
func byTenant(ctx context.Context, db *gorm.DB) *gorm.DB {
	id, ok := ctx.Value(tenantKey{}).(int)
	if !ok {
		_ = db.AddError(errNoTenant)
		return db
	}
	return db.Where("tenant_id = ?", id)
}

func ofTenant(t *testing.T, id int) context.Context {
	return context.WithValue(t.Context(), tenantKey{}, id)
}

// TestScope checks that the conditions of a Scope hold in every statement of a provider.
func TestScope(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := open(t)
		if err := db.AutoMigrate(&tenantMember{}); err != nil {
			t.Fatal(err)
		}
		for name, scope := range map[string]gormstore.Scope{
			"condition":    byTenant,
			"condition OR": func(ctx context.Context, db *gorm.DB) *gorm.DB { return byTenant(ctx, db).Or("1 = 0") },
		} {
			t.Run(name, func(t *testing.T) {
				if err := db.Exec("DELETE FROM tenant_members").Error; err != nil {
					t.Fatal(err)
				}
				testScope(t, db, scope)
			})
		}
	})
}

func testScope(t *testing.T, db *gorm.DB, scope gormstore.Scope) {
	users := gormstore.Users[tenantMember](db, gormstore.WithScope(scope))
	find := gormstore.Find[tenantMember](db, scope)
	one, two := ofTenant(t, 1), ofTenant(t, 2)
	ann := &tenantMember{Email: "ann@example.com", Password: "hash", SecurityStamp: "stamp"}
	if err := users.CreateUser(one, ann); err != nil || ann.TenantID != 1 {
		t.Fatalf("created %+v, error %v", ann, err)
	}
	if err := users.CreateUser(one, &tenantMember{Email: "Ann@example.com"}); !errors.Is(err, models.ErrTaken) {
		t.Errorf("the same address in one tenant: %v", err)
	}
	other := &tenantMember{Email: "ann@example.com", Password: "other", SecurityStamp: "stamp"}
	if err := users.CreateUser(two, other); err != nil {
		t.Fatal(err)
	}
	if err := users.CreateUser(two, &tenantMember{Email: "eve@example.com", TenantID: 1}); err == nil || errors.Is(err, models.ErrTaken) {
		t.Errorf("a user of another tenant was created: %v", err)
	}
	id := ann.AuthID()
	for tenant, ctx := range map[int]context.Context{1: one, 2: two} {
		mine := tenant == 1
		if u, err := users.UserByID(ctx, id); err != nil || (u != nil) != mine {
			t.Errorf("tenant %d: UserByID %v, %v", tenant, u, err)
		}
		if m, found, err := find(ctx, id); err != nil || found != mine {
			t.Errorf("tenant %d: Find %v, %v", tenant, m, err)
		}
		u, err := users.UserByIdentifier(ctx, "email", "ann@example.com")
		if err != nil || u == nil || (u.AuthID() == id) != mine {
			t.Errorf("tenant %d: UserByIdentifier %v, %v", tenant, u, err)
		}
	}
	// Changes by another tenant first, so that they would fit.
	for _, ctx := range []context.Context{two, one} {
		mine := ctx == one
		if ok, err := users.RehashPassword(ctx, id, "hash", "hash2"); err != nil || ok != mine {
			t.Errorf("RehashPassword %v, %v; want %v", ok, err, mine)
		}
		if u, err := users.ChangePassword(ctx, id, "stamp", "hash3", "stamp2"); err != nil || (u != nil) != mine {
			t.Errorf("ChangePassword %v, %v; want %v", u, err, mine)
		}
		if ok, err := users.VerifyEmail(ctx, id, "ann@example.com", now); err != nil || ok != mine {
			t.Errorf("VerifyEmail %v, %v; want %v", ok, err, mine)
		}
		if u, err := users.ChangeEmail(ctx, id, "stamp2", "anna@example.com", "stamp3", now); err != nil || (u != nil) != mine {
			t.Errorf("ChangeEmail %v, %v; want %v", u, err, mine)
		}
		if u, err := users.ChangeStamp(ctx, id, "stamp3", "stamp4"); err != nil || (u != nil) != mine {
			t.Errorf("ChangeStamp %v, %v; want %v", u, err, mine)
		}
	}
	if _, err := users.UserByID(t.Context(), id); !errors.Is(err, errNoTenant) {
		t.Errorf("without a tenant UserByID: %v", err)
	}
	if _, err := users.ChangeStamp(t.Context(), id, "stamp4", "stamp5"); !errors.Is(err, errNoTenant) {
		t.Errorf("without a tenant ChangeStamp: %v", err)
	}
	if err := users.CreateUser(t.Context(), &tenantMember{Email: "bob@example.com", TenantID: 1}); !errors.Is(err, errNoTenant) {
		t.Errorf("without a tenant CreateUser: %v", err)
	}
	if _, _, err := find(t.Context(), id); !errors.Is(err, errNoTenant) {
		t.Errorf("without a tenant Find: %v", err)
	}
}

// TestScopeThatCannotHold checks that a Scope that adds no condition, or something else, makes
// calls fail and not find every user.
func TestScopeThatCannotHold(t *testing.T) {
	db := openSQLite(t, "")
	if err := db.AutoMigrate(&tenantMember{}); err != nil {
		t.Fatal(err)
	}
	if err := db.Create(&tenantMember{ID: 1, TenantID: 1, Email: "ann@example.com"}).Error; err != nil {
		t.Fatal(err)
	}
	for want, scope := range map[string]gormstore.Scope{
		"no database":            func(context.Context, *gorm.DB) *gorm.DB { return nil },
		"no condition":           func(_ context.Context, db *gorm.DB) *gorm.DB { return db },
		"added Table":            func(_ context.Context, db *gorm.DB) *gorm.DB { return db.Table("tenant_members").Where("1 = 1") },
		"added Unscoped":         func(_ context.Context, db *gorm.DB) *gorm.DB { return db.Unscoped().Where("1 = 1") },
		"added the clause LIMIT": func(_ context.Context, db *gorm.DB) *gorm.DB { return db.Where("1 = 1").Limit(1) },
		"added the clause FOR": func(_ context.Context, db *gorm.DB) *gorm.DB {
			return db.Where("1 = 1").Clauses(clause.Locking{Strength: "UPDATE"})
		},
	} {
		users := gormstore.Users[tenantMember](db, gormstore.WithScope(scope))
		if u, err := users.UserByID(t.Context(), "1"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("user %v, error %v; want one that says %q", u, err, want)
		}
	}
	// A zero field of a struct is no condition, which GORM does not say.
	zero := func(_ context.Context, db *gorm.DB) *gorm.DB { return db.Where(&tenantMember{TenantID: 0}) }
	if _, found, err := gormstore.Find[tenantMember](db, zero)(t.Context(), "1"); err == nil || found {
		t.Errorf("found %v, error %v", found, err)
	}
}

// TestSettingsAreKept checks that what db.Set has set reaches callbacks, hooks and Migrate.
func TestSettingsAreKept(t *testing.T) {
	db := openSQLite(t, "").Set("gorm:table_options", "WITHOUT ROWID")
	if err := gormstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	var text string
	if err := db.Raw("SELECT sql FROM sqlite_master WHERE name = 'auth_sessions'").Scan(&text).Error; err != nil || !strings.HasSuffix(text, "WITHOUT ROWID") {
		t.Errorf("table made by %q, error %v", text, err)
	}
}

// virtualMember has a field that need not be a column, so its columns cannot be named.
type virtualMember struct {
	models.User
	Rank int `gorm:"->;-:migration"`
}

func (virtualMember) TableName() string { return "users" }

// TestColumnAddedWhileRunning adds a column to every table while statements are prepared on
// several connections, as a deployment does.
func TestColumnAddedWhileRunning(t *testing.T) {
	onEngines(t, func(t *testing.T, open func(t *testing.T) *gorm.DB) {
		db := migrated(open)(t)
		if err := db.AutoMigrate(&models.User{}); err != nil {
			t.Fatal(err)
		}
		set, users := gormstore.New(db), gormstore.Users[models.User](db)
		virtual, find := gormstore.Users[virtualMember](db), gormstore.Find[models.User](db)
		if err := users.CreateUser(t.Context(), &models.User{Email: "ann@example.com"}); err != nil {
			t.Fatal(err)
		}
		if err := set.Sessions.Create(t.Context(), newSession()); err != nil {
			t.Fatal(err)
		}
		if _, err := set.Tokens.Create(t.Context(), newToken()); err != nil {
			t.Fatal(err)
		}
		use := func() {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					_, err1 := users.UserByID(t.Context(), "1")
					_, err2 := users.UserByIdentifier(t.Context(), "email", "ann@example.com")
					_, err3 := virtual.UserByID(t.Context(), "1")
					_, _, err4 := find(t.Context(), "1")
					_, _, err5 := set.Sessions.Load(t.Context(), row)
					_, err6 := set.Sessions.(stores.SessionIndex).SessionsOf(t.Context(), "1", 10)
					_, _, err7 := set.Tokens.Find(t.Context(), row, row)
					_, err8 := set.Tokens.TokensOf(t.Context(), "1", 10)
					_, err9 := set.Limiter.Reserve(t.Context(), now, window)
					_, err10 := set.Factors.FactorsOf(t.Context(), "1")
					if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		use()
		use()
		for _, table := range []string{"users", "auth_sessions", "auth_tokens", "auth_token_families", "auth_attempts", "auth_factors"} {
			if err := db.Exec("ALTER TABLE " + table + " ADD COLUMN extra integer").Error; err != nil {
				t.Fatal(err)
			}
		}
		use()
		if _, err := users.ChangeStamp(t.Context(), "1", "", "stamp"); err != nil {
			t.Error(err)
		}
	})
}
