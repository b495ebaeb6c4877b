// Package bench compares ginauth with other libraries that do parts of its work,
// and with the least that each part can cost, in one run on one machine.
//
// The benchmarks are in the tests of this package. Command table runs them all
// and prints what they say; command load measures a whole process over TCP.
//
//	go -C bench run ./table
//	go -C bench run ./load
//
// The module is apart from ginauth's, so that nothing of what it compares with
// becomes a dependency of ginauth.
package bench
