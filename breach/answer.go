package breach

import (
	"crypto/subtle"
	"errors"
	"strings"
)

const (
	// suffixDigits is the number of hexadecimal digits in a line of a response.
	suffixDigits = 40 - prefixDigits
	// maxCount is the maximum number of digits of a count.
	maxCount = 19
)

// errAnswer says that the response is not a list of hashes. It may be a page
// that a proxy sent instead.
var errAnswer = errors.New("response is not a list of hashes")

// find reports whether a response lists a suffix, given in upper case. Each line
// of a response is a suffix, a colon and a count. A count of 0 marks padding.
// find always reads the whole response. A response without lines is an error,
// because there are breached passwords for every prefix.
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
