// Package stores defines the storage contracts of ginauth: Sessions, Tokens and
// Limiter, and the Set that names one of each. ClientSessions stands in for Sessions
// where sessions are kept in cookies; it stores nothing, and its own comment is
// all of its rules.
//
// Rules that hold for every method of every other contract:
//
//   - It is safe for concurrent use.
//   - It obeys its context: when the context ends it returns soon, with an
//     error that wraps the context's.
//   - "Not found" is a result, never an error. An error means that the store
//     could not answer, or answered with something that cannot be right
//     (ErrCorrupt); the request that met it gets 503.
//   - What it returns may share memory with the store. Callers do not change
//     it, and stores do not change it either. What it is given stays the
//     caller's: a store copies what it keeps of maps, slices and pointers.
//   - Rows, ids and families are 32 lower-case hexadecimal digits, random and
//     chosen by the caller, who never uses one again. Another name finds
//     nothing.
//   - Owners are at most 255 bytes of valid text without NUL, compared byte by
//     byte. The owner "" owns nothing, so asking for it never means "all".
//   - Stores have no clock. Where time matters the caller passes it. A store
//     may let its server forget what has expired, by the server's clock; then
//     the clocks of all machines have to be within minutes of each other, and
//     the store says how many.
//   - An acknowledged change is seen by every later call, on every machine.
//
// Package stores/storetest holds a test for each rule that any implementation
// can run.
package stores
