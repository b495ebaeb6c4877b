package ginauth

import (
	"log/slog"
	"reflect"
	"sync"
	"time"
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

// maxBackground is how much may run or wait at once. Each job ends by its
// deadline.
const maxBackground = 256

func (b *background) run(job func()) {
	if !b.begin(maxBackground) {
		b.log.Error("ginauth: too much to do in the background, something is dropped")
		return
	}
	b.start(job)
}

// afterAnswer is how long a hidden job waits: until the answer to the request
// that asked for it is on its way.
const afterAnswer = 25 * time.Millisecond

// runHidden is run for what the time of an answer must not tell. While the answer
// is written the job would take a share of the machine, and slow it: so it begins
// later, and where there is none to do (it is nil) as much begins as where there
// is.
func (b *background) runHidden(job func()) {
	wait := func() { time.Sleep(afterAnswer) }
	switch {
	case job != nil:
		b.run(func() { wait(); job() })
	case b.begin(maxBackground / 2): // the rest is for what somebody would miss
		b.start(wait)
	}
}

func (b *background) start(job func()) {
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

// begin takes one of so many places.
func (b *background) begin(places int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.n >= places {
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
