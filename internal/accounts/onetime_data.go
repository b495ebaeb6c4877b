package accounts

import (
	"encoding/binary"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// asked is what a client keeps, sealed, from the request for a message to its use. All of them have the
// same length, so that the text tells nothing about the user.
type asked struct {
	family, id string
	// sum is the MAC of the code that was sent, or of that on the screen in the link of a stranger.
	sum   stores.Digest
	made  time.Time
	email string
	// known says that there was a user, whose record names the family.
	known, remember, mailed, strangers bool
}

const (
	nameLength = 32
	askedSize  = 2*nameLength + len(stores.Digest{}) + 8 + 1 + 1 + canon.MaxIdentifier
)

func flags(set ...bool) (b byte) {
	for i, on := range set {
		if on {
			b |= 1 << i
		}
	}
	return b
}

func (a asked) encode() []byte {
	b := make([]byte, 0, askedSize)
	b = append(append(append(b, a.family...), a.id...), a.sum[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(a.made.UnixMilli()))
	b = append(b, flags(a.known, a.remember, a.mailed, a.strangers), byte(len(a.email)))
	b = append(b, a.email...)
	return b[:askedSize]
}

// parseAsked reads what encode returned and was sealed.
func parseAsked(b []byte) (a asked, ok bool) {
	if len(b) != askedSize {
		return a, false
	}
	a.family, a.id, b = string(b[:nameLength]), string(b[nameLength:2*nameLength]), b[2*nameLength:]
	b = b[copy(a.sum[:], b):]
	a.made = time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	set, size := b[8], int(b[9])
	if size > canon.MaxIdentifier {
		return a, false
	}
	a.known, a.remember, a.mailed, a.strangers = set&1 != 0, set&2 != 0, set&4 != 0, set&8 != 0
	a.email = string(b[10 : 10+size])
	return a, true
}

// What a sealed text of asked is: one is never accepted for the other.
const (
	clientRequest = "request"
	strangerLink  = "link"
)

func (o *OneTime) seal(purpose, what string, a asked) (string, error) {
	return o.s.Config.RequestSealer.Seal(o.s.Env.Now(), factor.OneTimeLifetime, a.encode(), o.bound(purpose, what)...)
}

func (o *OneTime) open(purpose, what, text string) (asked, bool) {
	data, _, ok := o.s.Config.RequestSealer.Open(o.s.Env.Now(), text, o.bound(purpose, what)...)
	if !ok {
		return asked{}, false
	}
	return parseAsked(data)
}

// bound returns what a sealed text belongs to.
func (o *OneTime) bound(purpose, what string) [][]byte {
	return [][]byte{[]byte(what), []byte(o.rm.Name), []byte(o.guard), []byte(purpose)}
}

// keep gives a request to the browser as a cookie, and returns its text.
func (o *OneTime) keep(purpose string, a asked, screen string) (string, error) {
	text, err := o.seal(purpose, clientRequest, a)
	if err == nil {
		o.r.SetCookie(o.r.Jar.Sibling(oneTimeCookie), text+"."+screen, factor.OneTimeLifetime)
	}
	return text, err
}

// kept returns the request in the browser's cookie, and the code on its screen.
func (o *OneTime) kept(purpose string) (text, screen string, a asked, ok bool) {
	value, _ := o.r.Cookie(o.r.Jar.Sibling(oneTimeCookie))
	text, screen, _ = strings.Cut(value, ".")
	if !isCode(screen) {
		return "", "", a, false
	}
	a, ok = o.open(purpose, clientRequest, text)
	return text, screen, a, ok
}

// before returns the request of a browser that has asked for the same address already.
func (o *OneTime) before(purpose, canonical string) (factor.Request, bool) {
	text, screen, a, ok := o.kept(purpose)
	left := a.made.Add(factor.OneTimeLifetime).Sub(o.s.Env.Now())
	if !ok || left < time.Second {
		return factor.Request{}, false
	}
	if asked, err := o.rm.Canonical(emailField, a.email); err != nil || asked != canonical {
		return factor.Request{}, false
	}
	return requestOf(text, screen, left), true
}

// Waiting returns the code that this browser shows, or "".
func (o *OneTime) Waiting(purpose string) string {
	if _, screen, _, ok := o.kept(purpose); ok {
		return grouped(screen)
	}
	return ""
}

// sent is what the record of a link or code knows.
type sent struct {
	// fingerprint is that of the user's security stamp, and address a MAC of the email address, or zero.
	fingerprint, address stores.Digest
	// sum is the MAC of the code on the screen, or of the code of a second factor.
	sum              stores.Digest
	remember, second bool
}

const (
	sentVersion = 1
	sentSize    = 2 + 3*len(stores.Digest{})
)

func (d sent) encode() []byte {
	b := append(make([]byte, 0, sentSize), sentVersion, flags(d.remember, d.second))
	return append(append(append(b, d.fingerprint[:]...), d.address[:]...), d.sum[:]...)
}

func parseSent(b []byte) (d sent, ok bool) {
	if len(b) != sentSize || b[0] != sentVersion {
		return d, false
	}
	d.remember, d.second = b[1]&1 != 0, b[1]&2 != 0
	b = b[2:]
	b = b[copy(d.fingerprint[:], b):]
	b = b[copy(d.address[:], b):]
	copy(d.sum[:], b)
	return d, true
}

// codeSum returns the MAC of a code. A code is short: its plain digest could be guessed.
func (s *Service) codeSum(family, code string) stores.Digest {
	return s.Config.CodeKeys.MAC([]byte("code"), []byte(family), []byte(code))
}

func (s *Service) isCodeOf(sum stores.Digest, family, code string) bool {
	_, ok := s.Config.CodeKeys.Verify(sum[:], []byte("code"), []byte(family), []byte(code))
	return ok
}

func (o *OneTime) addressSum(u models.Authenticatable) stores.Digest {
	to, _ := mailbox(u)
	return o.s.Config.CodeKeys.MAC([]byte("address"), []byte(o.rm.Name), []byte(u.AuthID()), []byte(to.Email))
}

// fits reports whether a record is bound to the user as loaded now.
func (o *OneTime) fits(d sent, u models.Authenticatable) bool {
	if d.address != (stores.Digest{}) {
		to, _ := mailbox(u)
		if _, ok := o.s.Config.CodeKeys.Verify(d.address[:],
			[]byte("address"), []byte(o.rm.Name), []byte(u.AuthID()), []byte(to.Email)); !ok {
			return false
		}
	}
	return o.rm.Fits(stamp.OneTime, u, d.fingerprint)
}

// maxCode is the longest text that is read as a code, in bytes.
const maxCode = 64

// parseCode returns a code without what people add: spaces, hyphens, small letters.
func parseCode(text string) (string, error) {
	if len(text) <= maxCode {
		text = strings.NewReplacer(" ", "", "-", "").Replace(strings.ToUpper(norm.NFKC.String(text)))
	}
	if !isCode(text) {
		return "", autherr.Invalid("code", "is not a code of 8 letters and digits")
	}
	return text, nil
}

func isCode(text string) bool {
	return len(text) == codeLength && strings.Trim(text, codeLetters) == ""
}
