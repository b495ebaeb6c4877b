package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/gormstore"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// The environment variables that pass the resources of prepare to a server.
const (
	schemaVariable = "GINAUTH_BENCH_POSTGRES"
	prefixVariable = "GINAUTH_BENCH_PREFIX"
)

// runServer serves an application of one kind until ctx ends. The kinds
// "memory", "redis" and "postgres" name the store of sessions. A kind that
// begins with "bare-" has no sessions. The kind distant is for runDistances. Users are in PostgreSQL if the kind
// names it, and otherwise in memory.
func runServer(ctx context.Context, out io.Writer, kind string) error {
	gin.SetMode(gin.ReleaseMode)
	handler, err := newServer(ctx, kind)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// The timeouts of the example.
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func newServer(ctx context.Context, kind string) (http.Handler, error) {
	config := ginauth.Config{
		Key: ginauth.NewKey(), Users: memoryUsers{},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	switch kind {
	case "memory", "bare-memory":
	case "redis":
		options, err := redis.ParseURL(os.Getenv(redisVariable))
		if err != nil {
			return nil, err
		}
		options.ContextTimeoutEnabled = true
		config.Stores = redisstore.New(redis.NewClient(options), redisstore.WithPrefix(os.Getenv(prefixVariable)))
	case "postgres", "bare-postgres", distant:
		var err error
		if config.Users, config.Stores, err = openPostgres(ctx, os.Getenv(schemaVariable)); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unknown kind of server %q", kind)
	}
	r := gin.New()
	_ = r.SetTrustedProxies(nil) // nil is always accepted
	if strings.HasPrefix(kind, "bare-") {
		bareRoutes(r, config.Users)
		return r, nil
	}
	if kind == distant {
		config.Hashing, config.Throttle = ginauthtest.CheapHashing(), generous
		config.Refresh.Rotations = ginauth.Limit{Attempts: 1_000_000, Per: time.Hour} // the same login is refreshed all the time
	}
	auth, err := ginauth.New(config)
	if err != nil {
		return nil, err
	}
	authRoutes(r, auth)
	if kind == distant {
		distantRoutes(r, auth)
	}
	return r, nil
}

// bareRoutes responds with the first user, for every request.
func bareRoutes(r *gin.Engine, provider models.UserProvider) {
	r.Use(gin.LoggerWithWriter(io.Discard), gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, _ any) {
		c.AbortWithStatus(http.StatusInternalServerError)
	}))
	r.GET("/me", func(c *gin.Context) {
		u, err := provider.UserByID(c.Request.Context(), "1")
		if err != nil {
			c.AbortWithStatus(http.StatusServiceUnavailable)
			return
		}
		c.JSON(http.StatusOK, u)
	})
}

// authRoutes responds with the logged-in user, as the example does. The login
// requires no password, because hashing is not measured.
func authRoutes(r *gin.Engine, auth *ginauth.Manager) {
	r.Use(gin.LoggerWithWriter(io.Discard), auth.Recovery(), auth.StartSession())
	r.POST("/login", func(c *gin.Context) {
		res, err := ginauth.From(c).LoginUsingID(c.Request.Context(), "1")
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(http.StatusOK, res.User)
	})
	r.GET("/me", auth.Auth(), func(c *gin.Context) {
		u, ok := ginauth.UserAs[*models.User](c)
		if !ok {
			ginauth.Abort(c, ginauth.ErrUnauthenticated)
			return
		}
		c.JSON(http.StatusOK, u)
	})
}

// users is the number of users.
const users = 1000

// memoryUsers is a user provider in memory.
type memoryUsers struct{}

func (memoryUsers) UserByID(_ context.Context, id string) (models.Authenticatable, error) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil || n == 0 || n > users {
		return nil, nil
	}
	u := newUser(n)
	u.ID = n
	return u, nil
}

func (memoryUsers) UserByIdentifier(context.Context, string, string) (models.Authenticatable, error) {
	return nil, nil
}

func (memoryUsers) CanonicalIdentifier(_, value string) (string, error) { return value, nil }

func newUser(n uint64) *models.User {
	return &models.User{Name: "Alice", Email: fmt.Sprintf("alice%d@example.com", n), Password: passwordHash(), SecurityStamp: "stamp"}
}

// openPostgres opens the schema of a run, and creates its tables and users if
// they are missing.
func openPostgres(ctx context.Context, dsn string) (models.UserProvider, stores.Set, error) {
	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, stores.Set{}, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, stores.Set{}, err
	}
	pool.SetMaxOpenConns(20)
	pool.SetMaxIdleConns(20)
	provider := gormstore.Users[models.User](db)
	if err := errors.Join(gormstore.Migrate(ctx, db), db.WithContext(ctx).AutoMigrate(&models.User{})); err != nil {
		return nil, stores.Set{}, err
	}
	first, err := provider.UserByID(ctx, "1")
	for n := uint64(1); err == nil && models.IsNil(first) && n <= users; n++ {
		err = provider.CreateUser(ctx, newUser(n))
	}
	return provider, gormstore.New(db), err
}
