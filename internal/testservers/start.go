package testservers

import (
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// FreePort returns a port of 127.0.0.1 on which nobody listens.
func FreePort(t testing.TB) int {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	return lis.Addr().(*net.TCPAddr).Port
}

// A RedisServer is a server of the test's own, with an append-only file that is
// flushed before each answer. It ends with the test.
//
// Flushed once a second would not do where a kill must lose nothing: while the
// disk is busy with one flush the server puts off the next write for up to two
// seconds, and answers nevertheless.
type RedisServer struct {
	// Address is host and port.
	Address  string
	dir      string
	settings []string
	cmd      *exec.Cmd
}

// NewRedisServer starts a server, or skips the test where there is no
// redis-server. Further settings are arguments of its command line, as in
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

// Start starts the server on what it left, and waits until it answers.
func (s *RedisServer) Start(t testing.TB) {
	t.Helper()
	host, port, _ := net.SplitHostPort(s.Address)
	arguments := []string{"--bind", host, "--port", port, "--dir", s.dir,
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}
	s.cmd = exec.Command("redis-server", append(arguments, s.settings...)...) // of two the later holds
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: s.Address})
	defer client.Close()
	for deadline := time.Now().Add(20 * time.Second); client.Ping(t.Context()).Err() != nil; { // which pauses between its own tries
		if time.Now().After(deadline) {
			t.Fatal("the Redis server does not answer")
		}
	}
}

// Kill ends the server at once, as kill -9 does, and waits until it has ended.
func (s *RedisServer) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}
