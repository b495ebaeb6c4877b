package experiments_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
)

// floodServer is set in the environment of a process that is the server of
// TestHashFlood, so that its memory is that of a server alone.
const floodServer = "GINAUTH_TEST_FLOOD_SERVER"

// floodDriver is the production cost of the experiment, or the default one.
func floodDriver() hashing.Argon2id {
	if testsize.Full() {
		return hashing.Argon2id{Memory: 64 * 1024, Time: 1}
	}
	return hashing.Argon2id{}
}

// TestFloodServer is no test: it serves until its input ends.
func TestFloodServer(t *testing.T) {
	if os.Getenv(floodServer) == "" {
		t.Skip("is the server of TestHashFlood")
	}
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Throttle.InsecureDisable = true
		c.Hashing = hashing.Config{Driver: floodDriver(), Concurrency: 1}
	}))
	plain := httptest.NewServer(a.Engine)
	defer plain.Close()
	fmt.Println("address", strings.TrimPrefix(plain.URL, "http://"))
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println("hashes", a.Hasher().Computations())
	}
}

// floodPeer is the server's process.
type floodPeer struct {
	cmd *exec.Cmd
	in  *os.File
	out *bufio.Scanner
	url string
}

func (p *floodPeer) read(t *testing.T, what string) string {
	t.Helper()
	for p.out.Scan() {
		if value, ok := strings.CutPrefix(p.out.Text(), what+" "); ok {
			return value
		}
	}
	t.Fatalf("the server ended without its %s", what)
	return ""
}

func (p *floodPeer) hashes(t *testing.T) int64 {
	t.Helper()
	fmt.Fprintln(p.in)
	n, _ := strconv.ParseInt(p.read(t, "hashes"), 10, 64)
	return n
}

// residentMiB returns the memory of the process, now or at its peak.
func (p *floodPeer) residentMiB(t *testing.T, field string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0 // not every system has it
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib / 1024
		}
	}
	return 0
}

func startFloodPeer(t *testing.T) *floodPeer {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestFloodServer$")
	cmd.Env = append(os.Environ(), floodServer+"=1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = r
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	t.Cleanup(func() { _ = w.Close(); _ = cmd.Wait() })
	p := &floodPeer{cmd: cmd, in: w, out: bufio.NewScanner(out)}
	p.url = "http://" + p.read(t, "address")
	return p
}

// TestHashFlood sends many logins at once. What they may cost is bounded: the
// hashes that run, those that wait, and 503 for the rest. With GINAUTH_LONG=1
// it is the whole experiment, at 64 MiB a hash.
func TestHashFlood(t *testing.T) { // EXP-05, P06
	if testing.Short() {
		t.Skip("hashes at production cost")
	}
	logins := testsize.Of(500, 150)
	server := startFloodPeer(t)
	transport := &http.Transport{MaxIdleConnsPerHost: logins + 1, DialContext: (&net.Dialer{}).DialContext}
	defer transport.CloseIdleConnections()
	clients := make([]*testapp.Client, logins)
	newClient := func() *testapp.Client { return testapp.NewClient(t, server.url, transport) }
	reader := newClient()
	reader.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	testapp.Race(logins, func(i int) { // so that the connections are open
		clients[i] = newClient()
		if _, err := clients[i].Try(context.Background(), "GET", "/", "", ""); err != nil {
			t.Error(err)
		}
	})
	idle := latencies(t, testsize.Of(5000, 300), reader, nil)
	base, before := server.residentMiB(t, "VmRSS"), server.hashes(t)

	var served, busy, slowest atomic.Int64
	done := make(chan struct{})
	var under []time.Duration
	var wg sync.WaitGroup
	wg.Go(func() { under = latencies(t, 1_000_000, reader, done) })
	testapp.Race(logins, func(i int) {
		began := time.Now()
		res, err := clients[i].TryPost("/login", testapp.Credentials(testapp.Alice, "wrong"))
		switch {
		case err != nil:
			t.Error(err)
		case res.StatusCode == 401:
			served.Add(1)
		case res.StatusCode == 503 && res.Header.Get("Retry-After") != "":
			busy.Add(1)
			slowest.Store(max(slowest.Load(), int64(time.Since(began))))
		default:
			t.Errorf("status %d %s", res.StatusCode, res.Text)
		}
	})
	close(done)
	wg.Wait()
	if n := server.hashes(t) - before; n != served.Load() || n < 65 || busy.Load() == 0 {
		t.Errorf("%d hashes for %d answers of 401, and %d of 503", n, served.Load(), busy.Load())
	}
	reader.Get("/me").Want(t, 200)
	// One hash, and room for the one before it.
	if peak, most := server.residentMiB(t, "VmHWM"), base+2*int(floodDriver().Memory)/1024; testsize.Full() && peak > most {
		t.Errorf("resident %d MiB at the peak, %d MiB are allowed", peak, most)
	}
	t.Logf("%d logins: %d hashed, %d refused (slowest %v); resident %d MiB before, %d at the peak; GET /me p99 %v, %.1f times that of idle, %v",
		logins, served.Load(), busy.Load(), time.Duration(slowest.Load()),
		base, server.residentMiB(t, "VmHWM"), p99(under), float64(p99(under))/float64(p99(idle)), p99(idle))
}

// latencies measures GET /me, n times or until done is closed.
func latencies(t *testing.T, n int, c *testapp.Client, done <-chan struct{}) []time.Duration {
	var took []time.Duration
	for range n {
		select {
		case <-done:
			return took
		default:
		}
		began := time.Now()
		if res, err := c.Try(context.Background(), "GET", "/me", "", ""); err != nil || res.StatusCode != 200 {
			t.Errorf("%v %v", res, err)
			return took
		}
		took = append(took, time.Since(began))
	}
	return took
}

func p99(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)*99/100]
}
