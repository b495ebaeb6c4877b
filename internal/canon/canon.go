// Package canon computes canonical identifiers. Two texts identify the same
// account if and only if their canonical forms are equal.
package canon

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	// MaxInput is the length of the longest text that Identifier processes, in
	// bytes.
	MaxInput = 1024
	// MaxIdentifier is the length of the longest identifier, in bytes. It is
	// the length of the longest email address (RFC 5321, 4.5.3.1.3, without its
	// angle brackets).
	MaxIdentifier = 254
)

// The errors of Identifier.
var (
	// ErrEmpty says that an identifier is empty or has only white space.
	ErrEmpty = errors.New("identifier is empty")
	// ErrTooLong says that an identifier is longer than MaxIdentifier, or the
	// input longer than MaxInput.
	ErrTooLong = errors.New("identifier is too long")
	// ErrMalformed says that an identifier is not valid UTF-8, or contains
	// white space or invisible characters.
	ErrMalformed = errors.New("identifier is malformed")
)

// maxRounds limits the search for a stable form. All known texts need at most
// two rounds, the last of which only confirms that nothing changed.
const maxRounds = 4

// Identifier returns the canonical form of an email address or user name:
// surrounding white space is trimmed, the text is normalized to Unicode form
// NFKC, and its case is folded. The domain of an email address that is not in
// ASCII is converted to A-labels (IDNA2008). Identifiers are stored, looked up and
// counted in this form.
//
// For example, "ＡNN", " ann" and "Ann" are one account, and so are "STRASSE"
// and "straße", and "ann@bücher.de" and "ann@xn--bcher-kva.de". Different accounts
// are "ı" (U+0131) and "i", "ann+tag" and "ann", "example.org." and "example.org",
// and "ann@faß.de" and "ann@fass.de", because they can belong to different people.
//
// The canonical form of a result is the result itself. Identifier refuses text
// with white space inside, with control, format or other invisible characters,
// and with characters that are not assigned in the Unicode version of package
// unicode.
func Identifier(s string) (string, error) {
	if len(s) > MaxInput {
		return "", ErrTooLong
	}
	if !utf8.ValidString(s) {
		return "", ErrMalformed
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return "", ErrEmpty
	}
	// Normalization turns some visible characters into spaces and keeps some
	// invisible ones, so the text is checked both before and after it.
	if strings.ContainsFunc(s, unacceptable) {
		return "", ErrMalformed
	}
	var ok bool
	if local, domain, is := cutInternational(s); is {
		s, ok = address(local, domain)
	} else {
		s, ok = fold(s)
	}
	if !ok || strings.ContainsFunc(s, unacceptable) {
		return "", ErrMalformed
	}
	if len(s) > MaxIdentifier {
		return "", ErrTooLong
	}
	return s, nil
}

// fold normalizes and folds the text until it no longer changes. Folding can
// undo the normalization, and normalization can produce upper case again.
func fold(s string) (string, bool) {
	folder := cases.Fold() // not safe for concurrent use
	s = norm.NFKC.String(s)
	for range maxRounds {
		next := norm.NFKC.String(strings.Map(foldCherokee, folder.String(s)))
		if next == s {
			return s, true
		}
		s = next
	}
	return "", false
}

// foldCherokee folds lower case Cherokee letters to upper case, as Unicode
// does. Package cases exchanges upper and lower case instead, so that folding
// would never end.
func foldCherokee(r rune) rune {
	switch {
	case 0xab70 <= r && r <= 0xabbf:
		return r - 0xab70 + 0x13a0
	case 0x13f8 <= r && r <= 0x13fd:
		return r - 8
	}
	return r
}

// unacceptable reports whether r is not allowed in an identifier.
// unicode.IsGraphic excludes control, format, private and unassigned
// characters. The replacement character stands for lost text: identifiers that
// differ only in the lost text would become equal.
func unacceptable(r rune) bool {
	return r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.IsSpace(r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
