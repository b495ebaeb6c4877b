package ginwriter

import (
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"
)

// Live knows the writers of the requests that run and have something to lose. It lets a request
// that gin.Engine.HandleContext routes again find its writer: HandleContext takes the writer and
// all keys away from the context. The zero Live is empty. It is safe for concurrent use.
type Live struct {
	shards [64]struct {
		n       atomic.Int32
		mu      sync.Mutex
		writers map[*gin.Context]*Writer
	}
}

// The states of a Writer in a Live.
const (
	notLive int32 = iota
	live
	ended // and never live again: Gin uses the context for another request
)

func shardOf(c *gin.Context) uintptr {
	p := reflect.ValueOf(c).Pointer()
	return (p>>9 ^ p>>16) % 64
}

// Add adds a writer, once, unless its request has ended.
func (l *Live) Add(w *Writer) {
	if w.live.Load() != notLive {
		return
	}
	s := &l.shards[shardOf(w.c)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.live.CompareAndSwap(notLive, live) {
		return
	}
	if s.writers == nil {
		s.writers = make(map[*gin.Context]*Writer)
	}
	s.writers[w.c] = w
	s.n.Store(int32(len(s.writers)))
}

// End removes a writer at the end of its request. It cannot be added any more.
func (l *Live) End(w *Writer) {
	if w.live.CompareAndSwap(notLive, ended) {
		return
	}
	s := &l.shards[shardOf(w.c)]
	s.mu.Lock()
	defer s.mu.Unlock()
	w.live.Store(ended)
	delete(s.writers, w.c)
	s.n.Store(int32(len(s.writers)))
}

// Find returns the writer of the request that a context belongs to, or nil, and makes it the
// context's writer again.
func (l *Live) Find(c *gin.Context) *Writer {
	s := &l.shards[shardOf(c)]
	if s.n.Load() == 0 { // the usual case
		return nil
	}
	s.mu.Lock()
	w := s.writers[c]
	s.mu.Unlock()
	if w != nil {
		c.Writer = w
	}
	return w
}
