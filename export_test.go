package ginauth

import (
	"net/http"
	"unsafe"

	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/stores"
)

// What fuzz targets look at from outside.

// ReadCookieForTest is cookies.Read.
func ReadCookieForTest(h http.Header, name string) (string, bool) { return cookies.Read(h, name) }

// ParseSessionIDForTest returns the text that belongs to what was parsed.
func ParseSessionIDForTest(text string) (row string, digest stores.Digest, ok bool) {
	id, ok := session.ParseID(text)
	return id.Row, id.Digest, ok
}

// RequestStateSize is how many bytes a request has for everything that ginauth knows of it.
const RequestStateSize = unsafe.Sizeof(requestState{})

// ThrottleKeyForTest returns the key of the window of an account.
func (m *Manager) ThrottleKeyForTest(kind string, parts ...[]byte) stores.Digest {
	return m.limiter.Window(kind, throttle.Limit{}, parts...).Key
}
