package memstore

import (
	"sync"
	"time"
)

// A janitor is the goroutine that prunes a store at intervals.
type janitor struct {
	stop chan struct{}
	once sync.Once
	wait sync.WaitGroup
}

// startJanitor starts a goroutine that calls prune at intervals until close is
// called. If the interval is negative, it starts none.
func startJanitor(every time.Duration, prune func()) *janitor {
	j := &janitor{stop: make(chan struct{})}
	if every < 0 {
		return j
	}
	j.wait.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-j.stop:
				return
			case <-ticker.C:
				prune()
			}
		}
	})
	return j
}

// close stops the goroutine and waits until it has ended. It may be called again.
func (j *janitor) close() {
	j.once.Do(func() { close(j.stop) })
	j.wait.Wait()
}
