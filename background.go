package ginauth

import (
	"log/slog"
	"reflect"
	"sync"
)

// background runs what a request must not wait for. It is bounded: what comes
// when it is full is dropped, logged, and left to be asked for again.
type background struct {
	log    *slog.Logger
	mu     sync.Mutex
	n      int
	closed bool
	done   sync.WaitGroup
}

// maxBackground is how much may run at once. Each job ends by its deadline.
const maxBackground = 64

func (b *background) run(job func()) {
	if !b.begin() {
		b.log.Error("ginauth: too much to do in the background, something is dropped")
		return
	}
	b.done.Go(func() {
		defer b.end()
		defer func() {
			if r := recover(); r != nil {
				b.log.Error("ginauth: panic in the background", "type", reflect.TypeOf(r).String())
			}
		}()
		job()
	})
}

func (b *background) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.n >= maxBackground {
		return false
	}
	b.n++
	return true
}

func (b *background) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n--
}

// close waits for what runs.
func (b *background) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.done.Wait()
}
