package experiments_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testsize"
)

// appVariable is set in the environment of a process that is an application. It
// holds the spec.
const appVariable = "GINAUTH_EXPERIMENT"

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	redis.SetLogger(silent{})
	if text := os.Getenv(appVariable); text != "" {
		if err := serve(text); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

// silent is a logger of the Redis client for experiments that stop its server.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// serve runs an application until its input ends, which it does when the process
// that started it has died.
func serve(text string) error {
	var s spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	b, err := s.open()
	if err != nil {
		return err
	}
	r, _, err := s.engine(b, nil)
	if err != nil {
		return err
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("address", lis.Addr())
	go func() { _ = http.Serve(lis, r) }()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// app is an application that runs.
type app struct {
	url  string
	http *http.Client
}

func (a *app) client() *client { return &client{http: a.http, url: a.url} }

// serve starts an application in this process. It ends with the test.
func (s spec) serve(t *testing.T, b *backend, configure func(*ginauth.Config)) *app {
	t.Helper()
	r, m, err := s.engine(b, configure)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(r)
	a := &app{srv.URL, newHTTP()}
	t.Cleanup(func() {
		a.http.CloseIdleConnections()
		srv.Close()
		_ = m.Close(context.Background())
	})
	return a
}

// recovers waits until nothing that the application does meets an outage any
// more: connections that died are found one by one.
func (a *app) recovers(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for good := 0; good < 40; {
		if time.Now().After(deadline) {
			t.Fatal("the application does not recover")
		}
		status, err := a.client().login(0, password)
		if err != nil {
			t.Fatal(err)
		}
		if good++; status != http.StatusNoContent {
			good = 0
		}
	}
}

// process is an application in a process of its own.
type process struct {
	app
	cmd *exec.Cmd
	in  io.Closer
}

// start starts an application. It ends with the test.
func (s spec) start(t *testing.T) *process {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), appVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, in: in, app: app{http: newHTTP()}}
	t.Cleanup(p.kill)
	line, _ := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "address ")
	if !ok {
		t.Fatalf("the application said %q", line)
	}
	p.url = "http://" + address
	return p
}

// kill ends the process at once, as kill -9 does, and waits until it has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.in.Close()
	p.http.CloseIdleConnections()
}

func newHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}, Timeout: 20 * time.Second}
}

// long reports whether experiments run at full size.
func long() bool { return testsize.Full() }

// size returns the size of an experiment.
func size(full, short int) int { return testsize.Rounds(full, short) }

// client is a browser that knows one application.
type client struct {
	http    *http.Client
	url     string
	session string
}

// errUnknown says that nobody knows whether a request was carried out.
var errUnknown = errors.New("no answer")

// do sends a request and returns the status and the body of the answer.
func (c *client) do(method, path, body string) (int, string, error) {
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.session != "" {
		req.Header.Set("Cookie", "__Host-ginauth="+c.session)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("%w: %w", errUnknown, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", fmt.Errorf("%w: %w", errUnknown, err)
	}
	for _, cookie := range res.Cookies() {
		if cookie.Name == "__Host-ginauth" {
			c.session = cookie.Value
		}
	}
	return res.StatusCode, string(data), nil
}

// login logs u<user> in.
func (c *client) login(user int, password string) (int, error) {
	status, _, err := c.do("POST", "/login", fmt.Sprintf(`{"email":%q,"password":%q}`, email(user), password))
	return status, err
}

// is returns the status that the client's session has at /me, and which keys it
// holds.
func (c *client) is(user int) (status int, keys map[string]any, err error) {
	status, body, err := c.do("GET", "/me", "")
	if err != nil || status != 200 {
		return status, nil, err
	}
	var me struct {
		Name string
		Keys map[string]any
	}
	if err := json.Unmarshal([]byte(body), &me); err != nil {
		return status, nil, err
	}
	if me.Name != fmt.Sprint("u", user) {
		err = fmt.Errorf("the session of u%d is %q's", user, me.Name)
	}
	return status, me.Keys, err
}
