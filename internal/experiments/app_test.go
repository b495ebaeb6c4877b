package experiments_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/filestore"
	"github.com/ginauth/ginauth/stores/gormstore"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// spec says what an application runs on, in a form that can be handed to another
// process.
type spec struct {
	// SQLite or Postgres names the database, which keeps the users.
	SQLite, Postgres string
	// Dir, if not "", keeps sessions in files, and Redis, the address of a
	// server, all three stores. What is left is in the database.
	Dir, Redis string
	// Prefix begins the keys in Redis.
	Prefix string
	// Limit leaves the throttle at its defaults. Otherwise there is none.
	Limit bool
}

// member is a user with a role.
type member struct {
	models.User
	Role string `gorm:"size:32;not null"`
}

// backend is what an application runs on.
type backend struct {
	set   stores.Set
	users models.UserProvider
	db    *gorm.DB
	redis *redis.Client // nil without one
}

// open opens what a spec names.
func (s spec) open() (b *backend, err error) {
	dialector := postgres.Open(s.Postgres)
	if s.SQLite != "" {
		dialector = sqlite.Open("file:" + s.SQLite + "?_journal_mode=WAL&_busy_timeout=5000&_txlock=immediate")
	}
	db, err := openSQL(dialector)
	if err != nil {
		return nil, err
	}
	b = &backend{set: gormstore.New(db), users: gormstore.Users[member](db), db: db}
	if s.Redis != "" {
		options, err := redis.ParseURL(s.Redis)
		if err != nil {
			return nil, err
		}
		options.ContextTimeoutEnabled = true
		b.redis = redis.NewClient(options)
		b.set = redisstore.New(b.redis, redisstore.WithPrefix(s.Prefix))
	}
	if s.Dir != "" {
		b.set.Sessions, err = filestore.New(s.Dir)
	}
	return b, err
}

func openSQL(dialector gorm.Dialector) (*gorm.DB, error) {
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(20)
	pool.SetMaxIdleConns(20)
	return db, nil
}

func (b *backend) close() {
	_ = b.set.Close()
	if b.redis != nil {
		_ = b.redis.Close()
	}
	if pool, err := b.db.DB(); err == nil {
		_ = pool.Close()
	}
}

// prepare makes tables and n users, called u0, u1 and so on.
func (s spec) prepare(n int) error {
	b, err := s.open()
	if err != nil {
		return err
	}
	defer b.close()
	hasher, err := hashing.New(ginauthtest.CheapHashing())
	if err != nil {
		return err
	}
	hash, err := hasher.Hash(context.Background(), testapp.Password)
	if err != nil {
		return err
	}
	if err := gormstore.Migrate(context.Background(), b.db); err != nil {
		return err
	}
	if err := b.db.AutoMigrate(&member{}); err != nil {
		return err
	}
	users := gormstore.Users[member](b.db)
	for i := range n {
		u := &member{models.User{Name: fmt.Sprint("u", i), Email: email(i), Password: hash}, "member"}
		if err := users.CreateUser(context.Background(), u); err != nil {
			return err
		}
	}
	return nil
}

func email(i int) string { return fmt.Sprintf("u%d@example.com", i) }

// engine returns the application on a backend, and its manager.
func (s spec) engine(b *backend, configure func(*ginauth.Config)) (*gin.Engine, *ginauth.Manager, error) {
	cfg := ginauth.Config{
		Key: testapp.Key, Users: b.users, Stores: b.set, Hashing: ginauthtest.CheapHashing(), Logger: slog.New(slog.DiscardHandler),
	}
	cfg.Throttle.InsecureDisable = !s.Limit
	if configure != nil {
		configure(&cfg)
	}
	m, err := ginauth.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	ginauth.DefineUser(m.Gate(), "administer", func(_ context.Context, u *member) bool { return u.Role == "admin" })
	r := gin.New()
	r.Use(m.Recovery(), m.StartSession())
	r.POST("/login", m.ThrottleLogins(), testapp.Login)
	r.POST("/logout", testapp.Logout)
	r.POST("/set", testapp.SetKey)
	r.GET("/me", m.Auth(), func(c *gin.Context) {
		u, _ := ginauth.UserAs[*member](c)
		c.JSON(200, gin.H{"name": u.Name, "keys": ginauth.From(c).Session().All()})
	})
	r.GET("/admin", m.Authorize("administer"), func(c *gin.Context) { c.Status(204) })
	r.POST("/owner/revoke", func(c *gin.Context) {
		_, err := b.set.Sessions.(stores.SessionIndex).DeleteSessionsOf(c.Request.Context(), "users:"+c.Query("id"), "") // of the realm of Config.Users
		testapp.Answer(c, nil, err)
	})
	r.POST("/owner/change", func(c *gin.Context) {
		change := map[string]any{"role": c.Query("role"), "disabled_at": nil}
		if c.Query("disabled") == "1" {
			change["disabled_at"] = time.Now()
		}
		testapp.Answer(c, nil, b.db.WithContext(c.Request.Context()).Model(&member{}).Where("id = ?", c.Query("id")).Updates(change).Error)
	})
	return r, m, nil
}
