// Package redirect tells redirect targets inside the application from those
// that lead a browser elsewhere.
package redirect

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxTarget is the longest target, in bytes.
const MaxTarget = 2048

// Clean returns target without its fragment, and whether it is safe to redirect
// to: a path beginning with one slash, and perhaps a query. It is "" if not.
//
// Browsers read a backslash as a slash, drop tabs and line breaks wherever they
// are, and remove dot segments before anything else looks at the path; some
// proxies decode escapes before they do the same. So the path must have none of
// these even when decoded. A browser never asks for such a path: only targets
// written by hand are refused.
func Clean(target string) (string, bool) {
	if len(target) > MaxTarget || !utf8.ValidString(target) || strings.ContainsFunc(target, unicode.IsControl) {
		return "", false
	}
	target, _, _ = strings.Cut(target, "#")
	path, _, _ := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil || !safePath(decoded) {
		return "", false
	}
	return target, true
}

// safePath reports whether a path without escapes can be resolved only to
// itself.
func safePath(path string) bool {
	rest, rooted := strings.CutPrefix(path, "/")
	if !rooted || strings.HasPrefix(rest, "/") {
		return false
	}
	if !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) || strings.Contains(path, `\`) {
		return false
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
