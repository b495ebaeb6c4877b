// Package hashing turns passwords into hashes that are safe to store, and
// checks passwords against them.
//
// A Manager hashes with one Driver (Argon2id unless told otherwise) and
// verifies hashes of all of them, so an application can change its algorithm
// or its costs at any time: users log in with the hash they have, and
// NeedsRehash says which to replace while the password is at hand.
//
// What the package promises:
//
//   - The costs it hashes with are at least those of the OWASP Password Storage
//     Cheat Sheet and of OWASP ASVS 5.0, appendix C.
//   - The costs it finds in a stored hash are bounded before any work is done:
//     a hash that somebody planted in the database cannot exhaust memory or
//     time.
//   - No more hashes are computed at once than Config.Concurrency, no more
//     callers wait than Config.Queue, and the rest learn so at once (ErrBusy).
//   - A user who does not exist costs as much as one who does (VerifyDummy).
//   - No error carries a password or a hash.
//
// Passwords are hashed byte for byte: nothing is trimmed, folded or
// normalized. An application that wants one password to match in every Unicode
// form normalizes it before Hash and before Verify alike. Beware that
// encoding/json replaces invalid UTF-8 by U+FFFD, which makes different
// passwords equal before this package sees them.
package hashing
