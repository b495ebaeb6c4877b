// Package bench compares ginauth with other libraries that do parts of its
// work, and with the minimum that each part can cost, in one run on one
// machine.
//
// The tests of this package contain the benchmarks. Command table runs all of
// them and prints the results. Command load measures a whole process over TCP.
//
//	go -C bench run ./table
//	go -C bench run ./load
//
// This is a separate module, so that the compared libraries do not become
// dependencies of ginauth.
package bench
