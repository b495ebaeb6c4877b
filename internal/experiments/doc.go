// Package experiments holds tests of whole applications whose processes, servers
// or connections die or slow down, and of how long their answers take.
// CONTRIBUTING.md lists them. It contains tests only.
//
// By default each is a short round, or none where that finds nothing.
// GINAUTH_LONG=1 selects the full size.
package experiments
