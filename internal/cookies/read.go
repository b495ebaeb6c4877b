package cookies

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// pairs goes through the cookies of a header. It is the only reader of cookies in this module:
// two readers that disagree about a request could be played off against each other. net/http
// reads no more than 3,000 cookies.
type pairs struct {
	lines []string
	line  string
}

// next returns the name and the value of the next cookie. Exact says that the cookie has the
// form of RFC 6265: other readers may take a name followed by a space, or a name without a value,
// for the same cookie.
func (p *pairs) next() (name, value string, exact, ok bool) {
	for p.line == "" {
		if len(p.lines) == 0 {
			return "", "", false, false
		}
		p.line, p.lines = p.lines[0], p.lines[1:]
	}
	var pair string
	pair, p.line, _ = strings.Cut(p.line, ";")
	before, value, found := strings.Cut(textproto.TrimString(pair), "=")
	name = textproto.TrimString(before)
	return name, value, found && name == before, true
}

// Read returns the value of the cookie with exactly this name. If there are two with
// different values it returns none: a sibling domain can plant a second cookie, and
// the header does not tell which is the browser's own (RFC 6265, 8.6). The same
// holds for a name followed by a space and for a name without a value, which other
// readers take for the same cookie.
func Read(h http.Header, name string) (value string, ok bool) {
	p := pairs{lines: h["Cookie"]}
	for {
		k, v, exact, more := p.next()
		switch {
		case !more:
			return value, ok
		case k != name:
		case !exact || (ok && v != value):
			return "", false
		default:
			value, ok = v, true
		}
	}
}

// MaxTwins is how many cookies of one name are tried. Each may cost a call of the store.
const MaxTwins = 4

// Twins returns the different values of the cookies of one name that a request carries more than
// once, and whether it does. Of more than MaxTwins it returns none.
func Twins(h http.Header, name string) (values []string, more bool) {
	p := pairs{lines: h["Cookie"]}
	n, odd := 0, false
	first := ""
	for k, v, exact, ok := p.next(); ok; k, v, exact, ok = p.next() {
		switch {
		case k != name:
		case !exact:
			odd = true
		case n == 0:
			n, first = 1, v
		case values == nil && v == first, slices.Contains(values, v):
		case values == nil:
			n, values = 2, []string{first, v}
		default:
			if n++; n <= MaxTwins {
				values = append(values, v)
			}
		}
	}
	switch {
	case n > MaxTwins:
		return nil, true
	case n == 1 && odd:
		return []string{first}, true
	}
	return values, n > 1
}

// Sent reports whether a request has one of the application's cookies, also if it
// occurs twice or is written in a form that Read does not accept.
func (j Jar) Sent(r *http.Request) bool {
	own := j.Name(j.cfg.Name)
	p := pairs{lines: r.Header["Cookie"]}
	for k, _, _, ok := p.next(); ok; k, _, _, ok = p.next() {
		if rest, ours := strings.CutPrefix(k, own); ours && (rest == "" || rest[0] == '_') {
			return true
		}
	}
	return false
}
