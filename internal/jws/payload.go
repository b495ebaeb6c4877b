package jws

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Payload returns the JSON object of the claims and of the application's own,
// which are a JSON object too or nil. Times are written in whole seconds,
// rounded down.
//
// An error wraps ErrInput: ParseClaims would refuse the payload, or the
// application's claims have a name of this package's, in whatever case, or are
// longer than any token.
func (c *Claims) Payload(application []byte) ([]byte, error) {
	if err := checkApplication(application); err != nil {
		return nil, fmt.Errorf("%w: claims of the application: %w", ErrInput, err)
	}
	payload := append(make([]byte, 0, 256+len(application)), '{')
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
	if own := members(application); own != "" {
		payload = append(appendComma(payload), own...)
	}
	payload = append(payload, '}')

	var again Claims
	if err := again.parse(string(payload)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return payload, nil
}

// checkApplication reports what is wrong with an application's claims.
func checkApplication(application []byte) error {
	if len(application) == 0 {
		return nil
	}
	if len(application) > MaxToken {
		return ErrTooLong
	}
	var s scanner
	s.start(string(application))
	for in := s.object(); s.next(&in); {
		if reserved(in.name) {
			s.fail(fmt.Errorf("%w: %q has a meaning already", ErrDuplicate, in.name))
		}
		s.skip()
	}
	return s.end()
}

// members returns what is between the braces of an object.
func members(object []byte) string {
	text := strings.TrimSpace(string(object))
	if text == "" {
		return ""
	}
	return strings.TrimSpace(text[1 : len(text)-1])
}

// appendComma appends a comma unless what follows is the first member.
func appendComma(to []byte) []byte {
	if to[len(to)-1] == '{' {
		return to
	}
	return append(to, ',')
}

// appendName appends the name of a member and what is before and behind it.
func appendName(to []byte, name string) []byte {
	to = append(appendComma(to), '"')
	to = append(to, name...)
	return append(to, '"', ':')
}

// appendText appends a member unless its text is empty.
func appendText(to []byte, name, text string) []byte {
	if text == "" {
		return to
	}
	return appendString(appendName(to, name), text)
}

// appendTexts appends a member with one text or an array, unless there is none.
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

// appendTime appends a member unless its time is zero.
func appendTime(to []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return to
	}
	return strconv.AppendInt(appendName(to, name), t.Unix(), 10)
}
