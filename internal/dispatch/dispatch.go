// Package dispatch hands events to an application: to its audit sink in line, and
// to its listeners on a goroutine of its own.
package dispatch

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/deadline"
)

// Config configures a Dispatcher.
type Config struct {
	Log *slog.Logger
	// Queue is how many events may wait for the listeners.
	Queue int
	// Audit is called in line, once for each event. It may be nil.
	Audit func(ctx context.Context, e events.Event)
}

// Dispatcher hands events to listeners. One goroutine serves the queue. It starts
// with the first listener and ends with Close. A Dispatcher is safe for concurrent
// use.
type Dispatcher struct {
	cfg     Config
	dropped atomic.Uint64
	heard   atomic.Bool // there is a listener

	mu        sync.RWMutex
	closed    bool
	queue     chan queuedEvent
	done      chan struct{}
	listeners map[reflect.Type][]func(context.Context, events.Event)
}

type queuedEvent struct {
	ctx   context.Context
	event events.Event
}

// New returns a Dispatcher without listeners.
func New(cfg Config) *Dispatcher { return &Dispatcher{cfg: cfg} }

var everyEvent = reflect.TypeFor[events.Event]()

// Listen adds a listener for events of type t, or for all events if t is the type
// of events.Event. After Close it does nothing.
func (d *Dispatcher) Listen(t reflect.Type, listener func(context.Context, events.Event)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	if d.queue == nil {
		d.queue, d.done = make(chan queuedEvent, d.cfg.Queue), make(chan struct{})
		d.listeners = make(map[reflect.Type][]func(context.Context, events.Event))
		d.heard.Store(true)
		go d.run()
	}
	d.listeners[t] = append(d.listeners[t], listener)
}

// Dispatch calls the audit sink and puts the event into the queue of the listeners.
// It never waits for a listener: when the queue is full the event is dropped for
// the listeners, counted and logged.
func (d *Dispatcher) Dispatch(ctx context.Context, e events.Event) {
	if d.cfg.Audit != nil {
		d.audit(ctx, e)
	}
	d.send(queuedEvent{ctx, e})
}

// Heard reports whether there is an audit sink or a listener. Callers on hot paths
// make no event otherwise.
func (d *Dispatcher) Heard() bool { return d.cfg.Audit != nil || d.heard.Load() }

// Dropped returns how many events the listeners missed because the queue was full.
func (d *Dispatcher) Dropped() uint64 { return d.dropped.Load() }

func (d *Dispatcher) audit(ctx context.Context, e events.Event) {
	defer func() {
		if r := recover(); r != nil {
			d.cfg.Log.Error("ginauth: audit sink panicked", "event", e.EventName(), "panic", reflect.TypeOf(r).String())
		}
	}()
	d.cfg.Audit(ctx, e)
}

func (d *Dispatcher) send(q queuedEvent) {
	if !d.heard.Load() {
		return
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.queue == nil || d.closed {
		return
	}
	q.ctx = deadline.Detach(q.ctx)
	select {
	case d.queue <- q:
	default:
		// Log at each power of two, so that a flood of events does not flood the log.
		if n := d.dropped.Add(1); n&(n-1) == 0 {
			d.cfg.Log.Error("ginauth: event queue is full, listeners are too slow",
				"dropped", n, "event", q.event.EventName())
		}
	}
}

func (d *Dispatcher) run() {
	defer close(d.done)
	for q := range d.queue {
		d.mu.RLock()
		own, all := d.listeners[reflect.TypeOf(q.event)], d.listeners[everyEvent]
		d.mu.RUnlock()
		for _, listener := range own {
			d.call(listener, q)
		}
		for _, listener := range all {
			d.call(listener, q)
		}
	}
}

func (d *Dispatcher) call(listener func(context.Context, events.Event), q queuedEvent) {
	defer func() {
		if r := recover(); r != nil {
			// The value of the panic may hold a secret. Log its type only.
			d.cfg.Log.Error("ginauth: event listener panicked", "event", q.event.EventName(),
				"panic", reflect.TypeOf(r).String())
		}
	}()
	listener(q.ctx, q.event)
}

// Close waits until the listeners have had all queued events, or until ctx ends. It
// returns the cause of the context's end.
func (d *Dispatcher) Close(ctx context.Context) error {
	d.mu.Lock()
	queue, done, first := d.queue, d.done, !d.closed
	d.closed = true
	d.mu.Unlock()
	if queue == nil {
		return nil
	}
	if first {
		close(queue)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// clientKey is the key of a context's client.
type clientKey struct{}

// client is what a context knows of the client.
type client struct {
	meta      events.Meta
	languages string
}

// WithClient returns a context whose events have the client's address and user
// agent, as meta has them. Languages is the Accept-Language header of the client.
func WithClient(ctx context.Context, meta events.Meta, languages string) context.Context {
	return context.WithValue(ctx, clientKey{}, client{meta, languages})
}

// ClientOf returns what WithClient put into the context.
func ClientOf(ctx context.Context) events.Meta {
	c, _ := ctx.Value(clientKey{}).(client)
	return c.meta
}

// LanguagesOf returns the Accept-Language header that WithClient put into the context, or "".
func LanguagesOf(ctx context.Context) string {
	c, _ := ctx.Value(clientKey{}).(client)
	return c.languages
}

// Slog returns an audit sink that writes one log line for each event.
func Slog(log *slog.Logger) func(context.Context, events.Event) {
	return func(ctx context.Context, e events.Event) {
		m := e.EventMeta()
		log.LogAttrs(ctx, slog.LevelInfo, "auth "+e.EventName(),
			slog.Time("at", m.Time),
			slog.String("guard", m.Guard),
			slog.String("user", cut(m.UserID)),
			slog.String("account", m.Account),
			slog.String("address", m.Address),
			slog.String("user_agent", cut(m.UserAgent)))
	}
}

// cut returns at most the first 255 bytes of a text, as valid UTF-8.
func cut(text string) string { return strings.ToValidUTF8(text[:min(len(text), 255)], "\uFFFD") }
