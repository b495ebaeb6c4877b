// Package deadline gives all store calls of one request a common time limit.
//
// A request calls its stores in spans: loading the session, finding the user,
// saving. Between two spans the application runs or a password is hashed, which
// is not counted. A Budget adds up the time that the spans of a request have used.
// Begin opens a span whose deadline is what the budget has left.
package deadline
