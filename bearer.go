package ginauth

import (
	"net/http"
	"strings"
)

// maxBearer is the longest token that is looked at, in bytes. What is longer is
// refused before any of it is decoded.
const maxBearer = 8 << 10

// The schemes of the Authorization header that are known here.
const (
	schemeBearer = "Bearer"
	schemeBasic  = "Basic"
)

// authorization returns what follows a scheme in the Authorization header, and
// whether the header names the scheme at all. Two headers are none: which of
// them is meant cannot be known. Exactly one space is between the two (RFC 9110,
// 11.4).
func authorization(h http.Header, scheme string) (credentials string, presented bool) {
	lines := h["Authorization"]
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, " ")
		if strings.EqualFold(name, scheme) {
			credentials, presented = rest, true
		}
	}
	if len(lines) != 1 {
		return "", presented
	}
	return credentials, presented
}

// bearer returns the token that a request carries, or "". The configuration may
// say that it is read elsewhere. Whoever takes it apart refuses what cannot be
// in a token (RFC 6750, 2.1): there is one text for each.
func (x *requestState) bearer() string {
	text := ""
	if source := x.m.cfg.JWT.Source; source != nil {
		text = source(x.HTTP)
	} else {
		text, _ = authorization(x.HTTP.Header, schemeBearer)
	}
	if len(text) > maxBearer {
		return ""
	}
	return text
}

// bearerChallenge is the challenge of guards that read tokens. It tells a token
// that is not accepted from one that is missing, and nothing else (RFC 6750, 3).
func bearerChallenge(r *http.Request) string {
	if _, presented := authorization(r.Header, schemeBearer); presented {
		return schemeBearer + ` error="invalid_token"`
	}
	return schemeBearer
}
