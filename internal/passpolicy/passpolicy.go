// Package passpolicy decides which passwords may be set. It is asked when a
// password is set and never when one is used: who has an old one still gets in.
//
// There are no rules of composition (OWASP ASVS 5.0, 6.2.5), and any character
// is accepted. A password is judged and later hashed exactly as typed: nothing
// is trimmed, folded or normalized (ASVS 6.2.8), so that "é" as one code point
// and as two are different passwords. Only the comparisons with lists of words
// are made on a folded copy.
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
	// Floor is the least MinLength, and the default for users who also give a
	// second factor: NIST SP 800-63B-4, 3.1.1.2, and ASVS 6.2.1.
	Floor = 8
	// DefaultMinLength is for passwords that are the only factor: NIST SP
	// 800-63B-4, 3.1.1.2.
	DefaultMinLength = 15
	// MaxMinLength is the greatest MinLength. Every password of 64 characters
	// has to be accepted: ASVS 6.2.9.
	MaxMinLength = 64
	// MaxBytes is the length of the longest password, in bytes.
	MaxBytes = hashing.MaxPassword
)

// ErrBreachUnknown says that Config.Breached could not tell, so that nothing is
// known of the password. It is wrapped together with the hook's own error. A
// server answers 503 and sets no password.
var ErrBreachUnknown = errors.New("breached-password check did not answer")

// Config says which passwords may be set. The zero value is for passwords that
// are the only factor of a login.
type Config struct {
	// MinLength is the length of the shortest password in characters, counted
	// as Unicode code points. Zero means 15. From 8 to 64.
	MinLength int
	// ContextWords are words that anybody would try here, such as the name of
	// the application or of its owner (ASVS 6.2.11). They are split as the
	// words of Check are. At most 64 of at most 256 bytes each.
	ContextWords []string
	// Breached reports whether the password is known from a breach (ASVS
	// 6.2.12). It is asked last, of passwords that pass all other rules. Nil
	// means that nobody is asked. It bounds its own time, and its errors do not
	// quote the password.
	Breached func(ctx context.Context, password string) (bool, error)
}

// A Policy checks new passwords. It is safe for concurrent use if the Breached
// function is.
type Policy struct {
	minLength int
	words     []string
	breached  func(ctx context.Context, password string) (bool, error)
}

const (
	maxContextWords = 64
	maxContextWord  = 256 // bytes
)

// New returns the policy of a Config, or all that is wrong with it, joined. Each
// fault begins with the name of its field.
func New(c Config) (*Policy, error) {
	if c.MinLength == 0 {
		c.MinLength = DefaultMinLength
	}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.MinLength < Floor || c.MinLength > MaxMinLength {
		fault("MinLength: %d is not from %d to %d", c.MinLength, Floor, MaxMinLength)
	}
	if len(c.ContextWords) > maxContextWords {
		fault("ContextWords: %d are more than %d", len(c.ContextWords), maxContextWords)
	}
	p := &Policy{minLength: c.MinLength, breached: c.Breached}
	for i, text := range c.ContextWords {
		words := wordsOf(text)
		switch {
		case len(text) > maxContextWord:
			fault("ContextWords[%d]: longer than %d bytes", i, maxContextWord)
		case len(words) == 0:
			fault("ContextWords[%d]: %q has no word of %d characters or more", i, text, minWord)
		}
		p.words = append(p.words, words...)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return p, nil
}

// MinLength returns the length of the shortest password, in characters.
func (p *Policy) MinLength() int { return p.minLength }

// Check returns nil if the password may be set, or a *Violation that names the
// first rule it breaks. The error wraps ErrBreachUnknown if the Breached
// function failed. No error quotes the password.
//
// The words are what is known of the user, as it is stored: the name, the email
// address, the user name. They are split into their words; see RuleContext.
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
		return violation(RuleContext, "must not be little more than a name or word of this account or application")
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
