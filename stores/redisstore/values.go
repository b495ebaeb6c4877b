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

// slack is how much longer a key lives than its record, so that clocks may differ by less
// than that.
const slack = 5 * time.Minute

// Sizes in bytes.
const (
	ownerSize     = stores.MaxOwner
	nameSize      = 255
	kindSize      = 32
	addressSize   = 64
	userAgentSize = 255
	dataSize      = 4096
	recordSize    = 128 * 1024
)

// validName reports whether s can be the name of a row, a token or a family: 32 lower-case
// hexadecimal digits.
func validName(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// validText reports whether s is valid UTF-8 of at most size bytes without NUL.
func validText(s string, size int) bool {
	return len(s) <= size && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// validOwner reports whether records can belong to owner. Records with the owner ""
// belong to nobody.
func validOwner(owner string) bool { return stores.ValidOwner(owner) }

// clip truncates s to at most size bytes, without splitting a character.
func clip(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}

// indexKey returns the key of an owner's index. It contains a digest of the owner, because
// owners are arbitrary text.
func (c *core) indexKey(kind, owner string) string {
	digest := sha256.Sum256([]byte(owner))
	return c.prefix + kind + hex.EncodeToString(digest[:16])
}

// micro returns t in microseconds since 1970, and 0 for the zero time.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// mark returns now in microseconds since 1970 for a field in which 0 means "not yet". It
// never returns 0.
func mark(now time.Time) int64 { return cmp.Or(now.UnixMicro(), 1) }

// keyEnd returns when the key of a record that expires at t expires, in milliseconds since
// 1970. A time in the past deletes the key. It is never before 1970, which might be an
// error.
func keyEnd(t time.Time) int64 {
	return max(1, time.UnixMicro(micro(t)).Add(slack+time.Millisecond-1).UnixMilli())
}

// moment parses a time in microseconds since 1970. "" and "0" stand for the zero time.
func moment(text string) (t time.Time, ok bool) {
	if text == "" || text == "0" {
		return time.Time{}, true
	}
	us, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMicro(us).UTC(), err == nil
}

// digestFrom returns the digest with the given bytes. It returns false if their number is
// wrong.
func digestFrom(text string) (d stores.Digest, ok bool) {
	return d, copy(d[:], text) == len(text) && len(text) == len(d)
}
