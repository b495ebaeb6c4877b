// Package testsize says how large the experiments among the tests of this module
// are. By default each is as short as fits a build.
package testsize

import (
	"os"
	"strconv"
	"testing"
)

// Full reports whether experiments run at full size, as GINAUTH_LONG=1 asks for.
func Full() bool { return os.Getenv("GINAUTH_LONG") == "1" }

// Of returns full if experiments run at full size, and short otherwise: a quarter
// of it, and at least one, with the flag -short.
func Of(full, short int) int {
	switch {
	case Full():
		return full
	case testing.Short():
		return max(1, short/4)
	}
	return short
}

// Rounds is Of for how often something is repeated, which GINAUTH_CYCLES=n
// overrides.
func Rounds(full, short int) int {
	if n, err := strconv.Atoi(os.Getenv("GINAUTH_CYCLES")); err == nil && n > 0 {
		return n
	}
	return Of(full, short)
}
