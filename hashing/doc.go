// Package hashing hashes passwords for storage, and verifies passwords against
// stored hashes.
//
// A [Manager] hashes with one [Driver], by default [Argon2id]. It verifies the
// hashes of all drivers. An application can therefore change its algorithm or
// its costs at any time: users log in with the hash they have, and
// [Manager.NeedsRehash] reports which hashes to replace at that login.
//
// The package guarantees:
//
//   - The costs of new hashes are at least those of the OWASP Password Storage
//     Cheat Sheet and of OWASP ASVS 5.0, appendix C.
//   - The costs in a stored hash are checked before any work is done. A hash that
//     an attacker wrote into the database cannot exhaust memory or time.
//   - At most Config.Concurrency hashes are computed at the same time, and at most
//     Config.Queue callers wait. Further callers get [ErrBusy] at once. Clients
//     that [WithClient] names share the queue.
//   - A login as an unknown user takes as long as one as a known user, if the
//     application calls [Manager.VerifyDummy].
//   - No error contains a password or a hash.
//
// Passwords are hashed byte for byte. Nothing is trimmed, folded or normalized.
// An application that accepts a password in every Unicode form must normalize
// it before both Hash and Verify. Beware that encoding/json replaces invalid
// UTF-8 with U+FFFD, so that different passwords become equal before this
// package sees them.
package hashing
