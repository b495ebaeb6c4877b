package recovery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Codes are bound to the user and to the factors beside which they were made. Otherwise somebody who knew the password for
// a moment could make codes that replace a factor which the owner sets up later, and codes of a factor that was removed would
// replace the next one. The security stamp is no such bond: codes have to outlive a change of the password. Nor is a hook of
// the other features, which a feature of the application would not call. So the Counter of a code is the time at which the
// newest factor beside it was enrolled: the code is good while one of that time or before is left. When codes are looked up
// while there is one, newer factors are added to them, by a higher Counter. So they go on when a user adds a passkey and then
// removes the app, and end with the last factor. The times are those of stored factors only, of whatever clock.

// What the first byte of Data says. What follows is what birthOf returns.
const (
	besideStored byte = 1
	// besideOthers says that codes were made beside a factor that is not in stores.Factors, such as a telephone number. Since
	// when the user has it is not known, so these codes stay until others are made.
	besideOthers byte = 2
)

const birthSize = 16 // bytes

// birthOf returns a digest of what a user does not share with a later one with the same identifier, or nil for users without
// stamps.
func birthOf(u models.Authenticatable) []byte {
	birth := models.Birth(u)
	if birth == "" {
		return nil
	}
	sum := sha256.Sum256([]byte("ginauth recovery user\x00" + birth))
	return sum[:birthSize]
}

// findKinds returns the kinds of factors that are stored. Features name the factors that they store as themselves. What they
// store beside has other kinds, and is no factor. It returns nil if no guard of the feature is known.
func (f *Feature) findKinds() []string {
	for _, guard := range append(slices.Clone(f.options.Guards), "web", "api") {
		if can, ok := f.auth.Capabilities(guard); ok {
			return slices.DeleteFunc(can.Features, func(name string) bool { return !stores.ValidFactorKind(name) })
		}
	}
	return nil
}

// stored returns the codes of an owner, and the other factors.
func (f *Feature) stored(ctx context.Context, owner string) (codes, others []stores.Factor, err error) {
	found, err := f.store.FactorsOf(ctx, owner, f.kinds()...)
	for _, one := range found {
		if one.Kind == Name {
			codes = append(codes, one)
		} else {
			others = append(others, one)
		}
	}
	return codes, others, ginauth.Unavailable("find recovery codes", err)
}

// usable returns the codes of a user that replace a factor which the user has, and adds newer factors to them.
func (f *Feature) usable(ctx context.Context, owner string, u models.Authenticatable) (usable []stores.Factor, err error) {
	codes, others, err := f.stored(ctx, owner)
	if err != nil {
		return nil, err
	}
	birth, newest := birthOf(u), newestOf(others)
	for _, code := range codes {
		if len(code.Data) == 0 || !bytes.Equal(code.Data[1:], birth) {
			continue
		}
		beside := slices.ContainsFunc(others, func(o stores.Factor) bool { return o.Created.UnixMicro() <= code.Counter })
		if !beside && code.Data[0] != besideOthers {
			continue
		}
		usable = append(usable, code)
		if newest > code.Counter {
			_, advanceErr := f.store.AdvanceFactor(ctx, code.LastUsed, owner, Name, code.ID, newest, nil)
			err = errors.Join(err, advanceErr)
		}
	}
	return usable, ginauth.Unavailable("extend recovery codes", err)
}

// newestOf returns when the last of some factors was enrolled.
func newestOf(factors []stores.Factor) (newest int64) {
	for _, one := range factors {
		newest = max(newest, one.Created.UnixMicro())
	}
	return newest
}

// bind returns what all new codes of the request's user have in common.
func (f *Feature) bind(ctx context.Context, a *ginauth.Authenticator, u models.Authenticatable) (bound stores.Factor, err error) {
	if len(f.kinds()) == 0 {
		return bound, errors.New("recovery: there is no guard of Options.Guards")
	}
	names, err := a.Factors(ctx, u)
	if err != nil {
		return bound, err
	}
	owner := a.Owner(u)
	_, others, err := f.stored(ctx, owner)
	if err != nil {
		return bound, err
	}
	how := besideStored
	names = slices.DeleteFunc(names, func(name string) bool { return name == Name })
	for _, name := range names {
		if !slices.ContainsFunc(others, func(o stores.Factor) bool { return o.Kind == name }) {
			how = besideOthers
		}
	}
	if len(names) == 0 {
		return bound, ErrNoFactor
	}
	return stores.Factor{
		Owner: owner, Kind: Name, Data: append([]byte{how}, birthOf(u)...), Counter: newestOf(others), Created: f.now(),
	}, nil
}
