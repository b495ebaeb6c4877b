// Package keys reads application keys and derives from them one subkey for
// each purpose, so that what is made for one purpose is refused for another.
package keys
