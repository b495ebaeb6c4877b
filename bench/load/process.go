package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/ginauth/ginauth/internal/testservers"
)

const (
	redisVariable    = testservers.RedisVariable
	postgresVariable = testservers.PostgresVariable
)

// contestant is a measured server.
type contestant struct {
	name string
	// kind is an argument of runServer, or begins with "example" for the
	// example.
	kind string
	// bare says that the server has no login.
	bare  bool
	needs []string // environment variables
}

func contestants() []contestant {
	return []contestant{
		{"without ginauth, user in memory", "bare-memory", true, nil},
		{"sessions in memory, users in memory", "memory", false, nil},
		{"sessions in Redis, users in memory", "redis", false, []string{redisVariable}},
		{"without ginauth, user in PostgreSQL", "bare-postgres", true, []string{postgresVariable}},
		{"sessions in PostgreSQL, users in PostgreSQL", "postgres", false, []string{postgresVariable}},
		{"the example, all in SQLite", "example", false, nil},
		{"the example, all in PostgreSQL", "example-postgres", false, []string{postgresVariable}},
		{"the example, sessions in Redis, users in PostgreSQL", "example-redis", false, []string{postgresVariable, redisVariable}},
	}
}

// setup holds the resources that the servers of a run share.
type setup struct {
	dir    string // directory of files
	schema string // schema in PostgreSQL, or ""; the example uses another one named after it
	prefix string // prefix of keys in Redis
}

// prepare creates a new directory, schema and prefix for this run, and builds
// the example.
func prepare(ctx context.Context) (*setup, error) {
	dir, err := os.MkdirTemp("", "ginauth-load")
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(rand.Text()[:12])
	s := &setup{dir: dir, prefix: "ginauth-test-" + name + ":"}
	if os.Getenv(postgresVariable) != "" {
		s.schema = "ginauth_test_" + name
		if err := s.execute(fmt.Sprintf("CREATE SCHEMA %s; CREATE SCHEMA %[1]s_example", s.schema)); err != nil {
			return nil, err
		}
	}
	if err := buildExample(ctx, filepath.Join(dir, "example")); err != nil {
		s.close()
		return nil, fmt.Errorf("build the example: %w", err)
	}
	return s, nil
}

// buildExample builds the example in its own module, which requires more than this one.
func buildExample(ctx context.Context, path string) error {
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/ginauth/ginauth").Output()
	if err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./example")
	build.Dir, build.Stderr = strings.TrimSpace(string(module)), os.Stderr
	return build.Run()
}

func (s *setup) execute(statement string) error {
	db, err := gorm.Open(postgres.Open(os.Getenv(postgresVariable)), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return errors.Join(db.Exec(statement).Error, pool.Close())
}

// close removes everything that prepare and the servers created.
func (s *setup) close() {
	_ = os.RemoveAll(s.dir)
	if s.schema != "" {
		if err := s.execute(fmt.Sprintf("DROP SCHEMA %s, %[1]s_example CASCADE", s.schema)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if address := os.Getenv(redisVariable); address != "" {
		if err := deleteKeys(address, s.prefix); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

func deleteKeys(address, prefix string) error {
	options, err := redis.ParseURL(address)
	if err != nil {
		return err
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	ctx := context.Background()
	found := client.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for found.Next(ctx) {
		if err := client.Unlink(ctx, found.Val()).Err(); err != nil {
			return err
		}
	}
	return found.Err()
}

// missing returns the first environment variable that the server needs and that
// is not set, or "".
func (s *setup) missing(c contestant) string {
	for _, name := range c.needs {
		if os.Getenv(name) == "" {
			return name
		}
	}
	return ""
}

// dsn returns the data source name of a schema of the run.
func (s *setup) dsn(schema string) string {
	u, err := url.Parse(os.Getenv(postgresVariable))
	if err != nil {
		return ""
	}
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}

// command returns the command that starts a server.
func (s *setup) command(ctx context.Context, c contestant) (*exec.Cmd, error) {
	example := filepath.Join(s.dir, "example")
	switch c.kind {
	case "example":
		return exec.CommandContext(ctx, example, "-addr", "127.0.0.1:0", "-db", filepath.Join(s.dir, "example.db")), nil
	case "example-postgres":
		return exec.CommandContext(ctx, example, "-addr", "127.0.0.1:0", "-db", s.dsn(s.schema+"_example")), nil
	case "example-redis":
		return exec.CommandContext(ctx, example, "-addr", "127.0.0.1:0", "-db", s.dsn(s.schema+"_example"), "-redis", os.Getenv(redisVariable)), nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, self, "-serve", c.kind), nil
}

// measure starts a server, logs in on each connection, and measures.
func (s *setup) measure(ctx context.Context, c contestant, connections int, duration time.Duration) (result, error) {
	return s.measureAt(ctx, c, s.dsn(s.schema), func(base string) (result, error) {
		return c.attack(ctx, base, connections, duration)
	})
}

// measureAt starts a server whose schema has the given data source name, and measures it as
// attack does.
func (s *setup) measureAt(ctx context.Context, c contestant, dsn string, attack func(base string) (result, error)) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd, err := s.command(ctx, c)
	if err != nil {
		return result{}, err
	}
	var log bytes.Buffer
	cmd.Env = append(os.Environ(), "GIN_MODE=release", schemaVariable+"="+dsn, prefixVariable+"="+s.prefix)
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	output := bufio.NewReader(stdout)
	got, err := attackListener(output, attack)
	cancel()
	_ = cmd.Wait() // fails, because the process was terminated
	if err != nil {
		return result{}, fmt.Errorf("%w\n%s", err, log.Bytes())
	}
	return got, nil
}

// attackListener reads the server's address from its output and measures the
// server.
func attackListener(output *bufio.Reader, attack func(base string) (result, error)) (result, error) {
	first, err := output.ReadString('\n')
	if err != nil {
		return result{}, fmt.Errorf("the server ended: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, output) }() // the server may log every request
	return attack(strings.TrimPrefix(strings.TrimSpace(first), "listening on "))
}

// attack logs in on each connection and sends requests for the user.
func (c contestant) attack(ctx context.Context, base string, connections int, duration time.Duration) (got result, err error) {
	headers := make([]http.Header, connections)
	if !c.bare {
		for i := range headers {
			if headers[i], err = login(ctx, base); err != nil {
				return result{}, err
			}
		}
	}
	return attack(ctx, strings.TrimPrefix(base, "http://"), headers, `"name":"Alice"`, duration)
}

// login logs in and returns the Cookie header of the session.
func login(ctx context.Context, base string) (http.Header, error) {
	body, err := json.Marshal(map[string]string{"email": "alice@example.com", "password": "correct horse battery staple"})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/login", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("login: %d %.200q: %w", answer.StatusCode, said, cmp.Or(err, errNotOK))
	}
	// The cookie is Secure, but is sent over loopback without TLS here.
	var pairs []string
	for _, cookie := range answer.Cookies() {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	return http.Header{"Cookie": {strings.Join(pairs, "; ")}}, nil
}

var errNotOK = errors.New("not 200")
