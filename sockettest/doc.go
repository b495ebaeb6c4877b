// Package sockettest tests ginauth with the WebSocket libraries of others. It is a module of its
// own, so that ginauth does not require them.
package sockettest
