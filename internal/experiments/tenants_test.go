package experiments

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testbackends"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// tenantUser is a user of one tenant. Several tenants may have the same address.
type tenantUser struct {
	ID              uint64     `gorm:"primaryKey" json:"id"`
	TenantID        int        `gorm:"not null;uniqueIndex:idx_tenant_users_email" json:"tenant"`
	Email           string     `gorm:"size:254;not null" json:"-"`
	EmailCanonical  string     `gorm:"size:190;not null;uniqueIndex:idx_tenant_users_email" json:"-"`
	Password        string     `gorm:"size:255;not null" json:"-"`
	SecurityStamp   string     `gorm:"size:64;not null" json:"-"`
	EmailVerifiedAt *time.Time `json:"-"`
}

func (u *tenantUser) AuthID() string {
	if u.ID == 0 {
		return ""
	}
	return strconv.FormatUint(u.ID, 10)
}
func (u *tenantUser) AuthPassword() string               { return u.Password }
func (u *tenantUser) AuthEmail() string                  { return u.Email }
func (u *tenantUser) AuthEmailVerified() bool            { return u.EmailVerifiedAt != nil }
func (u *tenantUser) AuthStamp() string                  { return u.SecurityStamp }
func (u *tenantUser) AuthRegister(_, email, hash string) { u.Email, u.Password = email, hash }
func (u *tenantUser) BeforeCreate(tx *gorm.DB) (err error) {
	if u.TenantID == 0 {
		u.TenantID, err = tenantOf(tx.Statement.Context)
	}
	return err
}

type tenantKey struct{}

func tenantOf(ctx context.Context) (int, error) {
	id, ok := ctx.Value(tenantKey{}).(int)
	if !ok {
		return 0, errors.New("the request has no tenant")
	}
	return id, nil
}

// ofRequest is the Scope of the tenant of the request.
func ofRequest(ctx context.Context, db *gorm.DB) *gorm.DB {
	id, err := tenantOf(ctx)
	if err != nil {
		_ = db.AddError(err)
		return db
	}
	return db.Where("tenant_id = ?", id)
}

// setTenant is the middleware that finds the tenant of a request.
func setTenant(c *gin.Context) {
	if id, err := strconv.Atoi(c.GetHeader("X-Tenant")); err == nil {
		c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), tenantKey{}, id))
	}
}

// tenantRoutes adds the routes that tenants use.
func tenantRoutes(r gin.IRouter, auth *ginauth.Manager, find func(context.Context, string) (*tenantUser, bool, error)) {
	all := r.Group("", auth.StartSession())
	all.POST("/login", testapp.Login)
	all.POST("/logout", testapp.Logout)
	all.GET("/me", auth.Auth(), testapp.Me)
	all.GET("/devices", auth.Auth(), func(c *gin.Context) {
		devices, err := ginauth.From(c).Devices(c.Request.Context())
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(200, devices)
	})
	all.POST("/register", func(c *gin.Context) {
		in, _ := testapp.Decode[testapp.LoginForm](c)
		_, err := auth.Register(c.Request.Context(), ginauth.Registration{Name: "A user", Email: in.Email, Password: in.Password})
		testapp.Answer(c, nil, err)
	})
	all.POST("/forgot", func(c *gin.Context) {
		in, _ := testapp.Decode[testapp.LoginForm](c)
		testapp.Answer(c, nil, auth.Broker("web").SendResetLink(c.Request.Context(), in.Email))
	})
	all.GET("/users/:id", auth.Auth(), func(c *gin.Context) {
		u, found, err := find(c.Request.Context(), c.Param("id"))
		if err != nil || !found {
			ginauth.Abort(c, errors.Join(ginauth.ErrNotFound, err))
			return
		}
		c.JSON(200, u)
	})
}

// tenantConfig is what the managers of both recipes have in common.
func tenantConfig(t *testing.T, db *gorm.DB, scope gormstore.Scope, sent *mailbox) ginauth.Config {
	return ginauth.Config{
		Key: testapp.Key, Hashing: ginauthtest.CheapHashing(), Stores: gormstore.New(db),
		Users: gormstore.Users[tenantUser](db, gormstore.WithScope(scope)),
		Mail:  ginauth.MailConfig{Mailer: sent, BaseURL: testapp.BaseURL, AppName: "Example"},
	}
}

// mailbox keeps mails with a link to choose a password.
type mailbox struct{ sent chan mail.Message }

func (m *mailbox) Send(_ context.Context, msg mail.Message) error {
	if msg.Kind == mail.ResetPassword {
		m.sent <- msg
	}
	return nil
}

// oneManager serves all tenants with one manager, which takes the tenant from the request.
func oneManager(t *testing.T, db *gorm.DB, sent *mailbox) http.Handler {
	auth, err := ginauth.New(tenantConfig(t, db, ofRequest, sent))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(context.Background()) })
	r := gin.New()
	r.Use(setTenant)
	tenantRoutes(r, auth, gormstore.Find[tenantUser](db, ofRequest))
	return r
}

