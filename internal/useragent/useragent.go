// Package useragent returns a display name for a client, derived from its
// User-Agent header. Use it only for display, because clients can send any
// text.
package useragent

import "strings"

// maxName is the maximum length of the name of an unknown client, in bytes.
const maxName = 60

// mark is a part of a User-Agent header that identifies a browser or a system.
// The order matters, because most browsers also contain the marks of others.
type mark struct{ text, name string }

var (
	browsers = [...]mark{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"},
		{"Vivaldi/", "Vivaldi"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	}
	systems = [...]mark{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"},
	}
)

// Name returns the display name of a client, as in "Firefox on Linux". For an
// unknown browser it returns the first word of the User-Agent header, or
// "Unknown device".
func Name(userAgent string) string {
	browser, system := find(browsers[:], userAgent), find(systems[:], userAgent)
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "":
		return browser
	}
	word, _, _ := strings.Cut(strings.TrimSpace(userAgent), " ")
	word, _, _ = strings.Cut(word, "/")
	word = strings.Map(visible, word)
	switch {
	case word == "" || word == "Mozilla":
		return "Unknown device"
	case len(word) > maxName:
		word = word[:maxName]
	}
	if system != "" {
		return word + " on " + system
	}
	return word
}

func find(marks []mark, text string) string {
	for _, m := range marks {
		if strings.Contains(text, m.text) {
			return m.name
		}
	}
	return ""
}

// visible removes all characters except visible ASCII characters, and removes
// "<" and ">".
func visible(r rune) rune {
	if r <= ' ' || r >= 0x7f || r == '<' || r == '>' {
		return -1
	}
	return r
}
