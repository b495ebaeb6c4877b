package passpolicy

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// fold returns the form in which passwords are compared with words.
func fold(s string) string { return norm.NFKC.String(strings.ToLower(norm.NFKC.String(s))) }

// lookalikes are the characters commonly typed for letters, and the letters. The
// digit one and its like stand for two: see spellings.
const (
	lookalikes = "0346578@$+"
	meant      = "oeagstbast"
	ambiguous  = "1!|"
)

// spellings returns a folded text as it is, and as it reads with lookalikes for
// letters. All have letters at the same places, counted in bytes.
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

// little reports whether what is not covered of s is too little to make a
// strong password of the words that are: fewSigns or fewer, or with letters
// fewer than Floor. The runs of each uncovered piece are its own.
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

// cover marks where word stands in s, and returns how often it does.
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
