package hashing

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// What is made, and what is accepted in a stored hash, in bytes. A digest of
// less than 128 bits could be matched by chance or by search; eight bytes of
// salt are the least of the Argon2 reference implementation.
const (
	newSalt   = 16
	newDigest = 32

	minSalt, maxSalt     = 8, 64
	minDigest, maxDigest = 16, 64

	// maxEncoded bounds the hashes of any driver. The longest that the drivers
	// here accept has less than 256 bytes.
	maxEncoded = 1024
)

// phc is a hash in the PHC string format.
type phc struct {
	// costs are in the order of the layout's names.
	costs  [3]int64
	salt   []byte
	digest []byte
}

// layout is the form of an algorithm's PHC strings:
// prefix, "m=1,t=2,p=3", "$", salt, "$", digest.
type layout struct {
	prefix string
	names  [3]string
}

// encode returns the one spelling of h that decode accepts.
func (l layout) encode(h phc) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("%s%s=%d,%s=%d,%s=%d$%s$%s", l.prefix,
		l.names[0], h.costs[0], l.names[1], h.costs[1], l.names[2], h.costs[2],
		b64.EncodeToString(h.salt), b64.EncodeToString(h.digest))
}

// decode reads what encode wrote and nothing else: every hash has one spelling.
// The costs are numbers, but not yet known to be bearable.
func (l layout) decode(encoded string) (phc, error) {
	rest, ok := strings.CutPrefix(encoded, l.prefix)
	if !ok || len(encoded) > maxEncoded {
		return phc{}, badHash("not a " + l.prefix + " hash")
	}
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return phc{}, badHash("costs, salt and digest expected after " + l.prefix)
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
		return costs, badHash("three costs expected")
	}
	for i, name := range l.names {
		digits, ok := strings.CutPrefix(pairs[i], name+"=")
		n, err := strconv.ParseUint(digits, 10, 32)
		// ParseUint knows no sign; writing the number again finds leading zeros.
		if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
			return costs, badHash("cost " + name + " is not a plain number of 32 bits")
		}
		costs[i] = int64(n)
	}
	return costs, nil
}

// decodeBase64 decodes a field strictly: no padding, no stray bits at the end,
// and no line breaks, which package base64 would skip.
func decodeBase64(b64 *base64.Encoding, name, field string, low, high int) ([]byte, error) {
	if n := b64.DecodedLen(len(field)); n < low || n > high {
		return nil, badHash(fmt.Sprintf("%s of %d bytes, not of %d to %d", name, n, low, high))
	}
	data, err := b64.Strict().DecodeString(field)
	if err != nil || strings.ContainsAny(field, "\r\n") {
		return nil, badHash(name + " is not canonical base64")
	}
	return data, nil
}

// matches reports in constant time whether the digest is h's.
func (h phc) matches(digest []byte) bool {
	return subtle.ConstantTimeCompare(h.digest, digest) == 1
}

// fresh returns a hash yet to be computed, with a random salt.
func fresh(costs [3]int64) phc {
	h := phc{costs: costs, salt: make([]byte, newSalt), digest: make([]byte, newDigest)}
	rand.Read(h.salt) // never fails: the program ends if it does
	return h
}

// differs reports whether h is other than fresh would make it with the costs.
func (h phc) differs(costs [3]int64) bool {
	return h.costs != costs || len(h.salt) != newSalt || len(h.digest) != newDigest
}
