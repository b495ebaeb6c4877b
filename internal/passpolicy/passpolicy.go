// Package passpolicy decides which new passwords are acceptable. It applies
// when a password is set, never when it is used: users with an older password
// can still log in.
//
// There are no composition rules (OWASP ASVS 5.0, 6.2.5), and every character
// is accepted. A password is checked and later hashed exactly as typed. Nothing
// is trimmed, folded or normalized (ASVS 6.2.8), so "é" as one code point and
// "é" as two are different passwords. Only comparisons with word lists use a
// folded copy.
package passpolicy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ginauth/ginauth/hashing"
)

const (
	// Floor is the smallest MinLength. It is meant for users who also use a
	// second factor (NIST SP 800-63B-4, 3.1.1.2; ASVS 6.2.1).
	Floor = 8
	// DefaultMinLength is the default of MinLength, for passwords that are the
	// only factor (NIST SP 800-63B-4, 3.1.1.2).
	DefaultMinLength = 15
	// MaxMinLength is the largest MinLength. All passwords of 64 characters
	// must be accepted (ASVS 6.2.9).
	MaxMinLength = 64
	// MaxBytes is the length of the longest password, in bytes.
	MaxBytes = hashing.MaxPassword
)

// ErrBreachUnknown says that Config.Breached failed, so it is unknown whether
// the password is breached. It is wrapped together with the error of Breached.
// A server should respond with 503 and not set the password.
var ErrBreachUnknown = errors.New("breached-password check failed")

// Config configures a Policy. The zero value suits passwords that are the only
// factor of a login.
type Config struct {
	// MinLength is the minimum length of a password in characters, which are
	// Unicode code points. Zero means 15. The range is 8 to 64.
	MinLength int
	// ContextWords are words that attackers would try for this application,
	// such as its name or the name of its owner (ASVS 6.2.11). They are split
	// as the words of Check are. There may be at most 64, each of at most 256
	// bytes.
	ContextWords []string
	// Breached reports whether the password is known from a data breach (ASVS
	// 6.2.12). It is called last, only for passwords that pass all other rules.
	// Nil disables the check. Breached must limit its own time, and its errors
	// must not quote the password.
	Breached func(ctx context.Context, password string) (bool, error)
}

// Policy checks new passwords. It is safe for concurrent use if Config.Breached
// is.
type Policy struct {
	minLength int
	words     []string
	breached  func(ctx context.Context, password string) (bool, error)
}

const (
	maxContextWords = 64
	maxContextWord  = 256 // bytes
)

// New returns the policy of a Config, or an error that joins all faults. Each
// fault begins with the name of its field.
func New(c Config) (*Policy, error) {
	if c.MinLength == 0 {
		c.MinLength = DefaultMinLength
	}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.MinLength < Floor || c.MinLength > MaxMinLength {
		fault("MinLength: %d is not between %d and %d", c.MinLength, Floor, MaxMinLength)
	}
	if len(c.ContextWords) > maxContextWords {
		fault("ContextWords: %d words, at most %d are allowed", len(c.ContextWords), maxContextWords)
	}
	p := &Policy{minLength: c.MinLength, breached: c.Breached}
	for i, text := range c.ContextWords {
		words := wordsOf(text)
		switch {
		case len(text) > maxContextWord:
			fault("ContextWords[%d]: longer than %d bytes", i, maxContextWord)
		case len(words) == 0:
			fault("ContextWords[%d]: %q has no word of at least %d characters", i, text, minWord)
		}
		p.words = append(p.words, words...)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

// MinLength returns the minimum length of a password, in characters.
func (p *Policy) MinLength() int { return p.minLength }

// Check returns nil if the password may be set. Otherwise it returns a
// *Violation of the first rule that the password breaks, or an error that wraps
// ErrBreachUnknown if Config.Breached failed. Errors never quote the password.
//
// The words are texts about the user, as they are stored: name, email address,
// user name. They are split into words as RuleContext describes.
func (p *Policy) Check(ctx context.Context, password string, words ...string) error {
	switch {
	case len(password) > MaxBytes:
		return violation(RuleSize, fmt.Sprintf("must have at most %d bytes", MaxBytes))
	case !utf8.ValidString(password) || strings.ContainsRune(password, utf8.RuneError):
		return violation(RuleEncoding, "must be valid UTF-8")
	case utf8.RuneCountInString(password) < p.minLength:
		return violation(RuleLength, fmt.Sprintf("must have at least %d characters", p.minLength))
	}
	unit := unitOf([]rune(strings.ToLower(password)))
	if repetitive(unit, p.minLength) {
		return violation(RuleRepetition, "must not be a repetition or sequence of characters")
	}
	folded := fold(string(unit))
	if common(folded) {
		return violation(RuleCommon, "must not be one of the most common passwords, nor one with a few characters added")
	}
	if nearWords(folded, p.words, wordsOf(words...)) {
		return violation(RuleContext, "is too similar to your name, email or this site's name")
	}
	return p.checkBreached(ctx, password)
}

func (p *Policy) checkBreached(ctx context.Context, password string) error {
	if p.breached == nil {
		return nil
	}
	breached, err := p.breached(ctx, password)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrBreachUnknown, err)
	case breached:
		return violation(RuleBreached, "must not be known from a data breach")
	}
	return nil
}
