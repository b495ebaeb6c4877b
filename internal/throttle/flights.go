package throttle

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ginauth/ginauth/stores"
)

const (
	// maxWaiting is how many attempts wait for the slots of one window. It bounds what
	// guesses cost that come all at once.
	maxWaiting = 64
	// maxWait is how long an attempt waits, in real time. It is longer than to hash the
	// passwords of a full queue takes.
	maxWait = 5 * time.Second
	// retrySoon is the longest time after which a client is told to try again if slots
	// are held by attempts in flight.
	retrySoon = time.Second

	flightShards = 64
)

// flights knows the attempts in flight: those of this process that have reserved a slot
// and have neither failed nor succeeded yet. An attempt in flight is not a failure.
// Where such attempts hold the slots of a window, further ones wait until they end: a
// success returns slots, a failure does not. So parallel requests with the right
// password all pass, and no more wrong ones are checked than the limit.
//
// Attempts in flight in other processes are not known, and count as failures until they
// end.
type flights [flightShards]flightShard

type flightShard struct {
	sync.Mutex
	windows map[stores.Digest]*flight
	spare   *flight // that nobody knows any more, or nil
}

// flight is the attempts in flight that have a slot of one window, or are about to ask
// for one. It is protected by the lock of its shard.
type flight struct {
	key      stores.Digest // of the window
	attempts int
	returned uint64          // how often slots came back
	waiting  []chan struct{} // at most maxWaiting, in the order in which they came
}

// seat is the place of one attempt among the flights.
type seat struct {
	f        *flight // nil if the attempt has ended
	returned uint64  // of f, when the attempt was about to ask for a slot
}

func (f *flights) shard(key stores.Digest) *flightShard { return &f[key[0]%flightShards] }

// enter adds an attempt that is about to ask for a slot.
func (f *flights) enter(key stores.Digest) seat {
	sh := f.shard(key)
	sh.Lock()
	defer sh.Unlock()
	if sh.windows == nil {
		sh.windows = make(map[stores.Digest]*flight)
	}
	w := sh.windows[key]
	if w == nil {
		if w, sh.spare = sh.spare, nil; w == nil {
			w = new(flight)
		}
		w.key = key
		sh.windows[key] = w
	}
	w.attempts++
	return seat{w, w.returned}
}

// leave ends an attempt, which returned a number of slots to the window.
func (f *flights) leave(s *seat, slots int) {
	if s.f == nil {
		return
	}
	sh := f.shard(s.f.key)
	sh.Lock()
	defer sh.Unlock()
	sh.end(s.f, slots)
	s.f = nil
}

// end ends an attempt. As many attempts go on as slots came back. If no other attempt is
// in flight, all have to decide.
func (sh *flightShard) end(w *flight, slots int) {
	w.attempts--
	if slots > 0 {
		w.returned++
	}
	if w.attempts == 0 {
		slots = len(w.waiting)
	}
	w.wake(slots)
	if w.attempts > 0 {
		return
	}
	delete(sh.windows, w.key)
	if w.waiting == nil { // nobody has ever waited here
		w.returned, sh.spare = 0, w
	}
}

func (w *flight) wake(n int) {
	n = min(n, len(w.waiting))
	for _, waiter := range w.waiting[:n] {
		close(waiter)
	}
	w.waiting = slices.Delete(w.waiting, 0, n)
}

// wait ends an attempt that found the window full, and waits until it is worth while to
// ask again. Otherwise it returns false, and whether attempts in flight still have slots
// that may come back.
func (f *flights) wait(ctx context.Context, until time.Time, s *seat) (again, inFlight bool) {
	w := s.f
	if s.f = nil; w == nil {
		return false, false
	}
	sh := f.shard(w.key)
	woken, again, inFlight := sh.queue(s, w)
	if woken == nil {
		return again, inFlight
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-woken:
		sh.Lock()
		defer sh.Unlock()
		return w.returned != s.returned, false
	case <-ctx.Done():
	case <-timer.C:
	}
	sh.Lock()
	defer sh.Unlock()
	if i := slices.Index(w.waiting, woken); i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	} else {
		w.wake(1) // another one goes on in its place
	}
	return false, true
}

// queue ends an attempt and queues it. If it need not wait it gets no channel.
func (sh *flightShard) queue(s *seat, w *flight) (woken chan struct{}, again, inFlight bool) {
	sh.Lock()
	defer sh.Unlock()
	again = w.returned != s.returned // since it asked
	inFlight = w.attempts > 1
	if !again && inFlight && len(w.waiting) < maxWaiting {
		woken = make(chan struct{})
		w.waiting = append(w.waiting, woken)
		// This attempt is not the last one, so it is not woken by its own end.
	}
	sh.end(w, 0)
	return woken, again, inFlight
}

// busy reports whether attempts in flight have slots of a window.
func (f *flights) busy(key stores.Digest) bool {
	sh := f.shard(key)
	sh.Lock()
	defer sh.Unlock()
	return sh.windows[key] != nil
}
