package testservers

import (
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// FreePort returns an unused port of 127.0.0.1.
func FreePort(t testing.TB) int {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	return lis.Addr().(*net.TCPAddr).Port
}

// RedisServer is a Redis server for one test. Its append-only file is flushed
// before each reply. It is stopped when the test ends.
//
// A flush every second would lose data if the server is killed: while the disk
// is busy with one flush, Redis delays the next write for up to two seconds and
// still replies.
type RedisServer struct {
	// Address is the host and port.
	Address  string
	dir      string
	settings []string
	cmd      *exec.Cmd
}

// NewRedisServer starts a server. It skips the test if there is no
// redis-server. The settings are additional command-line arguments, such as
// "--appendfsync", "everysec".
func NewRedisServer(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("needs redis-server")
	}
	s := &RedisServer{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t))), dir: t.TempDir(), settings: settings}
	t.Cleanup(s.Kill)
	s.Start(t)
	return s
}

// Start starts the server with its existing data and waits until it replies.
func (s *RedisServer) Start(t testing.TB) {
	t.Helper()
	host, port, _ := net.SplitHostPort(s.Address)
	arguments := []string{"--bind", host, "--port", port, "--dir", s.dir,
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}
	s.cmd = exec.Command("redis-server", append(arguments, s.settings...)...) // later arguments override earlier ones
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: s.Address})
	defer client.Close()
	for deadline := time.Now().Add(20 * time.Second); client.Ping(t.Context()).Err() != nil; { // Ping waits between its retries
		if time.Now().After(deadline) {
			t.Fatal("the Redis server does not reply")
		}
	}
}

// Kill ends the server as kill -9 does, and waits until it has ended.
func (s *RedisServer) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}
