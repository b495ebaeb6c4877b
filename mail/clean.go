package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanLine returns s as one line of at most limit bytes. Characters that are
// not allowed in a header become white space, and each run of white space
// becomes one space.
func cleanLine(s string, limit int) string {
	// Limits the work. The result rarely needs more, even if characters are
	// removed.
	s = cut(s, 16*limit)
	s = strings.ToValidUTF8(s, " ")
	s = strings.Map(func(r rune) rune {
		if notInLine(r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(cut(strings.Join(strings.Fields(s), " "), limit))
}

// cut returns at most limit bytes of s. It does not split characters.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// cleanUntrusted is like cleanLine, for values that somebody other than the
// recipient may have chosen. It returns "" if a mail program would show a link
// in s. Otherwise an attacker could send links to any address in the name of
// this site.
func cleanUntrusted(s string, limit int) string {
	s = cleanLine(s, limit)
	if looksLikeLink(s) {
		return ""
	}
	return s
}

// looksLikeLink reports whether s contains a scheme, an email address or a
// domain. A domain is recognized by a dot that follows a letter or digit and
// precedes at least two letters. "J.R.R." and "5.0" are not domains.
func looksLikeLink(s string) bool {
	if strings.Contains(s, "://") || strings.ContainsAny(s, "@＠") {
		return true
	}
	var before rune // the character before r
	afterDot := false
	letters := 0 // after that dot
	for _, r := range s {
		switch {
		case isDot(r):
			afterDot, letters = unicode.IsLetter(before) || unicode.IsDigit(before), 0
		case afterDot && unicode.IsLetter(r):
			if letters++; letters == 2 {
				return true
			}
		default:
			afterDot = false
		}
		before = r
	}
	return false
}

// isDot reports whether r separates the labels of a domain (RFC 3490, 3.1).
func isDot(r rune) bool { return r == '.' || r == '。' || r == '．' || r == '｡' }
