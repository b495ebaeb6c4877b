package compose

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/ginauth/ginauth/mail"
)

// mailbox returns a checked address in the form of a header.
func mailbox(a mail.Address) string {
	switch {
	case a.Name == "":
		return "<" + a.Email + ">"
	case isPlain(a.Name) && !strings.ContainsAny(a.Name, `"\`):
		return `"` + a.Name + `" <` + a.Email + ">"
	}
	return encode(a.Name) + "\r\n <" + a.Email + ">"
}

// line returns a checked line of text in the form of a header.
func line(text string) string {
	if isPlain(text) && strings.TrimSpace(text) == text {
		return text
	}
	return encode(text)
}

// maxPlain is the length of the longest text that fits on a line with the
// header name.
const maxPlain = 60

// isPlain reports whether text is ASCII that needs no folding and no encoding,
// and cannot be mistaken for encoded text.
func isPlain(text string) bool {
	return len(text) <= maxPlain && !strings.Contains(text, "=?") &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// maxWord is the maximum number of bytes in an encoded word, which has at most
// 75 characters (RFC 2047, 2).
const maxWord = 45

// encode returns text as encoded words in base64, one per line. It does not
// split characters. White space between encoded words is not part of the text.
func encode(text string) string {
	var words []string
	for text != "" {
		n := min(maxWord, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(text[:n]))+"?=")
		text = text[n:]
	}
	return strings.Join(words, "\r\n ")
}
