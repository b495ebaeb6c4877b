package redisstore_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// What a proxy does with connections and answers.
const (
	forward = iota
	refuse  // refuse new connections and close the existing ones
	reset   // reset connections on which something is sent
	hang    // forward no more answers
	lose    // drop the answer to the next script and its connection, then forward
)

// A proxy stands between a client and the server.
type proxy struct {
	server string
	lis    net.Listener
	mu     sync.Mutex
	mode   int
	conns  map[net.Conn]bool
}

// throughProxy returns a client that reaches the single server through a proxy.
func throughProxy(t *testing.T, change func(*redis.Options)) (*redis.Client, *proxy) {
	t.Helper()
	o := options(t)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: o.Addr, lis: lis, conns: make(map[net.Conn]bool)}
	t.Cleanup(func() {
		lis.Close()
		p.set(refuse)
	})
	go p.accept()
	o.Addr = lis.Addr().String()
	change(o)
	return closing(t, redis.NewClient(o)), p
}

// behind returns empty stores on a client whose connections may fail. When the test ends,
// it deletes their records through another client.
func behind(t *testing.T, client *redis.Client) stores.Set {
	prefix := newPrefix()
	direct := openSingle(t)
	t.Cleanup(func() { clean(t, direct, prefix) })
	return redisstore.New(client, redisstore.WithPrefix(prefix))
}

// set changes the mode of the proxy.
func (p *proxy) set(mode int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
	if mode == refuse || mode == reset || mode == forward {
		p.closeAll()
	}
}

// arm makes the proxy drop the answer to the next script.
func (p *proxy) arm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = lose
}

func (p *proxy) closeAll() {
	for conn := range p.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // sends a reset
		}
		conn.Close()
	}
	clear(p.conns)
}

func (p *proxy) is(mode int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode == mode
}

func (p *proxy) accept() {
	for {
		client, err := p.lis.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.mode == refuse || p.mode == reset {
			_ = client.(*net.TCPConn).SetLinger(0)
			client.Close()
			p.mu.Unlock()
			continue
		}
		p.conns[client] = true
		p.mu.Unlock()
		go p.serve(client)
	}
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		client.Close()
		return
	}
	var doomed atomic.Bool
	go func() {
		defer server.Close()
		p.copy(server, client, func(request []byte) bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.mode == lose && bytes.Contains(request, []byte("evalsha")) {
				p.mode = forward
				doomed.Store(true)
			}
			return true
		})
	}()
	defer client.Close()
	p.copy(client, server, func([]byte) bool { return !doomed.Load() })
}

// copy copies data until one side closes the connection or pass returns false.
func (p *proxy) copy(to io.Writer, from io.Reader, pass func([]byte) bool) {
	buffer := make([]byte, 64*1024)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if p.is(hang) {
			continue
		}
		if !pass(buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
