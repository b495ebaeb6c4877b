// Package testsize determines the size of the experiments among the tests of
// this module. By default they are short enough for every build.
package testsize

import (
	"os"
	"strconv"
	"testing"
)

// Full reports whether experiments run at full size, which GINAUTH_LONG=1
// requests.
func Full() bool { return os.Getenv("GINAUTH_LONG") == "1" }

// Of returns full if experiments run at full size. Otherwise it returns short,
// or with -short a quarter of it and at least 1.
func Of(full, short int) int {
	switch {
	case Full():
		return full
	case testing.Short():
		return max(1, short/4)
	}
	return short
}

// Rounds is like Of, for the number of repetitions. GINAUTH_CYCLES=n overrides
// it.
func Rounds(full, short int) int {
	if n, err := strconv.Atoi(os.Getenv("GINAUTH_CYCLES")); err == nil && n > 0 {
		return n
	}
	return Of(full, short)
}
