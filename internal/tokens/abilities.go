package tokens

import (
	"fmt"
	"slices"

	"github.com/ginauth/ginauth/internal/request"
)

// AnyAbility grants every ability. A token has it only if it was made with it.
const AnyAbility = "*"

// Required is what abilities a route requires of a personal access token.
type Required struct {
	abilities    []string
	one, orLogin bool
}

// MustRequire returns the requirement of all of some abilities, or of one of them, and whether a login
// does as well. It panics if there is none, because every token has all of none, or if no token could
// have one.
func MustRequire(abilities []string, one, orLogin bool) *Required {
	if len(abilities) == 0 {
		panic("ginauth: RequireAbilities: no ability is named")
	}
	for _, ability := range abilities {
		if !ValidAbility(ability) || ability == AnyAbility {
			panic(fmt.Sprintf("ginauth: RequireAbilities: %q is not an ability that a token can list", request.Cut(ability, 128)))
		}
	}
	return &Required{slices.Clone(abilities), one, orLogin}
}

// Met reports whether a request meets the requirement. Scoped says that it is by a personal access
// token, whose abilities can tells.
func (r *Required) Met(scoped bool, can func(ability string) bool) bool {
	switch {
	case !scoped:
		return r.orLogin
	case r.one:
		return slices.ContainsFunc(r.abilities, can)
	}
	return !slices.ContainsFunc(r.abilities, func(ability string) bool { return !can(ability) })
}
