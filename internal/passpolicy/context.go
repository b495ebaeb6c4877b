package passpolicy

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// minWord is the length of the shortest word that is looked for, in
	// characters.
	minWord = 4
	// maxText is the length of the longest text that is looked at, in bytes. It
	// is that of the longest identifier and name; longer ones are ignored, since
	// what they weaken is their own user's password.
	maxText = 1024
	// maxWords bounds the words of one password's user.
	maxWords = 64
)

// wordsOf returns the words of texts; see RuleContext.
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

// nearWords reports whether a folded password has some of the words in it, and
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
