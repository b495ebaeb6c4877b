package hashing_test

import (
	"strings"
	"sync/atomic"

	"github.com/ginauth/ginauth/hashing"
)

// gate is a Driver whose Verify waits until the test lets it continue. It shows
// which calls run at the same time, without a clock.
type gate struct {
	started chan struct{} // receives one value from every Verify that begins
	open    chan struct{} // closed to let all of them go on
	running atomic.Int64
	peak    atomic.Int64
	writes  string
	fault   any // panicked with instead of waiting, unless nil
}

var _ hashing.Driver = (*gate)(nil)

func newGate() *gate {
	return &gate{started: make(chan struct{}, 1000), open: make(chan struct{}), writes: "$gate$secret"}
}

func (g *gate) Validate(bool) error { return nil }

func (g *gate) Recognizes(encoded string) bool { return strings.HasPrefix(encoded, "$gate$") }

func (g *gate) NeedsRehash(encoded string) (bool, error) {
	if encoded == "$gate$bad" {
		return false, hashing.ErrBadHash
	}
	return encoded == "$gate$stale", nil
}

func (g *gate) Hash(string) (string, error) { return g.writes, nil }

func (g *gate) Verify(password, encoded string) (bool, error) {
	if g.fault != nil {
		panic(g.fault)
	}
	now := g.running.Add(1)
	defer g.running.Add(-1)
	for {
		peak := g.peak.Load()
		if now <= peak || g.peak.CompareAndSwap(peak, now) {
			break
		}
	}
	g.started <- struct{}{}
	<-g.open
	return "$gate$"+password == encoded, nil
}
