// Package experiments holds tests of whole applications whose processes, servers
// or connections die or slow down. CONTRIBUTING.md lists them. It contains tests
// only.
//
// By default each is a short round. GINAUTH_LONG=1 selects the full size.
package experiments
