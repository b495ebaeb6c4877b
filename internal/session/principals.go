package session

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/stores"
)

// Login is what a session knows of the login by one guard.
type Login struct {
	UserID      string
	At          time.Time
	Confirmed   time.Time     // when the user last gave the password, or zero
	Fingerprint stores.Digest // of the user's security stamp
	Series      string        // the family of the device's remember-me tokens, or ""
	Remembered  bool          // a remember-me token made the login
	MustEnrol   bool          // the login can do nothing but enrol a second factor
	Kept        bool          // the session's former id opened the login too
	First       factor.Proof  // what was proved in place of the password, or zero
	Second      factor.Proof  // the second factor that was proved, or zero
}

// Proofs returns what the login was proved by.
func (l *Login) Proofs() factor.Proofs {
	return factor.Proofs{Password: l.Confirmed, First: l.First, Second: l.Second}
}

// principal is a login with the name of its guard.
type principal struct {
	guard string
	Login
}

// principals are the logins in a session, by the name of their guard. They are a part of the
// row of their own: the application's values travel without them. The slice is not changed in
// place.
type principals []principal

func (p principals) of(guard string) (Login, bool) {
	for _, l := range p {
		if l.guard == guard {
			return l.Login, true
		}
	}
	return Login{}, false
}

// with returns p with a login in place of that of the same guard.
func (p principals) with(guard string, l Login) principals {
	changed := append(p.without(guard), principal{guard, l})
	slices.SortFunc(changed, func(a, b principal) int { return strings.Compare(a.guard, b.guard) })
	return changed
}

// without returns p without the login of a guard.
func (p principals) without(guard string) principals {
	var changed principals
	for _, l := range p {
		if l.guard != guard {
			changed = append(changed, l)
		}
	}
	return changed
}

// latest returns when the last login began, or began if that is later.
func (p principals) latest(began time.Time) time.Time {
	for _, l := range p {
		if l.At.After(began) {
			began = l.At
		}
	}
	return began
}

// owners returns the names of the users in stores, each once.
func (p principals) owners(realms map[string]string) []string {
	var owners []string
	for _, l := range p {
		if owner := realm.OwnerName(realms[l.guard], l.UserID); !slices.Contains(owners, owner) {
			owners = append(owners, owner)
		}
	}
	return owners
}

// The encoding of principals is a version, and for each login the length of the guard's name,
// the name, the length of the record, and the record. A record is, in this order: flags, the two
// times in microseconds since 1970, the fingerprint, the series as 16 bytes, the second factor if
// there is one, the first one if it was no password, and the user's identifier.
const (
	principalsVersion = 2
	flagRemembered    = 1
	flagKept          = 2
	flagSecond        = 4
	flagFirst         = 8
	flagMustEnrol     = 16
	allFlags          = flagRemembered | flagKept | flagSecond | flagFirst | flagMustEnrol
	recordFixed       = 1 + 8 + 8 + len(stores.Digest{}) + rowBytes
	proofSize         = 8 + 2
)

// encode returns p for stores.Session.Principals.
func (p principals) encode() string {
	if len(p) == 0 {
		return ""
	}
	b := make([]byte, 0, 1+len(p)*(recordFixed+48))
	b = append(b, principalsVersion)
	for _, l := range p {
		b = binary.AppendUvarint(b, uint64(len(l.guard)))
		b = append(b, l.guard...)
		b = binary.AppendUvarint(b, uint64(l.size()))
		b = l.append(b)
	}
	return string(b)
}

func (l *Login) size() int {
	n := recordFixed + len(l.UserID)
	for _, p := range [...]*factor.Proof{&l.Second, &l.First} {
		if !p.At.IsZero() {
			n += proofSize
		}
	}
	return n
}

func (l *Login) append(b []byte) []byte {
	flags := byte(0)
	if l.Remembered {
		flags = flagRemembered
	}
	if l.Kept {
		flags |= flagKept
	}
	if !l.Second.At.IsZero() {
		flags |= flagSecond
	}
	if !l.First.At.IsZero() {
		flags |= flagFirst
	}
	if l.MustEnrol {
		flags |= flagMustEnrol
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(l.At.UnixMicro()))
	confirmed := int64(0)
	if !l.Confirmed.IsZero() {
		confirmed = l.Confirmed.UnixMicro()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(confirmed))
	b = append(b, l.Fingerprint[:]...)
	var series [rowBytes]byte // all zeros stands for none
	_, _ = hex.Decode(series[:], []byte(l.Series))
	b = append(b, series[:]...)
	for _, p := range [...]*factor.Proof{&l.Second, &l.First} {
		if !p.At.IsZero() {
			b, _ = p.AppendBinary(b)
		}
	}
	return append(b, l.UserID...)
}

var errPrincipals = fmt.Errorf("%w: principals of a session", stores.ErrCorrupt)

// parsePrincipals reads what encode returned. It appends to into, so that a session with one
// login needs no memory for the list.
func parsePrincipals(text string, into principals) (principals, error) {
	if text == "" {
		return into, nil
	}
	if text[0] != principalsVersion {
		return nil, errPrincipals
	}
	for text = text[1:]; text != ""; {
		guard, rest, ok := cutPart(text)
		if !ok {
			return nil, errPrincipals
		}
		record, rest, ok := cutPart(rest)
		if !ok || len(record) <= recordFixed || record[0] > allFlags ||
			len(record) <= recordFixed+proofSize*bits.OnesCount8(record[0]&(flagSecond|flagFirst)) {
			return nil, errPrincipals
		}
		into, text = append(into, principal{guard, parseLogin(record)}), rest
	}
	return into, nil
}

// cutPart cuts a part with its length off a text.
func cutPart(text string) (part, rest string, ok bool) {
	n, size := 0, 0
	for shift := 0; size < len(text) && size < 3; shift += 7 { // lengths are below 2^21
		c := text[size]
		n |= int(c&0x7f) << shift
		size++
		if c < 0x80 {
			if len(text)-size < n {
				return "", "", false
			}
			return text[size : size+n], text[size+n:], true
		}
	}
	return "", "", false
}

func parseLogin(record string) Login {
	l := Login{
		Remembered: record[0]&flagRemembered != 0,
		Kept:       record[0]&flagKept != 0,
		MustEnrol:  record[0]&flagMustEnrol != 0,
		At:         time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(record[1:9])))),
		UserID:     record[recordFixed:],
	}
	if confirmed := int64(binary.BigEndian.Uint64([]byte(record[9:17]))); confirmed != 0 {
		l.Confirmed = time.UnixMicro(confirmed)
	}
	n := 17 + copy(l.Fingerprint[:], record[17:])
	if series := record[n:recordFixed]; series != string(make([]byte, rowBytes)) {
		l.Series = hex.EncodeToString([]byte(series))
	}
	l.Second = l.cutProof(record[0] & flagSecond)
	l.First = l.cutProof(record[0] & flagFirst)
	return l
}

// cutProof cuts a proof off what follows the fixed part of a record, if the flag of it is set.
func (l *Login) cutProof(flag byte) (p factor.Proof) {
	if flag != 0 {
		_ = p.UnmarshalBinary([]byte(l.UserID[:proofSize])) // of the right size
		l.UserID = l.UserID[proofSize:]
	}
	return p
}
