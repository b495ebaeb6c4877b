package passpolicy

import (
	_ "embed"
	"strings"
	"unicode"
)

// commonList holds common passwords from published leaks, folded to lower case,
// one per line. They have at least minWord characters and at most maxEntry
// bytes. They are sorted by bytes and unique. The list has no comments.
//
//go:embed common.txt
var commonList string

// maxEntry is the length of the longest line of commonList, in bytes.
const maxEntry = 40

// lookBack is the maximum number of bytes of an entry before the first letter
// of the password, as in "$3cr3t".
const lookBack = 12

// common reports whether a folded password is an entry of the list or an
// extension of one, as RuleCommon describes.
func common(s string) bool {
	first := strings.IndexFunc(s, letter)
	if first < 0 {
		return date(s) || commonFrom(s, s, max(0, strings.IndexFunc(s, unicode.IsDigit)))
	}
	for _, spelling := range spellings(s) {
		if commonFrom(s, spelling, first) {
			return true
		}
	}
	return commonLetters(s)
}

// commonFrom reports whether a spelling of s contains an entry that covers the
// byte at first, and s contains little else.
func commonFrom(s, spelling string, first int) bool {
	for begin := max(0, first-lookBack); begin <= first; begin++ {
		last := min(len(spelling), begin+maxEntry)
		for end := max(begin+minWord, first+1); end <= last; end++ {
			if entry := spelling[begin:end]; listed(entry) && littleBeside(s, spelling, entry) {
				return true
			}
		}
	}
	return false
}

// littleBeside reports whether all letters of s belong to repetitions of an
// entry, and s contains little else.
func littleBeside(s, spelling, entry string) bool {
	covered := make([]bool, len(s))
	cover(covered, spelling, entry)
	for i, r := range s {
		if letter(r) && !covered[i] {
			return false
		}
	}
	return little(s, covered)
}

// commonLetters reports whether the letters of s form an entry, as in "i love
// you", with little between and around them.
func commonLetters(s string) bool {
	letters := make([]rune, 0, maxEntry)
	covered := make([]bool, len(s))
	for i, r := range s {
		if letter(r) {
			letters = append(letters, r)
			for end := i + len(string(r)); i < end; i++ {
				covered[i] = true
			}
		}
	}
	return listed(string(unitOf(letters))) && little(s, covered)
}

// listed reports whether a word is a line of commonList.
func listed(word string) bool {
	if len(word) > maxEntry {
		return false
	}
	for list := commonList; list != ""; {
		middle := strings.LastIndexByte(list[:len(list)/2], '\n') + 1
		line, after, _ := strings.Cut(list[middle:], "\n")
		switch strings.Compare(word, line) {
		case 0:
			return true
		case -1:
			list = list[:middle]
		case 1:
			list = after
		}
	}
	return false
}
