package passpolicy

import (
	_ "embed"
	"strings"
	"unicode"
)

// commonList holds common passwords of published leaks, folded to lower case:
// one in a line, of minWord characters or more and maxEntry bytes or fewer,
// sorted by bytes, none twice. It has no comments.
//
//go:embed common.txt
var commonList string

// maxEntry is the length of the longest line of commonList, in bytes.
const maxEntry = 40

// lookBack is how many bytes of an entry may stand before the password's first
// letter, as those of "$3cr3t" do.
const lookBack = 12

// common reports whether a folded password is an entry of the list, or one that
// was made longer; see RuleCommon.
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

// commonFrom looks for an entry in a spelling of s that covers the byte at first,
// such that little else is in s.
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
// entry, and little else is there.
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

// commonLetters reports whether the letters of s alone are an entry, as those
// of "i love you" are, and little is between and around them.
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
