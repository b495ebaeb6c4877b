package factor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ginauth/ginauth/autherr"
)

// Level says how well a user has proved who it is.
type Level int

const (
	// LevelOne is a login by one factor, such as the password.
	LevelOne Level = 1
	// LevelTwo is a login by two factors.
	LevelTwo Level = 2
)

// Fresh is how long ago the proof may be that a change of factors needs.
const Fresh = 15 * time.Minute

// LevelOf returns the highest level that a user with some second factors, or none, can prove.
func LevelOf(factors []string) Level {
	if len(factors) > 0 {
		return LevelTwo
	}
	return LevelOne
}

// Methods are authentication methods by which a user proved something (RFC 8176).
type Methods uint16

// names are the methods, each at the number of its bit. The order is stored.
var names = [...]string{"pwd", "otp", "hwk", "swk", "user", "email", "sms", "pin", "kba", "sc", "tel", "fpt", "face"}

// ParseMethods returns methods by their names in RFC 8176, or "email" for a code sent there.
func ParseMethods(given ...string) (m Methods, err error) {
	for _, name := range given {
		i := slices.Index(names[:], name)
		if i < 0 {
			return 0, fmt.Errorf("ginauth: %.40q is no authentication method of RFC 8176 that is known", name)
		}
		m |= 1 << i
	}
	return m, nil
}

// Multiple is the method of RFC 8176 that says that there were several factors. LevelTwo has it.
const Multiple = "mfa"

// Names returns the names of the methods.
func (m Methods) Names() (list []string) {
	for i, name := range names {
		if m&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return list
}

// Proof is what a user proved at a time, or zero. NewProof makes one.
type Proof struct {
	// At is when it was proved, or zero.
	At time.Time
	// Methods are those by which it was proved.
	Methods Methods
	// Level is what the proof is worth by itself: LevelTwo for two factors in one. 0 counts as LevelOne.
	Level Level
}

// NewProof returns the Proof of what the application or a feature has checked in place of a password, for
// ginauth.ProvedBy. LevelOne is one factor, such as a mailed link or a login at another site. LevelTwo is two factors in
// one, such as a passkey with user verification: no second factor is asked for. The methods are names of RFC 8176, as in
// "email", or "hwk" and "user"; there may be none. The error says which argument is not acceptable.
func NewProof(at time.Time, level Level, methods ...string) (Proof, error) {
	m, err := ParseMethods(methods...)
	switch p := (Proof{At: at, Methods: m, Level: level}); {
	case err != nil:
		return Proof{}, err
	case !p.Valid():
		return Proof{}, fmt.Errorf("ginauth: a proof of level %d at %v is none: set the time, and LevelOne or LevelTwo", level, at)
	default:
		return p, nil
	}
}

// Valid reports whether p is a proof of LevelOne or LevelTwo at some time.
func (p Proof) Valid() bool { return !p.At.IsZero() && (p.Level == LevelOne || p.Level == LevelTwo) }

// Check returns an error wrapping autherr.ErrConfig if p is neither zero nor valid. A time after now, by a clock that is
// fast, becomes now: a proof of the future would be fresh for too long.
func (p *Proof) Check(now time.Time) error {
	if *p != (Proof{}) && !p.Valid() {
		return fmt.Errorf("%w: ProvedBy was given no proof of factor.NewProof", autherr.ErrConfig)
	}
	if p.At.After(now) {
		p.At = now
	}
	return nil
}

// Meets reports whether the proof alone is one of a level within a time before now, as for Authentication.
func (p Proof) Meets(level Level, within time.Duration, now time.Time) bool {
	return Proofs{First: p}.Authentication().Meets(level, within, now) == nil
}

// OnlyPassword reports whether p is the proof of a password alone.
func (p Proof) OnlyPassword() bool { return p.Valid() && p.Level == LevelOne && p.Methods == 1 }

// binarySize is how many bytes AppendBinary appends: the time in microseconds since 1970, and the methods with the
// level in their highest bit.
const (
	binarySize = 8 + 2
	complete   = 1 << 15
)

// AppendBinary appends the proof in 10 bytes. The error is nil.
func (p Proof) AppendBinary(b []byte) ([]byte, error) {
	at, bits := int64(0), uint16(p.Methods)&^complete
	if !p.At.IsZero() {
		at = p.At.UnixMicro()
	}
	if p.Level >= LevelTwo {
		bits |= complete
	}
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(b, uint64(at)), bits), nil
}

