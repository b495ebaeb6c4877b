package request

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ginauth/ginauth/autherr"
)

// The authentication schemes of the Authorization header that are known here.
const (
	Bearer = "Bearer"
	Basic  = "Basic"
)

// Authorization returns what follows a scheme in the Authorization header, and whether the
// header has the scheme at all. Two headers count as none, because it cannot be known which one
// is meant. Exactly one space separates the two parts (RFC 9110, 11.4).
func Authorization(h http.Header, scheme string) (credentials string, presented bool) {
	lines := h["Authorization"]
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		if strings.EqualFold(name, scheme) {
			credentials, presented = rest, true
		}
	}
	if len(lines) != 1 {
		return "", presented
	}
	return credentials, presented
}

// BearerChallenge returns the challenge of guards that read tokens. It tells a token that is
// not accepted from one that is missing, and nothing else (RFC 6750, 3).
func BearerChallenge(r *http.Request) string {
	if _, presented := Authorization(r.Header, Bearer); presented {
		return Bearer + ` error="invalid_token"`
	}
	return Bearer
}

// maxBasic is the longest credentials that are decoded, in bytes.
const maxBasic = 8 << 10

// BasicCredentials returns the user name and password of an Authorization header (RFC 7617).
func BasicCredentials(h http.Header) (name, password string, ok bool) {
	text, _ := Authorization(h, Basic)
	if text == "" || len(text) > maxBasic {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(decoded), ":")
}

// KeepPrivate keeps caches from showing one user's response to another (OWASP ASVS 5.0,
// 14.3.2). A handler may set other headers, unless force says that the response sets a cookie
// or refuses a request.
func KeepPrivate(h http.Header, force bool) {
	if h["Cache-Control"] == nil && h["Vary"] == nil { // the usual case: one block for both
		values := [...]string{"no-store", "Cookie"}
		h["Cache-Control"], h["Vary"] = values[:1:1], values[1:]
		return
	}
	control := h.Get("Cache-Control")
	private := listHas(control, "no-store") || listHas(control, "private")
	if control == "" || (force && !private) {
		h.Set("Cache-Control", "no-store")
	}
	for _, line := range h["Vary"] {
		if listHas(line, "Cookie") || listHas(line, "*") {
			return
		}
	}
	h.Add("Vary", "Cookie")
}

// listHas reports whether a comma-separated header has a value.
func listHas(list, value string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(part), value) {
			return true
		}
	}
	return false
}

// Origins says which sites may make a browser send requests.
type Origins struct {
	Check *http.CrossOriginProtection
	// Trust reports whether a further origin may. It may be nil.
	Trust func(r *http.Request, origin string) bool
}

// Bypass accepts the requests of a http.ServeMux pattern from every origin, from now on. Nil Origins accept them already.
func (o *Origins) Bypass(pattern string) (err error) {
	if o == nil {
		return nil
	}
	defer func() {
		if r := recover(); r != nil { // the pattern is not valid, or another one conflicts with it
			err = fmt.Errorf("%q: %v", pattern, r)
		}
	}()
	o.Check.AddInsecureBypassPattern(pattern)
	return nil
}

// CheckOrigin returns an error that wraps autherr.ErrCrossOrigin if another site made a browser
// send the request. Nil Origins accept every request. InHeader says that tokens are only read
// from the Authorization header.
func (r *State) CheckOrigin(origins *Origins, inHeader bool) error {
	if origins == nil {
		return nil
	}
	err := origins.Check.Check(r.HTTP)
	if err == nil {
		return nil
	}
	// A browser adds cookies by itself, and passwords that it was told once (Basic, Digest,
	// Negotiate), but no bearer token. With a cookie of ours the check applies, because the
	// cookie may be what authenticates the request.
	scheme, _, _ := strings.Cut(r.HTTP.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, Bearer) && !r.Jar.Sent(r.HTTP) && inHeader {
		return nil
	}
	origin := r.HTTP.Header.Get("Origin")
	// "null" is the origin of every sandboxed page, so no function may trust it.
	if origins.Trust != nil && origin != "" && origin != "null" && len(origin) <= maxOrigin && origins.Trust(r.HTTP, origin) {
		return nil
	}
	r.Log.DebugContext(r.HTTP.Context(), "ginauth: request of another origin refused: if it is yours, name it in CrossOrigin.TrustedOrigins",
		"origin", Cut(origin, maxOrigin), "host", Cut(r.HTTP.Host, maxOrigin))
	return errors.Join(autherr.ErrCrossOrigin, err)
}

// maxOrigin is the longest origin, in bytes: a scheme, a domain name and a port.
const maxOrigin = 300
