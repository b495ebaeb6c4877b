// Package jws signs and verifies JSON Web Tokens: JSON objects in the compact
// serialization of RFC 7515, under keys that are known beforehand.
//
// It accepts less than those standards allow. A token is verified by the key
// that its kid names and by that key's algorithm, whatever the token says of
// itself; of a key, a certificate or an address in a token nothing is read and
// nothing is fetched. There is one text for each signed token, but for ECDSA,
// where the counterpart (r, n-s) of a signature (r, s) is a signature too: so a
// list of revoked tokens holds their identifiers, never their text.
//
// The signatures are made and checked by package github.com/golang-jwt/jwt/v5.
// Its parser is not used: it takes an empty HMAC key and a line break in a
// signature, ignores crit, and lets the later of two members win.
package jws
