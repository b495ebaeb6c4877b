package hashing

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Lengths of salts and digests in bytes: of new hashes, and the limits for
// stored hashes. A digest shorter than 128 bits could be matched by chance or
// by search. The reference implementation of Argon2 requires at least 8 bytes
// of salt.
const (
	newSalt   = 16
	newDigest = 32

	minSalt, maxSalt     = 8, 64
	minDigest, maxDigest = 16, 64

	// maxEncoded is the length of the longest hash of any driver, in bytes. The
	// built-in drivers accept less than 256.
	maxEncoded = 1024
)

// phc is a decoded hash in the PHC string format.
type phc struct {
	// costs are in the order of the layout's names.
	costs  [3]int64
	salt   []byte
	digest []byte
}

// layout describes the PHC strings of an algorithm: prefix, "m=1,t=2,p=3", "$",
// salt, "$", digest.
type layout struct {
	prefix string
	names  [3]string
}

// encode returns the only spelling of h that decode accepts.
func (l layout) encode(h phc) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("%s%s=%d,%s=%d,%s=%d$%s$%s", l.prefix,
		l.names[0], h.costs[0], l.names[1], h.costs[1], l.names[2], h.costs[2],
		b64.EncodeToString(h.salt), b64.EncodeToString(h.digest))
}

// decode reads exactly what encode writes, so every hash has only one spelling.
// It does not check the costs against their limits.
func (l layout) decode(encoded string) (phc, error) {
	rest, ok := strings.CutPrefix(encoded, l.prefix)
	if !ok || len(encoded) > maxEncoded {
		return phc{}, badHash("not a " + l.prefix + " hash")
	}
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return phc{}, badHash("want costs, salt and digest after " + l.prefix)
	}
	costs, err := l.decodeCosts(fields[0])
	if err != nil {
		return phc{}, err
	}
	salt, err := decodeBase64(base64.RawStdEncoding, "salt", fields[1], minSalt, maxSalt)
	if err != nil {
		return phc{}, err
	}
	digest, err := decodeBase64(base64.RawStdEncoding, "digest", fields[2], minDigest, maxDigest)
	if err != nil {
		return phc{}, err
	}
	return phc{costs: costs, salt: salt, digest: digest}, nil
}

// decodeCosts reads "m=1,t=2,p=3".
func (l layout) decodeCosts(field string) (costs [3]int64, err error) {
	pairs := strings.Split(field, ",")
	if len(pairs) != len(costs) {
		return costs, badHash("want three costs")
	}
	for i, name := range l.names {
		digits, ok := strings.CutPrefix(pairs[i], name+"=")
		n, err := strconv.ParseUint(digits, 10, 32)
		// ParseUint accepts no sign. Formatting the number again detects
		// leading zeros.
		if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
			return costs, badHash("cost " + name + " is not a 32-bit number in decimal")
		}
		costs[i] = int64(n)
	}
	return costs, nil
}

// decodeBase64 decodes a field strictly. It accepts no padding, no stray bits
// at the end, and no line breaks, which package base64 would skip.
func decodeBase64(b64 *base64.Encoding, name, field string, low, high int) ([]byte, error) {
	if n := b64.DecodedLen(len(field)); n < low || n > high {
		return nil, badHash(fmt.Sprintf("%s has %d bytes, want %d to %d", name, n, low, high))
	}
	data, err := b64.Strict().DecodeString(field)
	if err != nil || strings.ContainsAny(field, "\r\n") {
		return nil, badHash(name + " is not canonical base64")
	}
	return data, nil
}

// matches reports in constant time whether digest equals the digest of h.
func (h phc) matches(digest []byte) bool {
	return subtle.ConstantTimeCompare(h.digest, digest) == 1
}

// newPHC returns a hash with a random salt and a digest that is not computed
// yet.
func newPHC(costs [3]int64) phc {
	h := phc{costs: costs, salt: make([]byte, newSalt), digest: make([]byte, newDigest)}
	rand.Read(h.salt) // never fails: crypto/rand ends the program instead
	return h
}

// differs reports whether h has other costs than the given ones, or a salt or
// digest of another length than new hashes have.
func (h phc) differs(costs [3]int64) bool {
	return h.costs != costs || len(h.salt) != newSalt || len(h.digest) != newDigest
}