// UnmarshalBinary reads what AppendBinary appended.
func (p *Proof) UnmarshalBinary(b []byte) error {
	if len(b) != binarySize {
		return errors.New("ginauth: a proof has 10 bytes")
	}
	*p = Proof{}
	if at := int64(binary.BigEndian.Uint64(b)); at != 0 {
		bits := binary.BigEndian.Uint16(b[8:])
		*p = Proof{At: time.UnixMicro(at), Methods: Methods(bits &^ complete), Level: LevelOne}
		if bits&complete != 0 {
			p.Level = LevelTwo
		}
	}
	return nil
}

// ProofOf returns what a right answer to the challenge of a name proves.
func ProofOf(challenges []Challenge, name string, at time.Time) Proof {
	p := Proof{At: at, Level: LevelOne}
	for _, c := range challenges {
		if c.Name == name {
			p.Methods, _ = ParseMethods(c.Methods...) // Setup.Challenge has parsed them
		}
	}
	return p
}

// Proofs are what a login was proved by. Each of them may be zero.
type Proofs struct {
	// Password is when the user gave the password.
	Password time.Time
	// First is what was checked in place of a password.
	First Proof
	// Second is the second factor.
	Second Proof
}

// Complete reports whether two factors were proved, so that none is missing.
func (p Proofs) Complete() bool {
	return !p.Second.At.IsZero() || p.First.Valid() && p.First.Level >= LevelTwo
}

// Strongest returns the proofs as one: with all methods, the highest level, and the last time that it was reached.
func (p Proofs) Strongest() Proof {
	a := p.Authentication()
	all := Proof{At: latest(a.Password, a.First), Methods: p.First.Methods | p.Second.Methods, Level: a.Level}
	if a.Level >= LevelTwo {
		all.At = a.Factor
	}
	if !p.Password.IsZero() {
		all.Methods |= 1
	}
	return all
}

// Authentication is what a user has proved.
type Authentication struct {
	// Level is 0 if the request has no login.
	Level Level
	// Methods are the names of RFC 8176, "mfa" among them at LevelTwo.
	Methods []string
	// Password is when the user last gave the password, First when what ProvedBy named in place of it was checked, and
	// Factor when the user last proved two factors, or a second one. They are zero if that did not happen, or is not
	// known.
	Password, First, Factor time.Time
}

// Authentication returns what the proofs prove.
func (p Proofs) Authentication() Authentication {
	a := Authentication{Level: LevelOne, Password: p.Password, First: p.First.At, Factor: p.Second.At}
	methods := p.First.Methods | p.Second.Methods
	if !p.Password.IsZero() {
		methods |= 1
	}
	a.Methods = methods.Names()
	if p.Complete() {
		a.Level, a.Methods = LevelTwo, append(a.Methods, Multiple)
		if p.First.Level >= LevelTwo {
			a.Factor = latest(a.Factor, p.First.At)
		}
	}
	return a
}

// Last returns when the user last proved anything, or zero.
func (a Authentication) Last() time.Time { return latest(a.Password, a.First, a.Factor) }

// Meets returns nil if the user has proved a level, within a time before now unless that is zero, and otherwise an
// *autherr.StepUpError. A second factor that was proved is as good as a password.
func (a Authentication) Meets(level Level, within time.Duration, now time.Time) error {
	last := a.Factor
	if level <= LevelOne {
		last = a.Last()
	}
	if a.Level < level || within > 0 && (last.IsZero() || now.Sub(last) >= within) {
		return &autherr.StepUpError{Level: int(level), Within: within}
	}
	return nil
}

// latest returns the last of some times.
func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
