package main

import (
	"cmp"
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

// run serves the club until ctx ends. Mails are written to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bookclub", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8080", "`address` to listen on")
	file := flags.String("db", "bookclub.db", "SQLite `file`, created if it does not exist")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, err := open(ctx, *file)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	url, logger := "http://"+listener.Addr().String(), slog.New(slog.NewTextHandler(stderr, nil))
	mailer := logmail.New(logmail.Options{Logger: logger, InsecureLogLinks: true})
	r, auth, err := newClub(db, ginauth.Config{
		Key: cmp.Or(ginauth.Key(os.Getenv("APP_KEY")), ginauth.NewKey()), Logger: logger,
		Mail: ginauth.MailConfig{Mailer: mailer, BaseURL: url, AppName: "Book club"},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "listening on %s\n", url)
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	end := context.AfterFunc(ctx, func() { _ = server.Shutdown(context.WithoutCancel(ctx)) })
	defer end()
	if err = server.Serve(listener); errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, auth.Close(context.WithoutCancel(ctx)))
}

// open opens the database and creates missing tables.
func open(ctx context.Context, file string) (*gorm.DB, error) {
	db, err := gorm.Open(sqlite.Open(file+"?_journal_mode=WAL&_busy_timeout=1000&_txlock=immediate"), &gorm.Config{})
	if err != nil {
		return nil, err
	}
	return db, errors.Join(gormstore.Migrate(ctx, db), db.WithContext(ctx).AutoMigrate(&User{}, &Book{}))
}
