//go:build !race

package testsize

// raceDetector reports whether the race detector checks this build.
const raceDetector = false
