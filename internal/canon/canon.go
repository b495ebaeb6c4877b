// Package canon defines when two texts name the same account.
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
	// MaxInput is the longest text that is looked at, in bytes.
	MaxInput = 1024
	// MaxIdentifier is the longest identifier, in bytes: the longest email
	// address (RFC 5321, 4.5.3.1.3, without its angle brackets).
	MaxIdentifier = 254
)

// What is wrong with an identifier.
var (
	// ErrEmpty says that nothing is left but white space.
	ErrEmpty = errors.New("identifier is empty")
	// ErrTooLong says that an identifier is over its limit.
	ErrTooLong = errors.New("identifier is too long")
	// ErrMalformed says that an identifier is not UTF-8, or contains white
	// space or characters that cannot be seen.
	ErrMalformed = errors.New("identifier is malformed")
)

// maxRounds bounds the search for a stable form. Every known text needs two
// rounds at most, the last of which only finds that nothing changed.
const maxRounds = 4

// Identifier returns the canonical form of an email address or user name: white
// space around it trimmed, in Unicode normalization form KC, case-folded. It
// is the form to store, to look up and to count under: whatever has the same
// one is the same account.
//
// So "ＡNN", " ann" and "Ann" are one account, and "STRASSE" and "straße" are.
// Not folded, because they belong to other people, are "ı" (U+0131) to "i",
// "ann+tag" to "ann", and "example.org." to "example.org".
//
// The result is its own canonical form. Text with white space inside, with
// control, format or other invisible characters, or with characters that no
// version of Unicode known here assigns, names nobody and is refused.
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
	// Normalization makes spaces of some visible characters and may drop none
	// of the invisible ones, so both its input and its output are checked.
	if strings.ContainsFunc(s, unacceptable) {
		return "", ErrMalformed
	}
	s, ok := fold(s)
	if !ok || strings.ContainsFunc(s, unacceptable) {
		return "", ErrMalformed
	}
	if len(s) > MaxIdentifier {
		return "", ErrTooLong
	}
	return s, nil
}

// fold normalizes and folds until nothing changes: folding can undo the
// normalization, and normalizing can bring back upper case.
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

// foldCherokee folds the small letters of that script to the capital ones, as
// Unicode does. Package cases exchanges the two, which never ends.
func foldCherokee(r rune) rune {
	switch {
	case 0xab70 <= r && r <= 0xabbf:
		return r - 0xab70 + 0x13a0
	case 0x13f8 <= r && r <= 0x13fd:
		return r - 8
	}
	return r
}

// unacceptable reports whether r has no place in an identifier. Graphic
// characters exclude control, format, private and unassigned ones; of them the
// replacement character stands for text that was lost on the way here, so that
// it would make one account of many.
func unacceptable(r rune) bool {
	return r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.IsSpace(r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
