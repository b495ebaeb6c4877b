package tokens

import (
	"encoding/hex"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/jws"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/request"
)

// maxLeeway is the largest difference between the clocks of two machines.
const maxLeeway = time.Minute

// maxRotations is the largest limit, which a counter of 32 bits holds.
const maxRotations = 1_000_000

// maxFamilies is the largest number of families of one kind that an owner may have.
const maxFamilies = 10_000

// Check adds what is wrong with the configuration.
func (c *Config) Check(f *faults.List) {
	for field, text := range map[string]string{"JWT.Issuer": c.Issuer, "JWT.Audience": c.Audiences[0]} {
		// An empty one would check nothing.
		if text == "" {
			f.Add(field, "is required with JWT.SigningKey")
		} else if len(text) > 255 {
			f.Add(field, "is longer than 255 bytes")
		}
	}
	c.checkAudiences(f)
	if c.RetryUnused < 0 {
		f.Add("Refresh.RetryUnused", "%v is negative", c.RetryUnused)
	}
	if c.Leeway > maxLeeway {
		f.Add("JWT.Leeway", "%v is over %v", c.Leeway, maxLeeway)
	}
	f.AtLeast(time.Second, map[string]time.Duration{
		"JWT.Lifetime": c.Lifetime, "Refresh.IdleTimeout": c.RefreshIdle,
		"Refresh.AbsoluteTimeout": c.RefreshAbsolute, "PersonalTokens.Lifetime": c.PersonalLifetime,
	})
	if c.MaxRotations < 1 || c.MaxRotations > maxRotations || c.RotationsPer < time.Second {
		f.Add("Refresh.Rotations", "is not 1 to %d within 1 s or more", maxRotations)
	}
	for field, n := range map[string]int{
		"Refresh.MaxPerUser": c.MaxRefresh, "Account.MaxRememberedDevices": c.MaxRemember, "PersonalTokens.MaxPerUser": c.MaxPersonal,
	} {
		if n < 1 || n > maxFamilies {
			f.Add(field, "%d is not 1 to %d", n, maxFamilies)
		}
	}
	if !validPrefix(c.PersonalPrefix) {
		f.Add("PersonalTokens.Prefix", "%q is not 1 to 16 letters and digits", request.Cut(c.PersonalPrefix, 32))
	}
}

// checkAudiences checks the audiences beside the first one.
func (c *Config) checkAudiences(f *faults.List) {
	if len(c.Audiences) > jws.MaxAudiences {
		f.Add("JWT.Audiences", "are more than %d", jws.MaxAudiences-1)
	}
	for i, text := range c.Audiences[1:] {
		if text == "" || len(text) > jws.MaxText || !utf8.ValidString(text) || slices.Contains(c.Audiences[:i+1], text) {
			f.Add("JWT.Audiences", "%q is empty, longer than %d bytes, not UTF-8 or named twice", request.Cut(text, 32), jws.MaxText)
		}
	}
}

func validPrefix(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 16
}

// derivedKeys returns the keys of signed tokens that are derived from the application's keys:
// the first one signs, all are accepted.
func derivedKeys(ring *keys.Ring) ([]jws.Key, error) {
	derived := ring.Derive("jwt")
	list := make([]jws.Key, derived.Len())
	for i := range list {
		mac := derived.MACUnder(i, []byte("kid"))
		var err error
		if list[i], err = jws.NewHMAC(hex.EncodeToString(mac[:4]), "HS256", derived.Bytes(i)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Key is a configured key of signed tokens, or why it cannot be used. The zero Key is not set.
type Key struct {
	key jws.Key
	set bool
	err error
}

// NewKey returns the Key of what a constructor of package jws returned.
func NewKey(key jws.Key, err error) Key { return Key{key, true, err} }

// IsSet reports whether the key was configured.
func (k Key) IsSet() bool { return k.set }

// KeySet returns the keys of signed tokens: the signing key, or else those that are derived from
// the application's keys, and the keys that are accepted as well. It returns nil if there are
// faults, of the keys or others.
func KeySet(ring *keys.Ring, signing Key, verifying []Key, f *faults.List) *jws.Set {
	var list []jws.Key
	switch {
	case signing.err != nil:
		f.Add("JWT.SigningKey", "%v", signing.err)
	case signing.set:
		list = append(list, signing.key)
	default:
		var err error
		if list, err = derivedKeys(ring); err != nil {
			f.Add("JWT", "%v", err)
		}
	}
	for i, k := range verifying {
		switch {
		case !k.set:
			f.Add("JWT.VerifyingKeys", "key %d: is not set", i)
		case k.err != nil:
			f.Add("JWT.VerifyingKeys", "key %d: %v", i, k.err)
		default:
			list = append(list, k.key)
		}
	}
	if len(*f) > 0 {
		return nil
	}
	set, err := jws.NewSet(list[0], list[1:]...)
	if err != nil {
		f.Add("JWT", "%v", err)
	}
	return set
}
