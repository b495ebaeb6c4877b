package hashing

import (
	"container/list"
	"context"
	"fmt"
	"sync"
)

// clientKey is the key of the client in a context.
type clientKey struct{}

// WithClient returns a context under which hashes are computed for a client,
// which its network address may name. The callers of one client are served in
// the order in which they came, those of several clients in turns. If too many
// are waiting, the last caller of the client with the most of them gets ErrBusy.
// So one client with many callers does not keep others from being served.
// Callers without a client count as one.
func WithClient(ctx context.Context, client string) context.Context {
	return context.WithValue(ctx, clientKey{}, client)
}

// limit admits a number of callers to run and a number to wait. No method takes
// longer because more callers wait.
type limit struct {
	mu          sync.Mutex
	concurrency int
	queue       int
	running     int
	waiting     int
	clients     map[string]*client // that have a caller who waits
	turns       list.List          // of *client, the next one first
	// levels[n-1] are the clients with n waiting callers. The last one is not
	// empty.
	levels []*list.List
}

// client is a client that has callers who wait.
type client struct {
	name    string
	callers list.List     // of *caller, the first who came first
	turn    *list.Element // in limit.turns
	level   *list.Element // in limit.levels
}

// caller is a caller who waits.
type caller struct {
	client  *client
	place   *list.Element // in client.callers; nil if the caller waits no more
	decided chan error    // receives nil if the caller may run
}

func newLimit(concurrency, queue int) *limit {
	return &limit{concurrency: concurrency, queue: queue, clients: make(map[string]*client)}
}

// enter waits until the caller may run. If it returns nil, the caller must call
// leave. It returns ErrBusy if too many callers are waiting, and an error that
// wraps the context's error if ctx ends first.
func (l *limit) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return notHashed(err)
	}
	name, _ := ctx.Value(clientKey{}).(string)
	w, err := l.admit(name)
	if w == nil {
		return err
	}
	select {
	case err := <-w.decided:
		// If both channels were ready, select chose at random.
		if ended := ctx.Err(); err == nil && ended != nil {
			l.leave()
			return notHashed(ended)
		}
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case w.place != nil:
		l.remove(w)
	case <-w.decided == nil: // it was about to run
		l.next()
	}
	return notHashed(ctx.Err())
}

// admit lets a caller run, if it returns neither a caller nor an error. Otherwise
// the caller waits.
func (l *limit) admit(name string) (*caller, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running < l.concurrency {
		l.running++ // nobody waits as long as somebody could run
		return nil, nil
	}
	if l.waiting >= l.queue && !l.displace(name) {
		return nil, ErrBusy
	}
	return l.add(name), nil
}

// displace makes room in a full queue for a client that has fewer callers than
// another one.
func (l *limit) displace(name string) bool {
	most, own := len(l.levels), 0
	if c := l.clients[name]; c != nil {
		own = c.callers.Len()
	}
	if most <= own+1 {
		return false
	}
	c := l.levels[most-1].Front().Value.(*client)
	last := c.callers.Back().Value.(*caller)
	l.remove(last)
	last.decided <- ErrBusy
	return true
}

// leave lets the next caller run.
func (l *limit) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next()
}

// next gives the place of a caller who ran to the first caller of the client
// whose turn it is.
func (l *limit) next() {
	first := l.turns.Front()
	if first == nil {
		l.running--
		return
	}
	c := first.Value.(*client)
	l.turns.MoveToBack(first)
	w := c.callers.Front().Value.(*caller)
	l.remove(w)
	w.decided <- nil
}

func (l *limit) add(name string) *caller {
	c := l.clients[name]
	if c == nil {
		c = &client{name: name}
		c.turn = l.turns.PushBack(c)
		l.clients[name] = c
	}
	w := &caller{client: c, decided: make(chan error, 1)}
	w.place = c.callers.PushBack(w)
	l.waiting++
	l.move(c, c.callers.Len()-1)
	return w
}

func (l *limit) remove(w *caller) {
	c := w.client
	c.callers.Remove(w.place)
	w.place = nil
	l.waiting--
	l.move(c, c.callers.Len()+1)
	if c.callers.Len() == 0 {
		l.turns.Remove(c.turn)
		delete(l.clients, c.name)
	}
}

// move moves a client to the level of its callers.
func (l *limit) move(c *client, before int) {
	if before > 0 {
		l.levels[before-1].Remove(c.level)
	}
	now := c.callers.Len()
	if now > len(l.levels) {
		l.levels = append(l.levels, list.New())
	}
	if now > 0 {
		c.level = l.levels[now-1].PushBack(c)
	}
	if n := len(l.levels); n > 0 && l.levels[n-1].Len() == 0 {
		l.levels = l.levels[:n-1]
	}
}

func notHashed(err error) error {
	return fmt.Errorf("ginauth: password was not hashed: %w", err)
}