// managerEach serves each tenant with a manager of its own.
func managerEach(t *testing.T, db *gorm.DB, sent *mailbox) http.Handler {
	engines := make(map[string]*gin.Engine)
	for _, id := range []int{1, 2} {
		scope := func(_ context.Context, db *gorm.DB) *gorm.DB { return db.Where("tenant_id = ?", id) }
		config := tenantConfig(t, db, scope, sent)
		config.Guards = map[string]ginauth.GuardConfig{"web": {Realm: fmt.Sprintf("tenant%d", id)}}
		auth, err := ginauth.New(config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = auth.Close(context.Background()) })
		r := gin.New()
		r.Use(setTenant)
		tenantRoutes(r, auth, gormstore.Find[tenantUser](db, scope))
		engines[strconv.Itoa(id)] = r
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if engine := engines[r.Header.Get("X-Tenant")]; engine != nil {
			engine.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
}

// TestTenants runs the recipes of docs/tenants.md: what one tenant has is nothing in another.
func TestTenants(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *gorm.DB{
		"sqlite":   func(t *testing.T) *gorm.DB { return testbackends.SQLite(t).DB },
		"postgres": func(t *testing.T) *gorm.DB { return testservers.Postgres(t) },
		"mysql":    func(t *testing.T) *gorm.DB { return testservers.MySQL(t) },
	} {
		for recipe, handler := range map[string]func(*testing.T, *gorm.DB, *mailbox) http.Handler{
			"one manager": oneManager, "a manager each": managerEach,
		} {
			t.Run(name+"/"+recipe, func(t *testing.T) {
				db := open(t)
				if err := errors.Join(gormstore.Migrate(t.Context(), db), db.AutoMigrate(&tenantUser{})); err != nil {
					t.Fatal(err)
				}
				testTenants(t, db, handler, recipe == "a manager each")
			})
		}
	}
}

func testTenants(t *testing.T, db *gorm.DB, handler func(*testing.T, *gorm.DB, *mailbox) http.Handler, apart bool) {
	sent := &mailbox{make(chan mail.Message, 10)}
	server := httptest.NewTLSServer(handler(t, db, sent))
	defer server.Close()
	client := func(tenant string) *testapp.Client {
		c := testapp.NewClient(t, server.URL, server.Client().Transport)
		c.Header.Set("X-Tenant", tenant)
		return c
	}
	moved := func(c *testapp.Client, tenant string) *testapp.Client {
		other := c.Copy()
		other.Header.Set("X-Tenant", tenant)
		return other
	}
	ann := testapp.Credentials("ann@example.com", testapp.Password)
	eve := testapp.Credentials("eve@example.com", testapp.Password)
	client("1").Post("/register", ann).Want(t, 204) // id 1
	client("2").Post("/register", eve).Want(t, 204) // id 2

	one := client("1")
	one.Post("/login", ann).Want(t, 200)
	client("2").Post("/login", ann).Want401(t)
	client("1").Post("/login", eve).Want401(t)
	two := client("2")
	two.Post("/login", eve).Want(t, 200)

	one.Get("/users/1").Want(t, 200)
	one.Get("/users/2").Want(t, 404)
	two.Get("/users/1").Want(t, 404)
	var devices []ginauth.Device
	if two.Get("/devices").Want(t, 200).JSON(t, &devices); len(devices) != 1 {
		t.Errorf("devices of the other tenant: %+v", devices)
	}
	one.Get("/me").Want(t, 200)
	// A session is nobody in another tenant, and ends there: its user does not exist.
	moved(one, "2").Get("/me").Want401(t)
	moved(one, "1").Get("/me").Want401(t)
	two.Get("/me").Want(t, 200)

	// Mails are sent for users of the tenant alone.
	if client("1").Post("/forgot", ann).Want(t, 204); apart {
		client("2").Post("/forgot", ann).Want(t, 204)
	}
	select {
	case msg := <-sent.sent:
		if msg.To.Email != "ann@example.com" {
			t.Errorf("mail to %v", msg.To)
		}
	case <-time.After(10 * time.Second):
		t.Error("no mail was sent")
	}
	// The same address is another user in another tenant.
	client("2").Post("/register", testapp.Credentials("ann@example.com", testapp.NewPassword)).Want(t, 204)
	client("2").Post("/login", testapp.Credentials("ann@example.com", testapp.NewPassword)).Want(t, 200)
	client("2").Post("/login", ann).Want401(t)
	if !apart {
		client("").Post("/login", ann).Want(t, 503) // no tenant, so no user and no guess
		return
	}
	for range 5 {
		client("2").Post("/login", testapp.Credentials("ann@example.com", "wrong"))
	}
	client("2").Post("/login", ann).Want(t, 429)
	client("1").Post("/login", ann).Want(t, 200)
}
