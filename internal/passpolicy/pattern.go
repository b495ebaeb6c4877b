package passpolicy

import (
	"strings"
	"unicode"
)

const (
	// fewSigns is the number of parts without letters that can be added to a
	// word without making a strong password. It is the number of parts of a
	// date, as in "23.04.1985".
	fewSigns = 10
	// minRun is the length of the shortest run that counts as one part.
	minRun = 3
)

// rows are sequences of keys: rows of common keyboard layouts, rows of digits,
// and zigzag paths between rows. Runs follow them in both directions.
const rows = "qwertyuiop[]\nasdfghjkl;'\nzxcvbnm,./\n" +
	"qwertzuiop\nyxcvbnm\nazertyuiop\nqsdfghjklm\nwxcvbn\n" +
	"`12345678901234567890-=\n!@#$%^&*()_+\n" +
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/\nqazwsxedcrfvtgbyhnujmikolp\n" +
	"1q2w3e4r5t6y7u8i9o0p\nq1w2e3r4t5y6u7i8o9p0\n" +
	"1a2b3c4d5e6f7g8h9i0\na1b2c3d4e5f6g7h8i9\n" +
	"147258369\n741852963\n789456123\n"

// unitOf returns the shortest text whose repetition, at least twice, is s. The
// last repetition may be incomplete. It returns s if s is not a repetition.
func unitOf(s []rune) []rune {
	// border[i] is the length of the longest proper prefix of s[:i+1] that is
	// also its suffix.
	border := make([]int, len(s))
	for i := 1; i < len(s); i++ {
		n := border[i-1]
		for n > 0 && s[i] != s[n] {
			n = border[n-1]
		}
		if s[i] == s[n] {
			n++
		}
		border[i] = n
	}
	if len(s) == 0 {
		return s
	}
	if period := len(s) - border[len(s)-1]; 2*period <= len(s) {
		return s[:period]
	}
	return s
}

// repetitive reports whether a unit breaks RuleRepetition. The unit of a
// password that is not a repetition is the password itself, which has at least
// minLength characters.
func repetitive(unit []rune, minLength int) bool {
	return len(unit) < Floor || 2*parts(unit, minLength) < minLength
}

// parts returns the number of parts of s, which are single characters and runs.
// It stops counting at enough.
func parts(s []rune, enough int) int {
	n := 0
	for ; len(s) > 0 && n < enough; n++ {
		if length := max(steps(s), keys(s)); length >= minRun {
			s = s[length:]
		} else {
			s = s[1:]
		}
	}
	return n
}

// steps returns the length of the run at the beginning of s whose characters
// are equal, or ascend or descend by one code point.
func steps(s []rune) int {
	if len(s) < minRun {
		return 1
	}
	step := s[1] - s[0]
	if step < -1 || step > 1 {
		return 1
	}
	n := 1
	for n < len(s) && s[n]-s[n-1] == step {
		n++
	}
	return n
}

// keys returns the length of the run at the beginning of s that follows one of
// rows.
func keys(s []rune) int {
	longest := 1
	if len(s) < minRun || s[0] > unicode.MaxASCII {
		return longest
	}
	for at := 0; ; at++ {
		i := strings.IndexByte(rows[at:], byte(s[0]))
		if i < 0 || s[0] == '\n' {
			return longest
		}
		at += i
		longest = max(longest, along(s, at, 1), along(s, at, -1))
	}
}

// along returns the number of characters of s that match rows from a position
// on, in one direction.
func along(s []rune, at, direction int) int {
	n := 0
	for ; n < len(s) && 0 <= at && at < len(rows) && rows[at] != '\n' && rune(rows[at]) == s[n]; n++ {
		at += direction
	}
	return n
}

// letter reports whether r belongs to a word. Combining marks do.
func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) }
