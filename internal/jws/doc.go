// Package jws signs and verifies JSON Web Tokens: JSON objects in the compact
// serialization of RFC 7515, with keys that are known in advance.
//
// It accepts less than the standards allow. A token is verified with the key
// that its kid names and with the algorithm of that key. Keys, certificates and
// URLs in a token are never used. Each signed token has only one valid text,
// except with ECDSA: if (r, s) is a valid ECDSA signature, (r, n-s) is valid
// too. A list of revoked tokens must therefore contain the identifiers of
// tokens and not their texts.
//
// Package github.com/golang-jwt/jwt/v5 computes the signatures. Its parser is
// not used, because it accepts an empty HMAC key and line breaks in a
// signature, ignores crit, and uses the last of duplicate members.
package jws
