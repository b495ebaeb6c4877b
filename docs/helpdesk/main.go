package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
)

// laravel is a database as the old application has left it.
//
//go:embed laravel.sql
var laravel string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves the help desk until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("helpdesk", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8080", "`address` to listen on")
	file := flags.String("db", "helpdesk.db", "SQLite `file`; a new one is filled as an old application leaves it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	db, err := gorm.Open(sqlite.Open(*file+"?_journal_mode=WAL&_busy_timeout=1000&_txlock=immediate"), &gorm.Config{})
	if err != nil {
		return err
	}
	if !db.Migrator().HasTable("users") {
		if err := fill(db, laravel); err != nil {
			return err
		}
	}
	if err := moveIn(ctx, db, out); err != nil {
		return err
	}
	r, auth, err := newDesk(ctx, db, ginauth.Config{Key: cmp.Or(ginauth.Key(os.Getenv("APP_KEY")), ginauth.NewKey())}, out)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return errors.Join(err, auth.Close(ctx))
	}
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	end := context.AfterFunc(ctx, func() { _ = server.Shutdown(context.WithoutCancel(ctx)) })
	defer end()
	if err = server.Serve(listener); errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, auth.Close(context.WithoutCancel(ctx)))
}

// fill makes the tables of the old application.
func fill(db *gorm.DB, tables string) error {
	return db.Transaction(func(tx *gorm.DB) error {
		for statement := range strings.SplitSeq(tables, ";\n") {
			if err := tx.Exec(statement).Error; strings.TrimSpace(statement) != "" && err != nil {
				return err
			}
		}
		return nil
	})
}
