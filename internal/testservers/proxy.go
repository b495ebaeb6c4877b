package testservers

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Mode is the behavior of a Proxy.
type Mode int

const (
	// Forward forwards all data.
	Forward Mode = iota
	// Refuse closes new and existing connections.
	Refuse
	// Reset accepts connections and resets each of them at its first request.
	Reset
	// Hang keeps connections open and forwards nothing.
	Hang
	// Slow forwards requests after the delay of SetDelay.
	Slow
	// Flaky resets the connections of a share of the requests, set by SetShare.
	Flaky
)

// Proxy is a TCP proxy between clients and a server that can simulate failures.
// It is safe for concurrent use.
type Proxy struct {
	server string
	lis    net.Listener

	mu    sync.Mutex
	mode  Mode
	delay time.Duration
	share float64
	conns map[*net.TCPConn]bool
	waits int // as Waits returns them
	group sync.WaitGroup
}

// NewProxy returns a proxy for a server. It is closed when the test ends.
func NewProxy(t testing.TB, server string) *Proxy {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{server: server, lis: lis, conns: make(map[*net.TCPConn]bool)}
	p.group.Go(p.accept)
	t.Cleanup(func() {
		lis.Close()
		p.Set(Refuse)
		p.group.Wait()
	})
	return p
}

// Address returns the address of the proxy, as in 127.0.0.1:4321.
func (p *Proxy) Address() string { return p.lis.Addr().String() }

// Set changes the mode. Existing connections are reset if the old mode was
// Hang, Reset or Refuse, or if the new mode is Refuse.
func (p *Proxy) Set(m Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	spoiled := p.mode == Hang || p.mode == Reset || p.mode == Refuse
	p.mode = m
	if spoiled || m == Refuse {
		p.closeAll()
	}
}

// SetDelay sets the delay of requests in mode Slow.
func (p *Proxy) SetDelay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// SetShare sets the share of requests, from 0 to 1, whose connection is reset
// in mode Flaky.
func (p *Proxy) SetShare(share float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.share = share
}

// Waits returns how often clients have waited for the server until now: the length of the longest
// chain of requests of which each one was sent after the answer to another one. So requests that
// are sent at the same time count once.
func (p *Proxy) Waits() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waits
}

func (p *Proxy) closeAll() {
	for conn := range p.conns {
		reset(conn)
	}
	clear(p.conns)
}

// reset closes a connection with a TCP reset.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

func (p *Proxy) accept() {
	for {
		conn, err := p.lis.Accept()
		if err != nil {
			return
		}
		client := conn.(*net.TCPConn)
		p.mu.Lock()
		if p.mode == Refuse {
			reset(client)
		} else {
			p.conns[client] = true
			p.group.Go(func() { p.serve(client) })
		}
		p.mu.Unlock()
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	defer p.forget(client)
	conn, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	p.mu.Lock()
	p.conns[server] = true
	p.mu.Unlock()
	// place is the place of the request on this connection in such a chain, or 0.
	var place atomic.Int64
	p.group.Go(func() {
		defer p.forget(client)
		p.copy(client, server, func() bool {
			p.answered(int(place.Swap(0)))
			return true
		})
	})
	defer p.forget(server)
	p.copy(server, client, func() bool {
		place.CompareAndSwap(0, int64(p.Waits()+1))
		return p.pass()
	})
}

func (p *Proxy) answered(place int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waits = max(p.waits, place)
}

// forget closes and removes a connection.
func (p *Proxy) forget(conn *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
	reset(conn)
}

func (p *Proxy) is(m Mode) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode == m
}

// pass waits for the delay of a request and reports whether the request is
// forwarded.
func (p *Proxy) pass() bool {
	p.mu.Lock()
	mode, delay, share := p.mode, p.delay, p.share
	p.mu.Unlock()
	switch mode {
	case Reset:
		return false
	case Slow:
		time.Sleep(delay)
	case Flaky:
		return rand.Float64() >= share
	}
	return true
}

// copy copies data until one side is closed or pass returns false. In mode
// Hang, data is dropped.
func (p *Proxy) copy(to, from *net.TCPConn, pass func() bool) {
	buffer := make([]byte, 64*1024)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if p.is(Hang) {
			continue
		}
		if !pass() {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
