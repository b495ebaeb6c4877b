// Package useragent names a client for its user, from what the client says of
// itself. Nothing is decided by it: anybody may say anything.
package useragent

import "strings"

// maxName is how much of an unknown client's own words is shown, in bytes.
const maxName = 60

// mark is a part of a User-Agent header that tells a browser or a system. The
// order matters: most browsers also claim to be others.
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

// Name returns what to call a client, as in "Firefox on Linux", the first word
// of its User-Agent header if it is no known browser, or "Unknown device".
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

// visible drops what is no visible ASCII character.
func visible(r rune) rune {
	if r <= ' ' || r >= 0x7f || r == '<' || r == '>' {
		return -1
	}
	return r
}
