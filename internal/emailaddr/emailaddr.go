// Package emailaddr checks the syntax of email addresses. Only a message to an
// address can show whether it exists and who owns it.
package emailaddr

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/ginauth/ginauth/internal/canon"
)

// The limits in bytes, from RFC 5321, 4.5.3.1, and for labels from RFC 1035,
// 2.3.4.
const (
	MaxAddress = canon.MaxIdentifier // without angle brackets
	maxLocal   = 64
	maxLabel   = 63
)

// Error says what is wrong with an address. It does not quote the address.
type Error struct {
	// Reason completes the sentence "The email address …", as in "must have a
	// domain with a dot in it".
	Reason string
}

// Error returns the reason.
func (e *Error) Error() string { return "email address " + e.Reason }

// The reasons of an Error.
const (
	reasonEmpty    = "is required"
	reasonLong     = "must have at most 254 bytes"
	reasonOne      = "must be one email address, with one @ in it"
	reasonLocal    = "must have 1 to 64 letters, digits or signs before the @, without spaces, quotes or accents"
	reasonDots     = "must have no dot first, last or twice in a row before the @"
	reasonDomain   = "must have a domain of letters, digits and hyphens, with a dot in it"
	reasonLabel    = "must have 1 to 63 characters between the dots of the domain, with no hyphen first or last"
	reasonTop      = "must not end in a number: IP addresses are not accepted"
	reasonIdentity = "has characters that look like others or cannot be seen"
)

// Check returns nil if the text is exactly one address of the form
// local@domain, and otherwise an *Error. Surrounding white space, names,
// comments and angle brackets are refused.
//
// The local part is a dot-atom in ASCII (RFC 5321, 4.1.2) with the characters
// that HTML allows in email fields. Quoted local parts are refused, because
// they are practically unused and much software does not support them. The
// domain has at least two labels of letters, digits and hyphens, in ASCII or in
// Unicode. A Unicode domain must be normalized by NFKC, the form that IDNA
// compares. Names without a dot, such as localhost, and IP addresses are
// refused.
//
// An accepted address has a canonical form (package canon). net/mail parses it
// as the same address. It cannot end a header or a list of addresses.
func Check(address string) error {
	if reason := fault(address); reason != "" {
		return &Error{Reason: reason}
	}
	return nil
}

func fault(address string) string {
	switch {
	case address == "":
		return reasonEmpty
	case len(address) > MaxAddress:
		return reasonLong
	case strings.Count(address, "@") != 1:
		return reasonOne
	}
	local, domain, _ := strings.Cut(address, "@")
	if reason := localFault(local); reason != "" {
		return reason
	}
	if reason := domainFault(domain); reason != "" {
		return reason
	}
	if _, err := canon.Identifier(address); err != nil {
		return reasonIdentity
	}
	return ""
}

// localFault returns what is wrong with the part before the @.
func localFault(local string) string {
	if local == "" || len(local) > maxLocal {
		return reasonLocal
	}
	for i := range len(local) {
		if c := local[i]; !letterOrDigit(c) && strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", c) < 0 {
			return reasonLocal
		}
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return reasonDots
	}
	return ""
}

// domainFault returns what is wrong with the part after the @.
func domainFault(domain string) string {
	if strings.ContainsFunc(domain, notDomain) || !strings.Contains(domain, ".") {
		return reasonDomain
	}
	// Full-width letters and similar characters are other spellings of a
	// domain.
	if !norm.NFKC.IsNormalString(domain) {
		return reasonIdentity
	}
	last := ""
	for last = range strings.SplitSeq(domain, ".") {
		first, _ := utf8.DecodeRuneInString(last)
		if last == "" || len(last) > maxLabel || first == '-' || last[len(last)-1] == '-' || unicode.IsMark(first) {
			return reasonLabel
		}
	}
	if strings.Trim(last, "0123456789") == "" {
		return reasonTop
	}
	return ""
}

func letterOrDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// notDomain reports whether r is not allowed in a domain. Marks are allowed,
// because some scripts need them.
func notDomain(r rune) bool {
	if r < utf8.RuneSelf {
		return !letterOrDigit(byte(r)) && r != '-' && r != '.'
	}
	return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
}
