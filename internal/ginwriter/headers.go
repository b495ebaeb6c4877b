package ginwriter

import (
	"net/http"
	"strings"
)

// bodyHeaders are the headers that describe the body of a response, or where it is. A response
// that replaces another one does not have those of the other.
var bodyHeaders = [...]string{
	"Accept-Ranges", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Length", "Content-Location", "Content-Md5", "Content-Range", "Content-Type", "Digest", "Etag",
	"Expires", "Last-Modified", "Location", "Pragma", "Refresh", "Repr-Digest", "Trailer", "Transfer-Encoding",
}

// restoreBody gives the headers that describe a body the values they had before.
func restoreBody(h, before http.Header) {
	for _, name := range bodyHeaders {
		restoreHeader(h, before, name)
	}
}

func restoreHeader(h, before http.Header, name string) {
	if values, ok := before[name]; ok {
		h[name] = values
	} else {
		delete(h, name)
	}
}

// Replace prepares a response that replaces the handler's: the headers that described the
// handler's body are as they were before the request. A writer that a middleware put around this
// one may compress the response, and has then said so: its Content-Encoding stays.
func (w *Writer) Replace() {
	if w.removed { // Recovery did it
		return
	}
	h := w.ResponseWriter.Header()
	encoding := h["Content-Encoding"]
	restoreBody(h, w.before)
	if w.c.Writer != w && len(encoding) == 1 && w.accepts(encoding[0]) {
		h["Content-Encoding"] = encoding
	}
}

// accepts reports whether the client accepts a content coding, as it must if a middleware is to
// apply it.
func (w *Writer) accepts(coding string) bool {
	for _, line := range w.c.Request.Header["Accept-Encoding"] {
		for part := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), coding) {
				return true
			}
		}
	}
	return false
}
