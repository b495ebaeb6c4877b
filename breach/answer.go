package breach

import (
	"crypto/subtle"
	"errors"
	"strings"
)

const (
	// suffixDigits is how much of a hash a line of an answer has.
	suffixDigits = 40 - prefixDigits
	// maxCount is the length of the longest count, in digits.
	maxCount = 19
)

// errAnswer is the fault of a text that is not an answer, such as the page that
// a proxy put in its place.
var errAnswer = errors.New("answer is not a list of hashes")

// find reports whether an answer lists a suffix, in upper case. The answer is
// lines of a suffix, a colon and a count; a count of 0 is padding. All of it is
// read, whatever it says, and an answer without a line is none: each of the
// prefixes has known passwords.
func find(answer, suffix string) (bool, error) {
	known, lines := 0, 0
	for line := range strings.Lines(answer) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		listed, count, _ := strings.Cut(line, ":")
		if len(listed) != suffixDigits || strings.Trim(listed, "0123456789abcdefABCDEF") != "" ||
			count == "" || len(count) > maxCount || strings.Trim(count, "0123456789") != "" {
			return false, errAnswer
		}
		lines++
		if strings.Trim(count, "0") != "" {
			known |= subtle.ConstantTimeCompare([]byte(strings.ToUpper(listed)), []byte(suffix))
		}
	}
	if lines == 0 {
		return false, errAnswer
	}
	return known == 1, nil
}
