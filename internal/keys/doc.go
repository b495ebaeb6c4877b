// Package keys parses application keys and derives one subkey for each purpose.
// A value made for one purpose is therefore refused for every other.
package keys
