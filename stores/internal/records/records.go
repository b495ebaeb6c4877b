// Package records reads parts of the binary records of several stores.
package records

// CutText reads a length of size bytes in big-endian order, and the text of that length. It
// returns false if there is less.
func CutText(b []byte, size int) (text string, rest []byte, ok bool) {
	if len(b) < size {
		return "", nil, false
	}
	n := 0
	for _, digit := range b[:size] {
		n = n<<8 | int(digit)
	}
	if b = b[size:]; n > len(b) {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}
