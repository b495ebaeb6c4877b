package request

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

// Cut returns at most the first n bytes of s, in whole characters and as valid
// UTF-8. It bounds what a client's text takes in a store or a log.
func Cut(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	if utf8.ValidString(s) { // the usual case is the fast one
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// WantsHTML reports whether a request accepts HTML and does not list JSON before it, and its path
// has none of the prefixes.
func WantsHTML(r *http.Request, except []string) bool {
	for _, prefix := range except {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return false
		}
	}
	html, json := -1, -1
	for i, part := range strings.Split(Cut(r.Header.Get("Accept"), 1024), ",") {
		media, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "text/html", "application/xhtml+xml":
			if html < 0 {
				html = i
			}
		case "application/json":
			if json < 0 {
				json = i
			}
		}
	}
	return html >= 0 && (json < 0 || html < json)
}
