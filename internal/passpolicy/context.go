package passpolicy

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// minWord is the length of the shortest word that is searched for, in
	// characters.
	minWord = 4
	// maxText is the length of the longest text that is split, in bytes. It is
	// the length of the longest identifier and name. Longer texts are ignored,
	// which weakens only the password of the user who chose the text.
	maxText = 1024
	// maxWords is the maximum number of words of a user.
	maxWords = 64
)

// wordsOf splits texts into words as RuleContext describes.
func wordsOf(texts ...string) []string {
	var words []string
	add := func(word string) {
		if utf8.RuneCountInString(word) >= minWord && len(words) < maxWords && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	for _, text := range texts {
		if len(text) > maxText || !utf8.ValidString(text) {
			continue
		}
		for side := range strings.SplitSeq(fold(text), "@") {
			fields := strings.FieldsFunc(side, func(r rune) bool { return !letter(r) && !unicode.IsDigit(r) })
			add(strings.Join(fields, ""))
			for _, field := range fields {
				add(field)
				add(strings.TrimFunc(field, unicode.IsDigit))
			}
		}
	}
	return words
}

// nearWords reports whether a folded password contains some of the words and
// little else.
func nearWords(s string, lists ...[]string) bool {
	covered := make([]bool, len(s))
	n := 0
	for _, spelling := range spellings(s) {
		for _, list := range lists {
			for _, word := range list {
				n += cover(covered, spelling, word)
			}
		}
	}
	return n > 0 && little(s, covered)
}
