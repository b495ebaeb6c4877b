// Command example is a small blog with accounts, posts that only their authors
// may change, and a page for administrators. Browsers get pages, and programs
// JSON. Mails are not sent: a developer reads them at /_mail. By default it
// stores everything in one SQLite file.
//
//	go run ./example
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	gormlogger "gorm.io/gorm/logger"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/account"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/features/recovery"
	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/mail/logmail"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/stores/gormstore"
)

func main() {
	gin.DebugPrintRouteFunc = func(string, string, string, int) {} // the hints would drown in a hundred routes
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves the blog until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("example", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8080", "`address` to listen on; port 0 selects a free port")
	source := flags.String("db", "example.db", "SQLite `file`, created if it does not exist, or postgres://… or mysql://…")
	redisURL := flags.String("redis", "", "store sessions and limits in Redis at this `URL`, redis://…")
	demoOIDC := flags.Bool("demo-oidc", false, "sign in with a provider that this program runs, and that believes everybody")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}

	logger := slog.New(slog.NewTextHandler(stderr, nil))
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	url := "http://" + reachable(listener.Addr()) // the base URL of links in mails
	demo, err := startProvider(url, *demoOIDC)    // nil if it is not wanted
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer demo.close()
	b, err := newBlog(ctx, logger, url, *source, *redisURL, demo)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	router := b.routes()
	for _, finding := range b.auth.Preflight(ctx, router) {
		logger.Warn("preflight: " + finding.String())
	}

	server := newServer(router)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	printHints(stdout, url)

	select {
	case err = <-served:
	case <-ctx.Done():
		err = nil
	}
	// Shut the server down first, because requests use the stores.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(closing), b.close(closing))
}

func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
}

// blog holds the state that all handlers share.
type blog struct {
	auth       *ginauth.Manager
	users      *gormstore.UserStore[User, *User]
	db         *gorm.DB
	logger     *slog.Logger
	pages      pages.Options
	codes      *totp.Feature
	recovery   *recovery.Feature
	profiles   *account.Feature
	keys       *passkey.Feature // nil if the blog is reached by an IP address
	signIn     *social.Feature  // nil without -demo-oidc
	mails      *mailbox
	closeRedis func() error // nil without Redis
}

func newBlog(ctx context.Context, logger *slog.Logger, url, source, redisURL string, demo *demoProvider) (*blog, error) {
	db, err := openDB(ctx, logger, source)
	if err != nil {
		return nil, err
	}
	options, err := pageOptions()
	if err != nil {
		return nil, errors.Join(err, closeDB(db))
	}
	b := &blog{
		db: db, users: gormstore.Users[User](db), logger: logger, pages: options, mails: &mailbox{next: logMailer(logger)},
		codes: totp.New(totp.Options{}), recovery: recovery.New(recovery.Options{}),
	}
	b.profiles = account.New(account.Options{Rename: b.users.ChangeName, Delete: b.deleteUser})
	set := gormstore.New(db)
	if redisURL != "" {
		if set, b.closeRedis, err = useRedis(set, redisURL); err != nil {
			return nil, errors.Join(err, closeDB(db))
		}
	}

	key, err := applicationKey(logger, source)
	if err != nil {
		return nil, errors.Join(err, closeDB(db))
	}
	b.addKeys(url)
	b.addSignIn(demo)
	b.auth, err = ginauth.New(ginauth.Config{
		Key:    key,
		Users:  b.users,
		Stores: set,
		Mail:   ginauth.MailConfig{Mailer: b.mails, BaseURL: url, AppName: "Notebook"},
		Audit:  ginauth.SlogAudit(logger),
		Logger: logger,
		Pages:  sitePages(), ErrorHandler: pages.ErrorHandler,
		Features: b.features(),
	})
	if err != nil {
		return nil, errors.Join(err, closeDB(db))
	}
	ginauth.SetDefault(b.auth)
	b.definePolicies()
	if err := b.seed(ctx); err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	return b, nil
}

