package ginwriter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/gin-gonic/gin"
)

var errPanic = errors.New("ginauth: a handler panicked")

// Recovery turns a panic into the response to an error, after it has discarded the changes of the
// request. It logs the type of the panic's value, which may hold a secret, and the stack.
//
// It passes http.ErrAbortHandler on, by which a handler asks for the connection to be closed. It
// closes the connection as well if the response has begun, so that the client does not take a part
// for the whole, and if the client itself broke the connection.
func Recovery(log *slog.Logger, discard func(*gin.Context), respond func(*gin.Context, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		l := level{writer: c.Writer, request: c.Request}
		if h := c.Writer.Header(); len(h) > 0 {
			l.before = maps.Clone(h)
		}
		defer func() {
			if p := recover(); p != nil {
				l.recovered(c, p, log)
				discard(c)
				l.restore(c, p)
				respond(c, errPanic)
			}
		}()
		c.Next()
	}
}

// level is what a Recovery found when it was called. Middlewares inside it have ended when it
// recovers, and what they made of the context counts no more.
type level struct {
	writer  gin.ResponseWriter
	request *http.Request
	before  http.Header
	gone    bool // the client broke the connection
}

// recovered logs a panic, unless its cause is that the client has disconnected. A broken
// connection to another server is a failure like any other.
func (l *level) recovered(c *gin.Context, p any, log *slog.Logger) {
	if p == http.ErrAbortHandler {
		return
	}
	err, _ := p.(error)
	broken := errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
	l.gone = broken && errors.Is(l.request.Context().Err(), context.Canceled)
	if !l.gone {
		log.ErrorContext(l.request.Context(), "ginauth: panic", "route", c.FullPath(),
			"type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
	}
}

// restore makes the context ready for another response. It panics if there can be none.
func (l *level) restore(c *gin.Context, p any) {
	if p == http.ErrAbortHandler || l.gone || l.writer.Written() || c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	c.Writer = l.writer
	restoreBody(c.Writer.Header(), l.before)
}

// unwinding reports whether this goroutine runs deferred calls because of a panic.
func unwinding() bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		frame, more := frames.Next()
		if frame.Function == "runtime.gopanic" {
			return true
		}
		if !more {
			return false
		}
	}
}
