package mail

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxEmail is the length of the longest address, and maxLocal that of the
	// longest part before the "@", in bytes (RFC 5321, 4.5.3.1).
	maxEmail = 254
	maxLocal = 64
	// maxLabel is the length of the longest label of a domain, in bytes (RFC
	// 1035, 2.3.4).
	maxLabel = 63
	// maxLine is the length of the longest name or subject, in bytes.
	maxLine = 255
	// maxBody is the length of the longest text, in bytes.
	maxBody = 256 << 10
	maxKind = 64
	maxID   = 64
)

func refuse(format string, args ...any) error {
	return Permanent(fmt.Errorf("%w: %s", ErrMessage, fmt.Sprintf(format, args...)))
}

// Check returns an error if the message cannot be sent. The error describes the
// first fault found. It wraps ErrMessage and ErrPermanent, and quotes no part
// of the message.
func (m Message) Check() error {
	switch {
	case !isKind(m.Kind):
		return refuse("Kind is not 1 to %d lower case letters, digits and underscores", maxKind)
	case !isID(m.ID):
		return refuse("ID is not up to %d letters, digits and hyphens", maxID)
	case m.Subject == "":
		return refuse("Subject is empty")
	case m.Text == "":
		return refuse("Text is empty")
	}
	if err := m.To.Check(); err != nil {
		return err
	}
	if err := checkLine("Subject", m.Subject); err != nil {
		return err
	}
	if err := checkBody("Text", m.Text); err != nil {
		return err
	}
	return checkBody("HTML", m.HTML)
}

// Check returns an error if the address is not acceptable. Email must be
// exactly one address of the form local@domain. It must not contain a name,
// comment, list, group, quoted local part, address literal, white space or
// invisible characters. Characters outside ASCII are allowed (RFC 6531). The
// errors are those of Message.Check.
func (a Address) Check() error {
	if err := checkLine("name of the address", a.Name); err != nil {
		return err
	}
	if len(a.Email) > maxEmail {
		return refuse("address is longer than %d bytes", maxEmail)
	}
	if !utf8.ValidString(a.Email) || strings.ContainsFunc(a.Email, invisible) {
		return refuse("address has white space, control or invisible characters")
	}
	local, domain, ok := strings.Cut(a.Email, "@")
	if !ok || local == "" || domain == "" {
		return refuse("address is not of the form local@domain")
	}
	// The parser also accepts text around the address, but returns only the
	// address.
	parsed, err := mail.ParseAddress(a.Email)
	if err != nil || parsed.Name != "" || parsed.Address != a.Email {
		return refuse("address is not exactly one address")
	}
	if len(local) > maxLocal || !isDomain(domain) {
		return refuse("address has a local part longer than %d bytes or an invalid domain", maxLocal)
	}
	return nil
}

// isDomain reports whether s is a host name. Its labels consist of letters,
// digits, hyphens and characters outside ASCII.
func isDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return r < utf8.RuneSelf && r != '-' && !isAlnum(r) }) {
			return false
		}
	}
	return true
}

func isAlnum(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func isKind(s string) bool {
	return s != "" && len(s) <= maxKind && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (!isAlnum(r) || unicode.IsUpper(r))
	})
}

func isID(s string) bool {
	return len(s) <= maxID && !strings.ContainsFunc(s, func(r rune) bool { return r != '-' && !isAlnum(r) })
}

func checkLine(field, s string) error {
	switch {
	case len(s) > maxLine:
		return refuse("%s is longer than %d bytes", field, maxLine)
	case !utf8.ValidString(s):
		return refuse("%s is not valid UTF-8", field)
	case strings.ContainsFunc(s, notInLine):
		return refuse("%s has line breaks, control characters or characters that change the text direction", field)
	}
	return nil
}

func checkBody(field, s string) error {
	switch {
	case len(s) > maxBody:
		return refuse("%s is longer than %d bytes", field, maxBody)
	case !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0:
		return refuse("%s is not text in UTF-8", field)
	}
	return nil
}

// notInLine reports whether r is not allowed in a header: it is a control
// character or line break, or it changes the direction of the text.
func notInLine(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// invisible reports whether r is not allowed in an address because it is white
// space or cannot be seen.
func invisible(r rune) bool {
	return r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.IsSpace(r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
