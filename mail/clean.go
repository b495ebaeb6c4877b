package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanLine makes one line of s, of at most limit bytes: what has no place in a
// header becomes white space, and white space one blank.
func cleanLine(s string, limit int) string {
	// More is never needed, whatever is removed from it.
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

// cut returns at most limit bytes of s, and no part of a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// cleanStranger is cleanLine for what somebody else than the reader may have
// chosen. It returns "" for what a mail program would make a link of: messages
// that this site sends to anybody's address are no place for others' links.
func cleanStranger(s string, limit int) string {
	s = cleanLine(s, limit)
	if looksLikeLink(s) {
		return ""
	}
	return s
}

// looksLikeLink reports whether s has a scheme, an address, or a dot between what
// could be two parts of a domain: a letter or digit before, and two letters or
// more after it. "J.R.R." and "5.0" are none.
func looksLikeLink(s string) bool {
	if strings.Contains(s, "://") || strings.ContainsAny(s, "@＠") {
		return true
	}
	var before rune // the character before r
	afterDot := false
	letters := 0 // since that dot
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

// isDot reports whether r separates parts of a domain (RFC 3490, 3.1).
func isDot(r rune) bool { return r == '.' || r == '。' || r == '．' || r == '｡' }
