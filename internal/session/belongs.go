package session

import (
	"bytes"
	"crypto/sha256"
	"strings"

	"github.com/ginauth/ginauth/stores"
)

// Where several guards keep logins in sessions, a value belongs to all principals who were
// logged in when it was written. It is visible while all of them still are. So a value of one
// user is never visible once that user has logged out, also if a parallel request wrote it
// and no request has removed it yet. A value that was written while nobody was logged in
// belongs to nobody, and stays.
//
// A value that belongs to principals is stored as this byte, which begins no other encoded
// value; the number of principals; a mark of each; and the encoded value.
const belongs = 'P'

// markSize is the size of a mark in bytes. Marks tell the few principals of one session
// apart. They keep no secret.
const markSize = 8

// mark returns a digest of the guard and the user. A guard's name contains no NUL.
func (p *principal) mark() string {
	digest := sha256.Sum256([]byte(p.guard + "\x00" + p.UserID))
	return string(digest[:markSize])
}

// sealed returns an encoded value as it is stored when it is written now.
func (s *Session) sealed(data []byte) []byte {
	if len(s.e.cfg.Realms) < 2 || len(s.who) == 0 {
		return data // a session of one guard ends with its login
	}
	owned := make([]byte, 0, 2+len(s.who)*markSize+len(data))
	owned = append(owned, belongs, byte(len(s.who)))
	for i := range s.who {
		owned = append(owned, s.who[i].mark()...)
	}
	return append(owned, data...)
}

// ownedAlike reports whether a stored value belongs to those whom a header of sealed names.
func (s *Session) ownedAlike(stored, header []byte) bool {
	if len(header) == 0 {
		return len(stored) == 0 || stored[0] != belongs
	}
	return bytes.HasPrefix(stored, header)
}

// behind returns the header of a stored value with data behind it. It copies nothing if data is
// what stood there, appended to in place.
func behind(stored []byte, header int, data []byte) []byte {
	if n := header + len(data); n <= cap(stored) && len(data) > 0 && &stored[:n][header] == &data[0] {
		return stored[:n]
	}
	// Twice the room, so that the copies of many appends take linear time.
	grown := append(make([]byte, 0, header+2*len(data)), stored[:header]...)
	return append(grown, data...)
}

// open returns the encoded value in a stored one, and whether it is visible to principals.
func (p principals) open(stored string) (data string, visible bool) {
	if stored == "" || stored[0] != belongs {
		return stored, true
	}
	if len(stored) < 2 || len(stored) < 2+int(stored[1])*markSize {
		return "", false
	}
	n := int(stored[1])
	marks, data := stored[2:2+n*markSize], stored[2+n*markSize:]
	for ; marks != ""; marks = marks[markSize:] {
		if !p.has(marks[:markSize]) {
			return "", false
		}
	}
	return data, true
}

func (p principals) has(mark string) bool {
	for i := range p {
		if p[i].mark() == mark {
			return true
		}
	}
	return false
}

// hidden returns the keys of the values that are not visible to principals, and the marks of
// those that are flashed.
func (p principals) hidden(values stores.Values) (keys []string) {
	for key, stored := range values.All() {
		if _, visible := p.open(stored); visible {
			continue
		}
		keys = append(keys, key)
		if _, flashed := values.Get(flashPrefix + key); flashed {
			keys = append(keys, flashPrefix+key)
		}
	}
	return keys
}

// slotTag begins an encoded value of a slot, whose bytes may be any.
const slotTag = "S"

func cutSlot(data string) []byte { return []byte(strings.TrimPrefix(data, slotTag)) }
