package ginauth

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/ginauth/ginauth/events"
)

// dispatcher hands events to listeners, off the request. One goroutine serves
// the queue; it starts with the first listener and ends with close.
type dispatcher struct {
	log     *slog.Logger
	size    int
	dropped atomic.Uint64
	heard   atomic.Bool // somebody listens, or did until close

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

// On adds a listener for events of type E. Listeners run one after the other on
// a goroutine of the manager, in the order of the events; what they return late
// or break delays and breaks no request. Use events.Event as E to hear of
// everything. It is safe for concurrent use.
func On[E events.Event](m *Manager, listener func(ctx context.Context, e E)) {
	if listener == nil {
		panic("ginauth: On: listener is nil")
	}
	m.events.add(reflect.TypeFor[E](), func(ctx context.Context, e events.Event) {
		if typed, ok := e.(E); ok {
			listener(ctx, typed)
		}
	})
}

var everyEvent = reflect.TypeFor[events.Event]()

func (d *dispatcher) add(t reflect.Type, listener func(context.Context, events.Event)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	if d.queue == nil {
		d.queue, d.done = make(chan queuedEvent, d.size), make(chan struct{})
		d.listeners = make(map[reflect.Type][]func(context.Context, events.Event))
		d.heard.Store(true)
		go d.run()
	}
	d.listeners[t] = append(d.listeners[t], listener)
}

// Dispatch hands an event to the audit sink, in line, and to the listeners, off
// the request. Applications may dispatch events of their own. It never blocks
// on a listener: an event that finds the queue full is dropped for them, counted
// and logged.
func (m *Manager) Dispatch(ctx context.Context, e events.Event) {
	if m.cfg.Audit != nil {
		m.audit(ctx, e)
	}
	m.events.send(queuedEvent{ctx, e})
}

// heard reports whether there is anybody to hear of an event. Where most requests
// come by, it is not made for nobody.
func (m *Manager) heard() bool { return m.cfg.Audit != nil || m.events.heard.Load() }

func (m *Manager) audit(ctx context.Context, e events.Event) {
	defer func() {
		if r := recover(); r != nil {
			m.log.Error("ginauth: audit sink panicked", "event", e.EventName(), "panic", reflect.TypeOf(r).String())
		}
	}()
	m.cfg.Audit(ctx, e)
}

// DroppedEvents returns how many events listeners did not hear of because the
// queue was full.
func (m *Manager) DroppedEvents() uint64 { return m.events.dropped.Load() }

func (d *dispatcher) send(q queuedEvent) {
	if !d.heard.Load() {
		return
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.queue == nil || d.closed {
		return
	}
	q.ctx = afterwards(q.ctx)
	select {
	case d.queue <- q:
	default:
		// One line for each power of two: a flood of events is no flood of
		// lines.
		if n := d.dropped.Add(1); n&(n-1) == 0 {
			d.log.Error("ginauth: event queue is full, listeners are too slow",
				"dropped", n, "event", q.event.EventName())
		}
	}
}

func (d *dispatcher) run() {
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

func (d *dispatcher) call(listener func(context.Context, events.Event), q queuedEvent) {
	defer func() {
		if r := recover(); r != nil {
			// The value may hold anything the listener knew.
			d.log.Error("ginauth: event listener panicked", "event", q.event.EventName(),
				"panic", reflect.TypeOf(r).String())
		}
	}()
	listener(q.ctx, q.event)
}

// close waits until the queue is empty, or the context ends.
func (d *dispatcher) close(ctx context.Context) error {
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

// SlogAudit returns an audit sink that writes one line for each event.
func SlogAudit(log *slog.Logger) func(context.Context, events.Event) {
	return func(ctx context.Context, e events.Event) {
		m := e.EventMeta()
		log.LogAttrs(ctx, slog.LevelInfo, "auth "+e.EventName(),
			slog.Time("at", m.Time),
			slog.String("guard", m.Guard),
			slog.String("user", cut(m.UserID, 255)),
			slog.String("account", m.Account),
			slog.String("address", m.Address),
			slog.String("user_agent", cut(m.UserAgent, 255)))
	}
}
