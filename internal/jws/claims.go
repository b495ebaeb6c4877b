package jws

import (
	"fmt"
	"slices"
	"time"
)

const (
	// MaxText is the maximum length of a string in Claims, in bytes: issuer,
	// subject, identifier, kind, family, fingerprint and each audience.
	MaxText = 255
	// MaxAudiences is the maximum number of audiences of a token.
	MaxAudiences = 16
	// maxTime is the first second of the year 9999, as a Unix time.
	maxTime = 253370764800
)

// Claims are the claims that this package reads and writes (RFC 7519, 4.1).
// Times are in UTC.
type Claims struct {
	// Issuer is the issuer of the token (iss), or "".
	Issuer string
	// Subject is the subject of the token (sub). It is never empty.
	Subject string
	// Audience lists the audiences of the token (aud). It may be empty.
	Audience []string
	// Expiry is the time from which on the token is not valid (exp). It is
	// never zero.
	Expiry time.Time
	// NotBefore is the time from which on the token is valid (nbf), or zero.
	NotBefore time.Time
	// IssuedAt is the time at which the token was issued (iat). It is never
	// zero.
	IssuedAt time.Time
	// ID identifies the token (jti). It is never empty.
	ID string
	// Kind is the purpose of the token (kind), so that a token for one purpose
	// is refused for another. It is never empty.
	Kind string
	// Family identifies the login that the token belongs to (fam), or is "".
	Family string
	// Fingerprint binds the token to a state of its subject (fpr), or is "".
	Fingerprint string
}

// ParseClaims parses the claims of a payload as VerifyClaims does, without
// checking a signature. The error wraps ErrPayload or ErrClaim.
func ParseClaims(payload []byte) (Claims, error) {
	var c Claims
	if err := c.parse(string(payload), nil); err != nil {
		return Claims{}, err
	}
	return c, nil
}

// reserved reports whether a name is one of the names in Claims, or a JSON
// parser could treat it as equal to one.
func reserved(literal string) bool {
	if len(literal) < len("iss") {
		return false
	}
	for _, name := range [...]string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "kind", "fam", "fpr"} {
		if equalFold(literal, name) {
			return true
		}
	}
	return false
}

// parse parses the claims of a payload, and checks that the whole text is one
// JSON object. The strings of the claims are substrings of text. A single
// audience is appended to audience, which has room for one.
func (c *Claims) parse(text string, audience []string) error {
	var s scanner
	s.start(text)
	for in := s.object(); s.next(&in); {
		switch in.name {
		case "iss":
			c.Issuer = s.claimText(in.name)
		case "sub":
			c.Subject = s.claimText(in.name)
		case "aud":
			c.Audience = s.claimTexts(in.name, audience)
		case "exp":
			c.Expiry = s.claimTime(in.name)
		case "nbf":
			c.NotBefore = s.claimTime(in.name)
		case "iat":
			c.IssuedAt = s.claimTime(in.name)
		case "jti":
			c.ID = s.claimText(in.name)
		case "kind":
			c.Kind = s.claimText(in.name)
		case "fam":
			c.Family = s.claimText(in.name)
		case "fpr":
			c.Fingerprint = s.claimText(in.name)
		default:
			if reserved(in.name) {
				s.fail(ErrDuplicate)
			}
			s.skip()
		}
	}
	switch err := s.end(); {
	case err == nil:
		return c.complete()
	case s.claim:
		return err
	default:
		return fmt.Errorf("%w: %w", ErrPayload, err)
	}
}

// complete returns an error if a required claim is missing.
func (c *Claims) complete() error {
	switch {
	case c.Subject == "":
		return missing("sub")
	case c.ID == "":
		return missing("jti")
	case c.Kind == "":
		return missing("kind")
	case c.Expiry.IsZero():
		return missing("exp")
	case c.IssuedAt.IsZero():
		return missing("iat")
	}
	return nil
}

func missing(name string) error { return fmt.Errorf("%w: %s is missing", ErrClaim, name) }

// Check returns an error if a token with these claims is not acceptable at a
// time. The kind, the issuer and one audience must be the given ones, which
// must not be empty, and the token must be valid at that time. Leeway is the
// tolerated difference between the clocks of the issuer and the reader. It must
// not be negative. A token is valid from the later of iat - leeway and nbf -
// leeway until before exp + leeway.
//
// The error wraps ErrKind, ErrIssuer, ErrAudience, ErrNotYet or ErrExpired,
// whichever applies first in this order. A token with ErrExpired is acceptable
// in all other respects.
func (c *Claims) Check(now time.Time, leeway time.Duration, issuer, audience, kind string) error {
	switch latest := now.Add(leeway); {
	case kind == "" || c.Kind != kind:
		return ErrKind
	case issuer == "" || c.Issuer != issuer:
		return ErrIssuer
	case audience == "" || !slices.Contains(c.Audience, audience):
		return ErrAudience
	case c.IssuedAt.After(latest) || c.NotBefore.After(latest):
		return ErrNotYet
	case !now.Before(c.Expiry.Add(leeway)):
		return ErrExpired
	}
	return nil
}
