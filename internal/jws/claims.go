package jws

import (
	"fmt"
	"slices"
	"time"
)

const (
	// MaxText is how long the text of a claim of Claims may be, in bytes: an
	// issuer, a subject, an identifier, a kind, each audience.
	MaxText = 255
	// MaxAudiences is how many audiences a token may name.
	MaxAudiences = 16
	// maxTime is the first second of the year 9999.
	maxTime = 253370764800
)

// Claims are the claims of a payload that this package reads and writes (RFC
// 7519, 4.1). Times are in UTC.
type Claims struct {
	// Issuer is who issued the token (iss). Empty if there is none.
	Issuer string
	// Subject is whom the token is about (sub). Never empty.
	Subject string
	// Audience is whom the token is for (aud). Empty if it is for nobody.
	Audience []string
	// Expiry is from when on the token is not valid (exp). Never zero.
	Expiry time.Time
	// NotBefore is from when on the token is valid (nbf). Zero if it is always.
	NotBefore time.Time
	// IssuedAt is when the token was issued (iat). Never zero.
	IssuedAt time.Time
	// ID identifies the token (jti). Never empty.
	ID string
	// Kind is what the token is good for (kind), so that none is taken for one
	// of another kind. Never empty.
	Kind string
	// Family names the login that the token is of (fam). Empty if it is of none.
	Family string
	// Fingerprint binds the token to a state of its subject (fpr). Empty if it
	// is bound to none.
	Fingerprint string
}

// ParseClaims reads the claims of a payload as VerifyClaims does, without a
// signature. An error wraps ErrPayload or ErrClaim.
func ParseClaims(payload []byte) (Claims, error) {
	var c Claims
	if err := c.parse(string(payload), nil); err != nil {
		return Claims{}, err
	}
	return c, nil
}

// reserved reports whether a name, or another that a reader may take for it, is
// that of a claim of Claims.
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

// parse reads the claims of a payload, and all the rest of it to see that it is
// one JSON object. Texts of the claims are parts of text. A single audience is put
// in a slice that has room for one.
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

// complete reports a required claim that is missing.
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

// Check reports why a token with these claims is not acceptable at a time: the
// kind, the issuer and one audience must be the wanted ones, of which none may
// be empty, and the time must be one at which the token is valid. The clocks of
// issuer and reader may differ by leeway, which is not negative: a token is over
// at exp + leeway, and valid from nbf - leeway and iat - leeway on.
//
// The error wraps ErrKind, ErrIssuer, ErrAudience, ErrNotYet or ErrExpired, the
// first of these that applies: what has expired is acceptable otherwise.
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
