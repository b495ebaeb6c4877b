package compose

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/ginauth/ginauth/mail"
)

// mailbox returns an address as it stands in a header. The address was checked.
func mailbox(a mail.Address) string {
	switch {
	case a.Name == "":
		return "<" + a.Email + ">"
	case isPlain(a.Name) && !strings.ContainsAny(a.Name, `"\`):
		return `"` + a.Name + `" <` + a.Email + ">"
	}
	return encode(a.Name) + "\r\n <" + a.Email + ">"
}

// line returns text as it stands in a header. It was checked and is one line.
func line(text string) string {
	if isPlain(text) && strings.TrimSpace(text) == text {
		return text
	}
	return encode(text)
}

// maxPlain is the longest text that shares a line with the name of its header.
const maxPlain = 60

// isPlain reports whether text is ASCII that needs neither to be folded nor to be
// encoded, and that nobody takes for encoded.
func isPlain(text string) bool {
	return len(text) <= maxPlain && !strings.Contains(text, "=?") &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// maxWord is how many bytes one encoded word holds, of which 75 characters make
// the longest one (RFC 2047, 2).
const maxWord = 45

// encode returns text as encoded words in base64, one in a line, in which every
// character stands for itself alone. White space between them is not part of the
// text.
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