// logMailer returns a mailer that writes mails to the log, with their links. In
// this example only the developer reads the log.
func logMailer(logger *slog.Logger) mail.Mailer {
	return logmail.New(logmail.Options{Logger: logger, InsecureLogLinks: true})
}

// openDB opens the database and creates missing tables. Errors do not quote the
// source, which may contain a password.
func openDB(ctx context.Context, logger *slog.Logger, source string) (*gorm.DB, error) {
	dialect, err := dialector(source)
	if err != nil {
		return nil, err
	}
	db, err := gorm.Open(dialect, &gorm.Config{
		// Log statements without their values.
		Logger: gormlogger.NewSlogLogger(logger, gormlogger.Config{
			LogLevel: gormlogger.Warn, SlowThreshold: time.Second, ParameterizedQueries: true,
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	err = errors.Join(keepConnections(db), gormstore.Migrate(ctx, db), db.WithContext(ctx).AutoMigrate(&User{}, &Post{}))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("migrate database: %w", err), closeDB(db))
	}
	return db, nil
}

func closeDB(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}

// close delivers the remaining events and then closes the database.
func (b *blog) close(ctx context.Context) error {
	err := errors.Join(b.auth.Close(ctx), closeDB(b.db))
	if b.closeRedis != nil {
		err = errors.Join(err, b.closeRedis())
	}
	return err
}

// routes returns the routes. Each route states who may use it.
func (b *blog) routes() *gin.Engine {
	r := gin.New()
	// There is no proxy, so forwarding headers are not trusted.
	_ = r.SetTrustedProxies(nil) // nil is always accepted
	r.Use(gin.LoggerWithFormatter(ginauth.LogFormatter), ginauth.Recovery())
	pages.Mount(r, b.auth, b.pages) // before routes.Mount
	r.Use(ginauth.StartSession())
	r.NoRoute(pages.NotFound)
	if b.signIn != nil {
		b.signIn.Mount(r)
	}

	b.accountRoutes(r)
	b.webRoutes(r)
	r.GET("/admin", ginauth.Auth(), ginauth.Authorize("see-admin"), either(b.adminPage, b.admin))

	post := b.loadPost()
	r.GET("/posts", ginauth.Public(), either(b.home, b.listPosts))
	r.GET("/posts/:id", ginauth.Public(), ginauth.Authorize("view", post), either(b.postPage, b.showPost))
	r.POST("/posts", ginauth.Auth(), either(b.addPost, b.createPost))
	r.PATCH("/posts/:id", ginauth.Auth(), ginauth.Authorize("update", post), b.updatePost)
	r.DELETE("/posts/:id", ginauth.Auth(), ginauth.Authorize("delete", post), b.deletePost)
	r.POST("/posts/:id/publish", ginauth.Auth(), ginauth.EnsureEmailVerified(),
		ginauth.Authorize("publish", post), either(b.publishPage, b.publishPost))
	return r
}

// loadPost loads the post that the route names.
func (b *blog) loadPost() ginauth.Resource { return ginauth.Load("id", gormstore.Find[Post](b.db)) }

// reachable returns the address at which this machine can reach a listener:
// localhost if it listens on all interfaces or on this machine only. Browsers
// have passkeys at a name, and not at an IP address.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && (tcp.IP.IsUnspecified() || tcp.IP.IsLoopback()) {
		return fmt.Sprintf("localhost:%d", tcp.Port)
	}
	return addr.String()
}

func printHints(w io.Writer, url string) {
	fmt.Fprintf(w, `listening on %[1]s
mails are not sent: read them at %[1]s/_mail
sign in as alice@example.com with the password "%[2]s",
or as %[3]s, who has an authenticator app: %[1]s/_code shows its code
or try:
  curl -c jar -H 'Content-Type: application/json' -d '{"email":"alice@example.com","password":"%[2]s"}' %[1]s/login
  curl -b jar %[1]s/me
  curl -b jar -H 'Content-Type: application/json' -d '{"title":"Hello","body":"My first post."}' %[1]s/posts
`, url, seedPassword, seedEmails[3])
}
