// Package stores defines the storage contracts of ginauth: Sessions, Tokens,
// Limiter, Factors and Identities, and the Set that holds one implementation of each.
// ClientSessions replaces Sessions in applications that keep sessions in cookies. It
// stores nothing, so only the rules in its own comment apply to it.
//
// These rules hold for every method of the other contracts:
//
//   - The method is safe for concurrent use.
//   - The method obeys its context. When the context ends, the method returns
//     soon, with an error that wraps the context's error.
//   - "Not found" is a result and not an error. An error means that the store
//     could not answer, or that it read a record that cannot be right
//     (ErrCorrupt). The request is then answered with 503.
//   - Results may share memory with the store. Callers must not change them, and
//     the store does not change them. Arguments belong to the caller: a store
//     copies the maps, slices and pointers that it keeps.
//   - The names of rows, tokens and families are 32 lower-case hexadecimal
//     digits. The caller chooses them at random and never uses one again. Any
//     other name finds nothing.
//   - Owners are valid UTF-8 of at most 255 bytes without NUL. They are compared
//     byte by byte. The owner "" owns nothing; a query for it never means "all".
//   - Stores have no clock. The caller passes the time where it matters. A store
//     may let its server delete expired records by the server's clock. Then the
//     clocks of all machines must agree to within some minutes, and the store
//     documents how many.
//   - Every later call, on any machine, sees a change that was acknowledged.
//
// Package stores/storetest has a test for each rule. Any implementation can run
// them.
package stores
