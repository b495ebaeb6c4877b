package ginauth

import (
	"bufio"
	"errors"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
)

// commitWriter stores the session before the first byte of a response leaves.
// If that fails, the client gets the failure and nothing of what the handler
// wrote, neither before nor after.
type commitWriter struct {
	gin.ResponseWriter
	x *exchange
	c *gin.Context // of this request; not used after it
	// before holds the headers that were there when the request came in.
	before http.Header
}

type responseState uint8

const (
	responseWaiting responseState = iota // nothing has left
	responseOpen                         // the session is stored
	responseFailed                       // it is not, and the client was told
)

var _ gin.ResponseWriter = (*commitWriter)(nil)

// errNotStored is what a handler's writes get after the commit failed.
var errNotStored = errors.New("ginauth: response replaced: the session could not be stored")

// open commits once and reports whether the handler's bytes may pass.
func (w *commitWriter) open() bool {
	if w.x.response == responseWaiting {
		w.x.response = responseOpen
		defer w.x.storeTime.close()
		if w.Written() { // by somebody before us: nothing can be said any more
			w.x.session.discard()
			return true
		}
		if err := w.x.commit(w.ResponseWriter.Header(), w.Status()); err != nil {
			w.x.response = responseFailed
			w.replace(err)
		}
	}
	return w.x.response == responseOpen
}

// replace answers with err in place of the handler.
func (w *commitWriter) replace(err error) {
	header := w.ResponseWriter.Header()
	clear(header)
	for name, values := range w.before {
		header[name] = values
	}
	// The writer that the handler sees may wrap this one, as a compressing one
	// does: the answer goes to the one below.
	outer := w.c.Writer
	w.c.Writer = w.ResponseWriter
	w.x.m.respond(w.c, err)
	w.c.Writer.Flush() // the handler may go on for long
	w.c.Writer = outer
}

// Write commits, then writes.
func (w *commitWriter) Write(b []byte) (int, error) {
	if !w.open() {
		return 0, errNotStored
	}
	return w.ResponseWriter.Write(b)
}

// WriteString commits, then writes.
func (w *commitWriter) WriteString(s string) (int, error) {
	if !w.open() {
		return 0, errNotStored
	}
	return w.ResponseWriter.WriteString(s)
}

// WriteHeader notes the status, unless the answer was replaced.
func (w *commitWriter) WriteHeader(code int) {
	if w.x.response == responseFailed {
		return
	}
	if w.x.response == responseOpen && code == http.StatusServiceUnavailable && !w.Written() {
		w.x.dropCookies(w.Header()) // an outer middleware turned the answer into a failure
	}
	w.ResponseWriter.WriteHeader(code)
}

// WriteHeaderNow commits, then sends the header.
func (w *commitWriter) WriteHeaderNow() {
	if w.open() {
		w.ResponseWriter.WriteHeaderNow()
	}
}

// Flush commits, then flushes.
func (w *commitWriter) Flush() {
	if w.open() {
		w.ResponseWriter.Flush()
	}
}

// Hijack commits, then hands the connection over. A session whose id changed in
// this request needs a header to carry the new one, and a hijacked connection
// writes its own: Hijack then fails, before anything is stored.
func (w *commitWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.x.response == responseWaiting && w.x.session.needsCookie() {
		return nil, nil, errors.New("ginauth: a new session id cannot be sent over a hijacked connection")
	}
	if !w.open() {
		return nil, nil, errNotStored
	}
	return w.ResponseWriter.Hijack()
}

// Unwrap lets http.ResponseController reach deadlines below. Writing, flushing
// and hijacking it finds here first.
func (w *commitWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
