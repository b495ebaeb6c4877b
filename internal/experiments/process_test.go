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
	"github.com/ginauth/ginauth/internal/testapp"
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
	t         testing.TB
	url       string
	transport *http.Transport
}

func newApp(t testing.TB, url string) *app {
	return &app{t, url, &http.Transport{MaxIdleConnsPerHost: 1024}}
}

func (a *app) client() *testapp.Client { return testapp.NewClient(a.t, a.url, a.transport) }

// serve starts an application in this process. It ends with the test.
func (s spec) serve(t *testing.T, b *backend, configure func(*ginauth.Config)) *app {
	t.Helper()
	r, m, err := s.engine(b, configure)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(r)
	a := newApp(t, srv.URL)
	t.Cleanup(func() {
		a.transport.CloseIdleConnections()
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
		res, err := logIn(a.client(), 0, testapp.Password)
		if err != nil {
			t.Fatal(err)
		}
		if good++; res.StatusCode != http.StatusOK {
			good = 0
		}
	}
}

// process is an application in a process of its own.
type process struct {
	*app
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
	p := &process{cmd: cmd, in: in, app: newApp(t, "")}
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
	p.transport.CloseIdleConnections()
}

// errUnknown says that nobody knows whether a request was carried out.
var errUnknown = errors.New("no answer")

// ask sends a request. The error wraps errUnknown if there is no response.
func ask(c *testapp.Client, method, path, body string) (*testapp.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	res, err := c.Try(ctx, method, path, "application/json", body)
	if err != nil {
		err = fmt.Errorf("%w: %w", errUnknown, err)
	}
	return res, err
}

// logIn logs u<user> in.
func logIn(c *testapp.Client, user int, password string) (*testapp.Response, error) {
	return ask(c, "POST", "/login", fmt.Sprintf(`{"email":%q,"password":%q}`, email(user), password))
}

// mustLogIn returns a client of u<user>, who has logged in.
func (a *app) mustLogIn(user int) *testapp.Client {
	a.t.Helper()
	c := a.client()
	res, err := logIn(c, user, testapp.Password)
	if err != nil {
		a.t.Fatal(err)
	}
	res.Want(a.t, http.StatusOK)
	return c
}

// look asks /me, which shows whose the client's session is and which keys it
// holds. It is an error if that is not u<user>.
func look(c *testapp.Client, user int) (status int, keys map[string]any, err error) {
	res, err := ask(c, "GET", "/me", "")
	if err != nil || res.StatusCode != http.StatusOK {
		return statusOf(res), nil, err
	}
	var me struct {
		Name string
		Keys map[string]any
	}
	if err := json.Unmarshal([]byte(res.Text), &me); err != nil {
		return res.StatusCode, nil, err
	}
	if me.Name != fmt.Sprint("u", user) {
		err = fmt.Errorf("the session of u%d is %q's", user, me.Name)
	}
	return res.StatusCode, me.Keys, err
}

// statusOf returns the status of a response, and 0 without one.
func statusOf(res *testapp.Response) int {
	if res == nil {
		return 0
	}
	return res.StatusCode
}
