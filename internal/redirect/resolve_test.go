package redirect_test

import "strings"

// ownOrigin is the origin of https://app.example/x/y, the base URL of the
// targets.
const ownOrigin = "https://app.example"

// resolve returns the origin, including user information, that a browser
// requests for a target, or the scheme of a URL without origin. It follows
// section 4.4 of the WHATWG URL standard up to the authority. It shares no code
// with the package under test.
func resolve(target string) string {
	target = strings.TrimFunc(target, func(r rune) bool { return r <= ' ' })
	target = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(target)
	scheme, rest, absolute := cutScheme(target)
	switch {
	case !absolute:
		scheme, rest = "https", target
		if !isSlash(rest, 0) || !isSlash(rest, 1) {
			return ownOrigin // a path, a query, a fragment or nothing
		}
	case !special(scheme):
		return scheme + ":"
	case scheme == "https" && (!isSlash(rest, 0) || !isSlash(rest, 1)):
		return ownOrigin // has the scheme of the base and no authority
	}
	for isSlash(rest, 0) {
		rest = rest[1:]
	}
	if end := strings.IndexAny(rest, `/\?#`); end >= 0 {
		rest = rest[:end]
	}
	return scheme + "://" + rest
}

func isSlash(s string, i int) bool { return i < len(s) && (s[i] == '/' || s[i] == '\\') }

func special(scheme string) bool {
	switch scheme {
	case "http", "https", "ws", "wss", "ftp", "file":
		return true
	}
	return false
}

func cutScheme(s string) (scheme, rest string, ok bool) {
	for i, c := range []byte(strings.ToLower(s)) {
		switch {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return strings.ToLower(s[:i]), s[i+1:], true
		default:
			return "", s, false
		}
	}
	return "", s, false
}
