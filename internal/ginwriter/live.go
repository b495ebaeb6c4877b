package ginwriter

import (
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"
)

// Live knows the writers of the requests that run. It lets a request that
// gin.Engine.HandleContext routes again find its writer: HandleContext takes the writer and all
// keys away from the context. The zero Live is empty. It is safe for concurrent use.
//
// A request costs two atomic operations, because there is a slot for most contexts.
type Live struct {
	slots [1024]atomic.Pointer[Writer]
	rest  sync.Map // of *gin.Context, where all slots of a context are taken
}

// probes is how many slots a context may be in.
const probes = 4

func (l *Live) slot(c *gin.Context, i uintptr) *atomic.Pointer[Writer] {
	p := reflect.ValueOf(c).Pointer() // the collector moves no object
	return &l.slots[(p>>9^p>>17+i)%uintptr(len(l.slots))]
}

// Add adds the writer of a request that begins. The request must end it.
func (l *Live) Add(w *Writer) {
	for i := range uintptr(probes) {
		if l.slot(w.c, i).CompareAndSwap(nil, w) {
			return
		}
	}
	l.rest.Store(w.c, w)
}

// End removes a writer at the end of its request: Gin uses the context for another one then.
func (l *Live) End(w *Writer) {
	for i := range uintptr(probes) {
		if l.slot(w.c, i).CompareAndSwap(w, nil) {
			return
		}
	}
	l.rest.Delete(w.c)
}

// Find returns the writer of the request that a context belongs to, or nil, and makes it the
// context's writer again.
func (l *Live) Find(c *gin.Context) *Writer {
	var found *Writer
	for i := range uintptr(probes) {
		if w := l.slot(c, i).Load(); w != nil && w.c == c {
			found = w
		}
	}
	if w, ok := l.rest.Load(c); ok {
		found = w.(*Writer)
	}
	if found != nil {
		c.Writer = found
	}
	return found
}
