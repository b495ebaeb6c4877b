package factor

import (
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

// Names returns the names of the methods.
func (m Methods) Names() (list []string) {
	for i, name := range names {
		if m&(1<<i) != 0 {
			list = append(list, name)
		}
	}
	return list
}

// Proof is a second factor that was proved, or zero.
type Proof struct {
	// At is when it was proved, or zero.
	At time.Time
	// Methods are those of the factor.
	Methods Methods
}

// ProofOf returns what a right answer to the challenge of a name proves.
func ProofOf(challenges []Challenge, name string, at time.Time) Proof {
	p := Proof{At: at}
	for _, c := range challenges {
		if c.Name == name {
			p.Methods, _ = ParseMethods(c.Methods...) // Setup.Challenge has parsed them
		}
	}
	return p
}

// Authentication is what a user has proved.
type Authentication struct {
	// Level is 0 if the request has no login.
	Level Level
	// Methods are the names of RFC 8176, "mfa" among them at LevelTwo.
	Methods []string
	// Password is when the user last gave the password, and Factor when the user last proved a second factor, or zero.
	Password, Factor time.Time
}

// Of returns what a password and a second factor prove, of which either time may be zero.
func Of(password time.Time, second Proof) Authentication {
	a := Authentication{Level: LevelOne, Password: password, Factor: second.At}
	if !password.IsZero() {
		a.Methods = append(a.Methods, names[0])
	}
	if !second.At.IsZero() {
		a.Level, a.Methods = LevelTwo, append(append(a.Methods, second.Methods.Names()...), "mfa")
	}
	return a
}

// Meets returns nil if the user has proved a level, within a time before now unless that is zero, and otherwise an
// *autherr.StepUpError. A second factor that was proved is as good as a password.
func (a Authentication) Meets(level Level, within time.Duration, now time.Time) error {
	last := a.Factor
	if level <= LevelOne && a.Password.After(last) {
		last = a.Password
	}
	if a.Level < level || within > 0 && (last.IsZero() || now.Sub(last) >= within) {
		return &autherr.StepUpError{Level: int(level), Within: within}
	}
	return nil
}
