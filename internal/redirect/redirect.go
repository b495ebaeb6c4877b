// Package redirect checks that a redirect target is inside the application.
package redirect

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxTarget is the length of the longest target, in bytes.
const MaxTarget = 2048

// Clean returns target without its fragment and reports whether it is safe to
// redirect to. A safe target is a path that begins with exactly one slash,
// optionally followed by a query. For other targets Clean returns "" and false.
//
// Browsers treat a backslash as a slash, remove tabs and line breaks, and
// resolve dot segments before they use the path. Some proxies decode escapes
// before they do the same. Clean therefore refuses paths that contain any of
// these, even after decoding. Browsers never request such paths, so only
// manipulated targets are refused.
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

// Or returns the clean target if it is safe, and otherwise the fallback.
func Or(target, fallback string) string {
	if clean, ok := Clean(target); ok {
		return clean
	}
	return fallback
}

// safePath reports whether a decoded path resolves only to itself.
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
