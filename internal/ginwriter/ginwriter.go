// Package ginwriter wraps the response writer of Gin, so that the session is stored before the
// first byte of a response is sent.
package ginwriter

import (
	"bufio"
	"errors"
	"maps"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
)

// Request is what a Writer asks of the request that it belongs to.
type Request interface {
	// Commit stores the session and completes the headers of the response.
	Commit(h http.Header, status int) error
	// Discard drops the changes of the request and logs why, if there are any.
	Discard(reason string)
	// Respond writes the response to an error.
	Respond(c *gin.Context, err error)
	// Sent is called once the response has begun.
	Sent()
	// NeedsCookie reports whether Commit will set or delete a cookie.
	NeedsCookie() bool
	// DropCookies removes the application's cookies from a response.
	DropCookies(h http.Header)
}

// Writer stores the session before the first byte of a response is sent. If that fails, the
// client gets the failure and nothing that the handler wrote. Init makes the zero Writer that of
// a request.
type Writer struct {
	gin.ResponseWriter
	request Request
	c       *gin.Context // of this request; not used after it
	// before holds the headers that were there when the request came in.
	before  http.Header
	state   state
	removed bool
}

type state uint8

const (
	waiting state = iota // nothing was sent
	open                 // the session is stored
	failed               // it could not be stored, and the client was told
)

var _ gin.ResponseWriter = (*Writer)(nil)

// Init wraps the writer of a context.
func (w *Writer) Init(c *gin.Context, r Request) {
	w.ResponseWriter, w.request, w.c = c.Writer, r, c
	if h := c.Writer.Header(); len(h) > 0 {
		w.before = maps.Clone(h)
	}
	if c.Writer.Written() {
		r.Discard("the response had begun before the session") // no header can carry an id
	}
	c.Writer = w
}

// Request returns the request that the writer belongs to.
func (w *Writer) Request() Request { return w.request }

// Remove puts the wrapped writer back.
func (w *Writer) Remove() { w.c.Writer, w.removed = w.ResponseWriter, true }

// errNotStored is the error of a handler's writes after the commit failed.
var errNotStored = errors.New("ginauth: response replaced: the session could not be stored")

// Open commits, once, and reports whether the handler's bytes may be sent.
func (w *Writer) Open() bool {
	if w.state == waiting {
		if w.c.Writer != w && w.Status() < http.StatusBadRequest && unwinding() {
			// A middleware inside this one, such as a compressing one, ends its output while a
			// panic passes by it. That is no response.
			return false
		}
		w.state = open
		defer w.request.Sent()
		if w.Written() { // past this writer: no header can be added any more
			w.request.Discard("the response was written past StartSession")
			return true
		}
		if err := w.request.Commit(w.ResponseWriter.Header(), w.Status()); err != nil {
			w.state = failed
			w.replace(err)
		}
	}
	return w.state == open
}

// replace responds with err in place of the handler.
func (w *Writer) replace(err error) {
	header := w.ResponseWriter.Header()
	clear(header)
	maps.Copy(header, w.before)
	// A compressing writer may wrap this one. The response goes to the writer
	// below.
	outer := w.c.Writer
	w.c.Writer = w.ResponseWriter
	w.request.Respond(w.c, err)
	w.c.Writer.Flush() // the handler may run for long
	w.c.Writer = outer
}

// Write commits, then writes.
func (w *Writer) Write(b []byte) (int, error) {
	if !w.Open() {
		return 0, errNotStored
	}
	return w.ResponseWriter.Write(b)
}

// WriteString commits, then writes.
func (w *Writer) WriteString(s string) (int, error) {
	if !w.Open() {
		return 0, errNotStored
	}
	return w.ResponseWriter.WriteString(s)
}

// WriteHeader sets the status, unless the response was replaced.
func (w *Writer) WriteHeader(code int) {
	if w.state == failed {
		return
	}
	if w.state == open && code == http.StatusServiceUnavailable && !w.Written() {
		w.request.DropCookies(w.Header()) // an outer middleware turned the response into a failure
	}
	w.ResponseWriter.WriteHeader(code)
}

// WriteHeaderNow commits, then sends the header.
func (w *Writer) WriteHeaderNow() {
	if w.Open() {
		w.ResponseWriter.WriteHeaderNow()
	}
}

// Flush commits, then flushes.
func (w *Writer) Flush() {
	if w.Open() {
		w.ResponseWriter.Flush()
	}
}

// Hijack commits, then hands over the connection. If the session's id changed in this
// request, a header must carry the new id, which a hijacked connection cannot: Hijack
// then fails before anything is stored.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.state == waiting && w.request.NeedsCookie() {
		return nil, nil, errors.New("ginauth: a new session id cannot be sent over a hijacked connection")
	}
	if !w.Open() {
		return nil, nil, errNotStored
	}
	return w.ResponseWriter.Hijack()
}

// Unwrap lets http.ResponseController set deadlines on the writer below. It finds
// Flush and Hijack here first.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
