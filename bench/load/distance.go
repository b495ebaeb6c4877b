package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/hashing"
)

// distant is the kind of a server with everything in PostgreSQL and cheap hashing.
const distant = "distant"

// password is the password of every user.
const password = "correct horse battery staple"

// generous limits no client, and counts all the same.
var generous = ginauth.ThrottleConfig{
	AccountAddress: ginauth.Limit{Attempts: 1 << 30, Per: time.Minute}, Address: ginauth.Limit{Attempts: 1 << 30, Per: time.Minute},
	Account: ginauth.Limit{Attempts: 1 << 30, Per: 15 * time.Minute}, Device: ginauth.Limit{Attempts: 1 << 30, Per: 15 * time.Minute},
}

// passwordHash returns the hash of password.
var passwordHash = sync.OnceValue(func() string {
	hasher, err := hashing.New(ginauthtest.CheapHashing())
	if err != nil {
		panic(err) // the configuration is valid
	}
	hash, err := hasher.Hash(context.Background(), password)
	if err != nil {
		panic(err) // nothing else is hashed
	}
	return hash
})

// distantRoutes adds logins that check a password and count the attempt.
func distantRoutes(r *gin.Engine, auth *ginauth.Manager) {
	type credentials struct{ Email, Password string }
	attempt := func(guard string) gin.HandlerFunc {
		return func(c *gin.Context) {
			var in credentials
			if err := ginauth.DecodeJSON(c, &in); err != nil {
				ginauth.Abort(c, err)
				return
			}
			res, err := ginauth.From(c).Guard(guard).Attempt(c.Request.Context(), ginauth.Credentials{"email": in.Email, "password": in.Password})
			if err != nil {
				ginauth.Abort(c, err)
				return
			}
			c.JSON(http.StatusOK, gin.H{"user": res.User, "tokens": res.Tokens})
		}
	}
	r.POST("/attempt", auth.ThrottleLogins(), attempt("web"))
	r.POST("/token", auth.ThrottleLogins(), attempt("api"))
	r.POST("/refresh", func(c *gin.Context) {
		var in struct {
			RefreshToken string `json:"refresh_token"`
		}
		if err := ginauth.DecodeJSON(c, &in); err != nil {
			ginauth.Abort(c, err)
			return
		}
		res, err := ginauth.From(c).Guard("api").Refresh(c.Request.Context(), in.RefreshToken)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.JSON(http.StatusOK, gin.H{"tokens": res.Tokens})
	})
}

// runDistances measures with PostgreSQL at each of the distances.
func runDistances(ctx context.Context, out io.Writer, list string, connections int, duration time.Duration) error {
	if os.Getenv(postgresVariable) == "" {
		return fmt.Errorf("needs %s", postgresVariable)
	}
	var delays []time.Duration
	for text := range strings.SplitSeq(list, ",") {
		delay, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		delays = append(delays, delay)
	}
	setup, err := prepare(ctx)
	if err != nil {
		return err
	}
	defer setup.close()
	fmt.Fprintf(out, "Everything in PostgreSQL, %d connections, %v each:\n\n", connections, duration)
	fmt.Fprintln(out, "| way to PostgreSQL | request | requests/s | median | p99 |\n| ---: | --- | ---: | ---: | ---: |")
	for _, delay := range delays {
		if err := setup.atDistance(ctx, out, delay, connections, duration); err != nil {
			return fmt.Errorf("%v away: %w", delay, err)
		}
	}
	return nil
}

