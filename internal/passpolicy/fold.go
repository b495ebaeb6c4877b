package passpolicy

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// fold returns the form in which passwords and words are compared.
func fold(s string) string { return norm.NFKC.String(strings.ToLower(norm.NFKC.String(s))) }

// lookalikes are the characters that are commonly typed instead of letters, and
// meant are these letters. The characters in ambiguous stand for two letters;
// see spellings.
const (
	lookalikes = "0346578@$+"
	meant      = "oeagstbast"
	ambiguous  = "1!|"
)

// spellings returns a folded text, and its variants with letters instead of
// lookalikes. Letters have the same byte positions in all of them.
func spellings(s string) []string {
	if !strings.ContainsAny(s, lookalikes+ambiguous) {
		return []string{s}
	}
	return []string{s, respell(s, 'i'), respell(s, 'l')}
}

func respell(s string, one byte) string {
	b := []byte(s)
	for i, c := range b {
		if at := strings.IndexByte(lookalikes, c); at >= 0 {
			b[i] = meant[at]
		} else if strings.IndexByte(ambiguous, c) >= 0 {
			b[i] = one
		}
	}
	return string(b)
}

// little reports whether the uncovered part of s is too short to make a strong
// password of the covered words: at most fewSigns parts, or fewer than Floor if
// it contains letters. Runs do not cross covered parts.
func little(s string, covered []bool) bool {
	n, limit := 0, fewSigns
	for i := 0; i < len(s); {
		end := i
		for end < len(s) && covered[end] == covered[i] {
			end++
		}
		if piece := s[i:end]; !covered[i] {
			n += parts([]rune(piece), fewSigns+1)
			if strings.ContainsFunc(piece, letter) {
				limit = Floor - 1
			}
		}
		i = end
	}
	return n <= limit
}

// cover marks all occurrences of word in s and returns their number.
func cover(covered []bool, s, word string) int {
	n := 0
	for i := 0; ; n++ {
		at := strings.Index(s[i:], word)
		if at < 0 {
			return n
		}
		i += at
		for range len(word) {
			covered[i] = true
			i++
		}
	}
}
