package jws

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Payload returns the JSON object of the claims together with the claims of the
// application, which are a JSON object or nil. Times are written in whole
// seconds, rounded down.
//
// The error wraps ErrInput. It is returned if ParseClaims would refuse the
// payload, if an application claim has a name of Claims in any case, or if the
// application claims are longer than MaxToken.
func (c *Claims) Payload(application []byte) ([]byte, error) {
	return c.payload(make([]byte, 0, 256+len(application)), application)
}

// payload is like Payload and appends to buf, which must be empty.
func (c *Claims) payload(buf, application []byte) ([]byte, error) {
	if err := c.writable(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	theirs := string(application)
	if err := checkApplication(theirs, c.members()); err != nil {
		return nil, fmt.Errorf("%w: claims of the application: %w", ErrInput, err)
	}
	own := members(theirs)
	payload := append(buf, '{')
	payload = appendText(payload, "iss", c.Issuer)
	payload = appendText(payload, "sub", c.Subject)
	payload = appendTexts(payload, "aud", c.Audience)
	payload = appendTime(payload, "exp", c.Expiry)
	payload = appendTime(payload, "nbf", c.NotBefore)
	payload = appendTime(payload, "iat", c.IssuedAt)
	payload = appendText(payload, "jti", c.ID)
	payload = appendText(payload, "kind", c.Kind)
	payload = appendText(payload, "fam", c.Family)
	payload = appendText(payload, "fpr", c.Fingerprint)
	if own == "" {
		return append(payload, '}'), nil
	}
	return append(append(appendComma(payload), own...), '}'), nil
}

// members returns the number of members that payload writes for complete
// claims.
func (c *Claims) members() int {
	n := 5 // sub, exp, iat, jti, kind
	for _, present := range [...]bool{
		c.Issuer != "", len(c.Audience) > 0, !c.NotBefore.IsZero(), c.Family != "", c.Fingerprint != "",
	} {
		if present {
			n++
		}
	}
	return n
}

// writable returns an error if parse would refuse the written claims.
func (c *Claims) writable() error {
	for _, text := range [...]struct{ name, is string }{
		{"iss", c.Issuer}, {"sub", c.Subject}, {"jti", c.ID}, {"kind", c.Kind}, {"fam", c.Family}, {"fpr", c.Fingerprint},
	} {
		if err := writableText(text.name, text.is); err != nil {
			return err
		}
	}
	if len(c.Audience) > MaxAudiences {
		return fmt.Errorf("%w: aud has too many elements", ErrClaim)
	}
	for _, text := range c.Audience {
		if text == "" {
			return fmt.Errorf("%w: aud is empty", ErrClaim)
		}
		if err := writableText("aud", text); err != nil {
			return err
		}
	}
	for _, at := range [...]time.Time{c.Expiry, c.NotBefore, c.IssuedAt} {
		if s := at.Unix(); !at.IsZero() && (s < 0 || s >= maxTime) {
			return fmt.Errorf("%w: a time is before 1970 or after the year 9998", ErrClaim)
		}
	}
	return c.complete()
}

func writableText(name, text string) error {
	switch {
	case len(text) > MaxText:
		return fmt.Errorf("%w: %s is too long", ErrClaim, name)
	case plain(text): // the common case
	case hasControl(text):
		return fmt.Errorf("%w: %s has control characters", ErrClaim, name)
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: %w", ErrPayload, ErrText)
	}
	return nil
}

// plain reports whether text has only printable ASCII characters and DEL.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// checkApplication checks the claims of an application. Together with the given
// number of own members there may be too many.
func checkApplication(application string, ours int) error {
	if application == "" {
		return nil
	}
	if len(application) > MaxToken {
		return ErrTooLong
	}
	var s scanner
	s.start(application)
	s.open = ours
	for in := s.object(); s.next(&in); {
		if reserved(in.name) {
			s.fail(fmt.Errorf("%w: %q is a reserved claim", ErrDuplicate, in.name))
		}
		s.skip()
	}
	return s.end()
}

// members returns the text between the braces of an object.
func members(object string) string {
	text := strings.TrimSpace(object)
	if text == "" {
		return ""
	}
	return strings.TrimSpace(text[1 : len(text)-1])
}

// appendComma appends a comma, except before the first member.
func appendComma(to []byte) []byte {
	if to[len(to)-1] == '{' {
		return to
	}
	return append(to, ',')
}

// appendName appends the name of a member, with the comma before it and the
// colon after it.
func appendName(to []byte, name string) []byte {
	to = append(appendComma(to), '"')
	to = append(to, name...)
	return append(to, '"', ':')
}

// appendText appends a string member, unless its text is empty.
func appendText(to []byte, name, text string) []byte {
	if text == "" {
		return to
	}
	return appendString(appendName(to, name), text)
}

// appendTexts appends a member with one string or an array of strings, unless
// there are none.
func appendTexts(to []byte, name string, texts []string) []byte {
	switch len(texts) {
	case 0:
		return to
	case 1:
		return appendString(appendName(to, name), texts[0])
	}
	to = appendName(to, name)
	for i, text := range texts {
		to = append(to, "[,"[min(i, 1)])
		to = appendString(to, text)
	}
	return append(to, ']')
}

// appendTime appends a time member, unless the time is zero.
func appendTime(to []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return to
	}
	return strconv.AppendInt(appendName(to, name), t.Unix(), 10)
}
