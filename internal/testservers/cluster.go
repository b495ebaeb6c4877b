package testservers

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// PostgresCluster is a PostgreSQL server for one test, with default settings.
// It is stopped when the test ends.
type PostgresCluster struct {
	// DSN is the URL of the database.
	DSN  string
	bin  string
	dir  string
	port int
	cmd  *exec.Cmd
	out  *bytes.Buffer
}

// NewPostgresCluster creates and starts a cluster. It skips the test if
// PostgreSQL is not installed. PostgreSQL refuses to run as root. A test that
// runs as root therefore starts it as the user postgres.
func NewPostgresCluster(t testing.TB) *PostgresCluster {
	t.Helper()
	c := &PostgresCluster{bin: postgresBin(t), port: FreePort(t)}
	c.DSN = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", c.port)
	dir, err := os.MkdirTemp("", "ginauth-postgres-") // other users cannot access t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	c.dir = dir
	t.Cleanup(func() {
		c.Kill()
		_ = os.RemoveAll(dir)
	})
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("needs the user postgres: ", err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	out, err := c.command("initdb", "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "--no-sync").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	c.Start(t)
	return c
}

// postgresBin returns the directory of the newest installed PostgreSQL.
func postgresBin(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("needs initdb and postgres")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
}

// command returns a PostgreSQL command that runs as a permitted user.
func (c *PostgresCluster) command(name string, args ...string) *exec.Cmd {
	args = append([]string{filepath.Join(c.bin, name)}, args...)
	if os.Geteuid() == 0 {
		args = append([]string{"setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = c.dir
	return cmd
}

// Start starts the server with its existing data and waits until it replies.
// After a kill this may need several attempts, because the shared memory of the
// killed server must be released first.
func (c *PostgresCluster) Start(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		c.out = new(bytes.Buffer)
		c.cmd = c.command("postgres", "-D", filepath.Join(c.dir, "data"), "-p", strconv.Itoa(c.port),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+c.dir)
		c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
		if err := c.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = c.cmd.Wait(); close(ended) }()
		if c.answers(ended, deadline) {
			return
		}
		_ = c.cmd.Process.Kill()
		<-ended
	}
	t.Fatalf("the PostgreSQL server does not start:\n%s", c.out)
}

// answers reports whether the server replies before it ends.
func (c *PostgresCluster) answers(ended <-chan struct{}, deadline time.Time) bool {
	for time.Now().Before(deadline) {
		if err := c.ask(func(*gorm.DB) error { return nil }); err == nil {
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

// ask calls f with a connection.
func (c *PostgresCluster) ask(f func(db *gorm.DB) error) error {
	db, err := gorm.Open(postgres.Open(c.DSN), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return f(db.WithContext(ctx))
}

// Kill ends the main process of the server as kill -9 does. The other processes
// end when they notice.
func (c *PostgresCluster) Kill() {
	if c.cmd != nil && c.cmd.Process != nil {
		_ = c.cmd.Process.Kill()
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)))
		if err != nil {
			return
		}
		conn.Close()
	}
}

// KillBackend kills one process that serves a connection. The server then ends
// all other connections and recovers.
func (c *PostgresCluster) KillBackend() error {
	return c.ask(func(db *gorm.DB) error {
		var pid int
		err := db.Raw("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() " +
			"ORDER BY (state = 'active') DESC, random() LIMIT 1").Scan(&pid).Error
		if err != nil {
			return err
		}
		p, err := os.FindProcess(pid)
		if err != nil || pid == 0 {
			return fmt.Errorf("no backend to kill: %w", err)
		}
		return p.Kill()
	})
}
