package testapp

import (
	"net/http"
	"sync"
)

// Race calls f on n goroutines at once: all wait for one signal. It returns when
// all have returned.
func Race(n int, f func(i int)) {
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	group.Wait()
}

// Race is the function of that name, after the connections are open that one
// request of each goroutine needs.
func (a *App) Race(n int, f func(i int)) {
	a.Helper()
	a.opening.expect(n)
	Race(n, func(int) { a.Client().Do(http.MethodGet, openPath, "", "") })
	Race(n, f)
}

// openPath is where requests wait for each other, so that each has a connection.
const openPath = "/testapp/open"

// opening counts the requests that are still to come.
type opening struct{ group sync.WaitGroup }

func (o *opening) expect(n int) { o.group.Add(n) }

func (o *opening) arrive() {
	o.group.Done()
	o.group.Wait()
}

// A Hold stops goroutines, such as those of handlers and stores, where they call
// Wait, until the test lets them go on.
type Hold struct{ arrived, proceed chan struct{} }

// NewHold returns a Hold at which nobody waits.
func NewHold() *Hold { return &Hold{make(chan struct{}), make(chan struct{})} }

// Wait tells the test that it has been reached, and returns when the test says so.
func (h *Hold) Wait() {
	h.arrived <- struct{}{}
	<-h.proceed
}

// Arrived returns when a goroutine waits.
func (h *Hold) Arrived() { <-h.arrived }

// Release lets one goroutine go on.
func (h *Hold) Release() { h.proceed <- struct{}{} }

// ReleaseAll lets all goroutines go on that have arrived.
func (h *Hold) ReleaseAll() { close(h.proceed) }
