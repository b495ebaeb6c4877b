package hashing

import (
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"strconv"
	"strings"
)

// maxPBKDF2 is the largest number of iterations. Django 6.0 makes 1,200,000.
const maxPBKDF2 = 4_000_000

// djangoPBKDF2 is a decoded hash.
type djangoPBKDF2 struct {
	hash       func() hash.Hash
	iterations int
	salt       string
	digest     []byte
}

func isDjangoPBKDF2(encoded string) bool {
	return strings.HasPrefix(encoded, "pbkdf2_sha256$") || strings.HasPrefix(encoded, "pbkdf2_sha1$")
}

func checkDjangoPBKDF2(encoded string) error {
	_, err := decodeDjangoPBKDF2(encoded)
	return err
}

// decodeDjangoPBKDF2 reads "pbkdf2_sha256$iterations$salt$digest".
func decodeDjangoPBKDF2(encoded string) (h djangoPBKDF2, err error) {
	fields := strings.Split(encoded, "$")
	if len(fields) != 4 {
		return h, badHash("want algorithm, iterations, salt and digest")
	}
	h.hash, h.salt = sha256.New, fields[2]
	size := sha256.Size
	if fields[0] == "pbkdf2_sha1" {
		h.hash, size = sha1.New, sha1.Size
	}
	n, err := strconv.ParseUint(fields[1], 10, 32)
	switch {
	case err != nil || n < 1 || n > maxPBKDF2 || strconv.FormatUint(n, 10) != fields[1]:
		return h, badHash("iterations are not 1 to " + strconv.Itoa(maxPBKDF2))
	case len(h.salt) < 1 || len(h.salt) > 128:
		return h, badHash("salt does not have 1 to 128 bytes")
	}
	h.iterations = int(n)
	h.digest, err = base64.StdEncoding.Strict().DecodeString(fields[3])
	if err != nil || len(h.digest) != size || strings.ContainsAny(fields[3], "\r\n") {
		return h, badHash("digest is not canonical base64 of the right length")
	}
	return h, nil
}

func verifyDjangoPBKDF2(password, encoded string) (bool, error) {
	h, err := decodeDjangoPBKDF2(encoded)
	if err != nil {
		return false, err
	}
	digest, err := pbkdf2.Key(h.hash, password, []byte(h.salt), h.iterations, len(h.digest))
	if err != nil {
		return false, badHash("pbkdf2 refused the hash")
	}
	// HMAC fills a short key with NUL bytes, so a password that ends with some has the hash of
	// another one.
	same := subtle.ConstantTimeCompare(digest, h.digest) == 1
	return same && !strings.Contains(password, "\x00"), nil
}

const (
	// phpassDigits are the digits of its base 64, the least significant first.
	phpassDigits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// minPHPass and maxPHPass are the binary logarithms of the number of rounds. phpass makes
	// hashes with 7 to 30. WordPress makes them with 13.
	minPHPass, maxPHPass = 7, 16
	phpassLength         = 34
)

func isPHPass(encoded string) bool {
	return strings.HasPrefix(encoded, "$P$") || strings.HasPrefix(encoded, "$H$")
}

// checkPHPass checks "$P$", a digit for the number of rounds, 8 bytes of salt, and the digest.
func checkPHPass(encoded string) error {
	if len(encoded) != phpassLength {
		return badHash("a phpass hash has 34 bytes")
	}
	rounds := strings.IndexByte(phpassDigits, encoded[3])
	switch {
	case rounds < minPHPass || rounds > maxPHPass:
		return badHash("rounds of phpass are not 2^7 to 2^16")
	case strings.Trim(encoded[12:], phpassDigits) != "":
		return badHash("digest has other characters")
	}
	return nil
}

func verifyPHPass(password, encoded string) (bool, error) {
	salt, text := encoded[4:12], []byte(password)
	sum := md5.Sum(append([]byte(salt), text...))
	work := make([]byte, 0, len(sum)+len(text))
	for range 1 << strings.IndexByte(phpassDigits, encoded[3]) {
		work = append(append(work[:0], sum[:]...), text...)
		sum = md5.Sum(work)
	}
	return subtle.ConstantTimeCompare([]byte(phpassEncode(sum[:])), []byte(encoded[12:])) == 1, nil
}

// phpassEncode writes bytes in base 64, the least significant bits first.
func phpassEncode(data []byte) string {
	var b strings.Builder
	for i := 0; i < len(data); i += 3 {
		value, n := uint32(0), 0
		for j := i; j < min(i+3, len(data)); j++ {
			value |= uint32(data[j]) << (8 * (j - i))
			n++
		}
		for range n + 1 {
			b.WriteByte(phpassDigits[value&63])
			value >>= 6
		}
	}
	return b.String()
}
