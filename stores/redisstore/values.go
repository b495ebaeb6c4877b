package redisstore

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ginauth/ginauth/stores"
)

// slack is how much longer than its record a key lives, so that clocks which
// differ by less lose nothing.
const slack = 5 * time.Minute

// Sizes in bytes.
const (
	ownerSize     = 255
	nameSize      = 255
	kindSize      = 32
	addressSize   = 64
	userAgentSize = 255
	dataSize      = 4096
	recordSize    = 128 * 1024
)

// validName reports whether s is 32 lower-case hexadecimal digits, as every
// name of a row, a token and a family is.
func validName(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// validText reports whether s is text without NUL of at most size bytes.
func validText(s string, size int) bool {
	return len(s) <= size && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// validOwner reports whether records can belong to owner. Those of "" belong to
// nobody.
func validOwner(owner string) bool { return owner != "" && validText(owner, ownerSize) }

// clip returns at most size bytes of s, without cutting a character.
func clip(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}

// indexKey returns the key of an owner's index. Owners are arbitrary text, and
// their digest is not.
func (c *core) indexKey(kind, owner string) string {
	digest := sha256.Sum256([]byte(owner))
	return c.prefix + kind + hex.EncodeToString(digest[:16])
}

// micro returns t in microseconds since 1970, and 0 for no time.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// mark returns now for a field in which 0 means "not yet".
func mark(now time.Time) int64 { return cmp.Or(now.UnixMicro(), 1) }

// keyEnd returns when the key of a record that ends at t expires, in
// milliseconds. A time in the past deletes the key, which is no error; one
// before 1970 might be.
func keyEnd(t time.Time) int64 {
	return max(1, time.UnixMicro(micro(t)).Add(slack+time.Millisecond-1).UnixMilli())
}

// moment reads a time that was written as a number, "" for none.
func moment(text string) (t time.Time, ok bool) {
	if text == "" || text == "0" {
		return time.Time{}, true
	}
	us, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMicro(us).UTC(), err == nil
}

// digestFrom reads a digest.
func digestFrom(text string) (d stores.Digest, ok bool) {
	return d, copy(d[:], text) == len(text) && len(text) == len(d)
}
