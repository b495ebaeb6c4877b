package session

import (
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/ginauth/ginauth/stores"
)

// Where several guards keep logins in sessions, a value belongs to all principals who were
// logged in at the end of the request that wrote it. It is visible while all of them still are. So a value of one
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

// owned returns the changed values as they are stored.
func (s *Session) owned() map[string][]byte {
	if len(s.e.cfg.Realms) < 2 || len(s.who) == 0 || len(s.set) == 0 {
		return s.set // a session of one guard ends with its login
	}
	head := []byte{belongs, byte(len(s.who))}
	for i := range s.who {
		head = append(head, s.who[i].mark()...)
	}
	owned := make(map[string][]byte, len(s.set))
	for key, data := range s.set {
		if strings.HasPrefix(key, flashPrefix) {
			owned[key] = data
			continue
		}
		owned[key] = append(slices.Clip(head), data...)
	}
	return owned
}

// sealSize returns how many bytes owned adds to the value of a key at most.
func (e *Engine) sealSize(key string) int {
	if len(e.cfg.Realms) < 2 || strings.HasPrefix(key, flashPrefix) {
		return 0
	}
	return 2 + len(e.cfg.Realms)*markSize
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
