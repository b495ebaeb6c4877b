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

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/mail/logmail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores/gormstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves the API and the front end until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("spa", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("api", "127.0.0.1:8080", "`address` of the API")
	frontAddr := flags.String("front", "127.0.0.1:8081", "`address` of the front end")
	file := flags.String("db", "spa.db", "SQLite `file`, created if it does not exist")
	client := flags.String("client", "../../client/dist", "`folder` of the built TypeScript client")
	lifetime := flags.Duration("access", 15*time.Minute, "how long an access token lives")
	if err := flags.Parse(args); err != nil {
		return err
	}
	api, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer api.Close()
	front, err := net.Listen("tcp", *frontAddr)
	if err != nil {
		return err
	}
	defer front.Close()
	// To a browser, 127.0.0.1 and localhost are two sites, and two ports of one of them are two origins of a site.
	port := front.Addr().(*net.TCPAddr).Port
	fronts := []string{fmt.Sprintf("http://127.0.0.1:%d", port), fmt.Sprintf("http://localhost:%d", port)}
	db, err := open(ctx, *file)
	if err != nil {
		return err
	}
	router, auth, err := newAPI(db, config(slog.New(slog.NewTextHandler(stderr, nil)), *lifetime), fronts)
	if err != nil {
		return err
	}
	pages, err := newFront("http://"+api.Addr().String(), *client)
	if err != nil {
		return errors.Join(err, auth.Close(ctx))
	}
	fmt.Fprintf(stdout, "the API: http://%s\n", api.Addr())
	fmt.Fprintf(stdout, "the front end, another origin of the same site: %s\n", fronts[0])
	fmt.Fprintf(stdout, "the front end, another site: %s\n", fronts[1])
	err = serve(ctx, map[net.Listener]http.Handler{api: router, front: pages})
	return errors.Join(err, auth.Close(context.WithoutCancel(ctx)))
}

// config returns the configuration of a demonstration: mails are written to the log, and all logins end with the program.
func config(logger *slog.Logger, lifetime time.Duration) ginauth.Config {
	mailer := logmail.New(logmail.Options{Logger: logger, InsecureLogLinks: true})
	return ginauth.Config{
		Key:    ginauth.NewKey(),
		JWT:    ginauth.JWTConfig{Lifetime: lifetime, Leeway: -1},
		Mail:   ginauth.MailConfig{AppName: "Tasks", Mailer: mailer},
		Logger: logger,
	}
}

// open opens the database and creates missing tables.
func open(ctx context.Context, file string) (*gorm.DB, error) {
	db, err := gorm.Open(sqlite.Open(file+"?_journal_mode=WAL&_busy_timeout=1000&_txlock=immediate"), &gorm.Config{})
	if err != nil {
		return nil, err
	}
	return db, errors.Join(gormstore.Migrate(ctx, db), db.WithContext(ctx).AutoMigrate(&models.User{}, &Task{}))
}

// serve serves until ctx ends or a server fails.
func serve(ctx context.Context, handlers map[net.Listener]http.Handler) error {
	failed := make(chan error, len(handlers))
	var servers []*http.Server
	for listener, handler := range handlers {
		s := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
		servers = append(servers, s)
		go func() { failed <- s.Serve(listener) }()
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for _, s := range servers {
		err = errors.Join(err, s.Shutdown(closing))
	}
	return err
}