// atDistance measures all jobs at one distance.
func (s *setup) atDistance(ctx context.Context, out io.Writer, delay time.Duration, connections int, duration time.Duration) error {
	u, err := url.Parse(s.dsn(s.schema))
	if err != nil {
		return err
	}
	way, err := newWay(u.Host, delay)
	if err != nil {
		return err
	}
	defer way.close()
	u.Host = way.listener.Addr().String()
	for _, job := range []struct {
		name, kind string
		clients    func(base string) ([]client, error)
	}{
		{"`GET /me` without ginauth", "bare-postgres", func(base string) ([]client, error) { return readers(ctx, base, connections, false) }},
		{"`GET /me`", distant, func(base string) ([]client, error) { return readers(ctx, base, connections, true) }},
		{"login", distant, func(base string) ([]client, error) { return posters(base, "/attempt", connections), nil }},
		{"refresh", distant, func(base string) ([]client, error) { return posters(base, "/token", connections), nil }},
	} {
		got, err := s.measureAt(ctx, contestant{name: job.name, kind: job.kind}, u.String(), func(base string) (result, error) {
			clients, err := job.clients(base)
			if err != nil {
				return result{}, err
			}
			return attackWith(ctx, strings.TrimPrefix(base, "http://"), clients, "", duration)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", job.name, err)
		}
		fmt.Fprintf(out, "| %v | %s | %.0f | %v | %v |\n", delay, job.name, float64(time.Second)/float64(got.each),
			got.median.Round(10*time.Microsecond), got.p99.Round(10*time.Microsecond))
	}
	return nil
}

// readers read the user again and again.
func readers(ctx context.Context, base string, connections int, loggedIn bool) ([]client, error) {
	clients := make([]client, connections)
	for i := range clients {
		var header http.Header
		if loggedIn {
			var err error
			if header, err = login(ctx, base); err != nil {
				return nil, err
			}
		}
		request := requestText(strings.TrimPrefix(base, "http://"), "GET", "/me", header, "")
		clients[i] = func([]byte) ([]byte, error) { return request, nil }
	}
	return clients, nil
}

// posters log in by path, each as users of its own in turn: whoever has as many logins as are allowed ends one
// at each login, which takes longer. If that gives a refresh token they use it from then on, and log in no more.
func posters(base, path string, connections int) []client {
	addr := strings.TrimPrefix(base, "http://")
	clients := make([]client, connections)
	for i := range clients {
		next := i
		login := func() []byte {
			n := next%users + 1
			next += connections
			return requestText(addr, "POST", path, nil, fmt.Sprintf(`{"email":"alice%d@example.com","password":%q}`, n, password))
		}
		clients[i] = func(body []byte) ([]byte, error) {
			if body == nil {
				return login(), nil
			}
			var answer struct {
				Tokens *struct {
					RefreshToken string `json:"refresh_token"`
				}
			}
			if err := json.Unmarshal(body, &answer); err != nil {
				return nil, err
			}
			if answer.Tokens == nil {
				return login(), nil
			}
			return requestText(addr, "POST", "/refresh", nil, fmt.Sprintf(`{"refresh_token":%q}`, answer.Tokens.RefreshToken)), nil
		}
	}
	return clients
}

// way is a way to a server on which data takes some time.
type way struct {
	listener net.Listener
	server   string
	delay    time.Duration
	mu       sync.Mutex
	conns    []net.Conn
}

func newWay(server string, delay time.Duration) (*way, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &way{listener: listener, server: server, delay: delay}
	go w.accept()
	return w, nil
}

func (w *way) accept() {
	for {
		from, err := w.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", w.server)
		if err != nil {
			_ = from.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, from, to)
		w.mu.Unlock()
		go w.carry(to, from, w.delay)
		go w.carry(from, to, 0) // the delay is that of the way there and back
	}
}

// carry copies data. What arrives is kept for the delay, however much follows it meanwhile.
func (w *way) carry(to, from net.Conn, delay time.Duration) {
	type parcel struct {
		data []byte
		due  time.Time
	}
	parcels := make(chan parcel, 1024)
	go func() {
		defer func() { _ = to.Close() }()
		for p := range parcels {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.data); err != nil {
				_ = from.Close()
			}
		}
	}()
	defer close(parcels)
	reader := bufio.NewReaderSize(from, 64<<10)
	for {
		if _, err := reader.Peek(1); err != nil {
			return
		}
		data := make([]byte, reader.Buffered())
		if _, err := io.ReadFull(reader, data); err != nil {
			return
		}
		parcels <- parcel{data, time.Now().Add(delay)}
	}
}

func (w *way) close() {
	err := w.listener.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		err = errors.Join(err, conn.Close())
	}
	_ = err // connections of a server that ended are closed already
}
