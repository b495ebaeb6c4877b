package ginauth

import (
	"fmt"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/request"
)

// RequireAbilities lets only requests pass that are authenticated by a personal
// access token with all of these abilities. It comes after Auth. A session, or
// an access token, is no such token and is refused: use RequireAbilitiesOrLogin
// where logged-in users may do it too. Nobody: 401; otherwise 403. It panics
// without abilities: "all of none" would be everybody.
func (m *Manager) RequireAbilities(abilities ...string) gin.HandlerFunc {
	return m.requireAbilities(abilities, false, (*TokenInfo).canAll)
}

// RequireAnyAbility is RequireAbilities for tokens with at least one of the
// abilities.
func (m *Manager) RequireAnyAbility(abilities ...string) gin.HandlerFunc {
	return m.requireAbilities(abilities, false, (*TokenInfo).canAny)
}

// RequireAbilitiesOrLogin is RequireAbilities that lets users pass as well who
// are logged in: by a session, or an access token.
func (m *Manager) RequireAbilitiesOrLogin(abilities ...string) gin.HandlerFunc {
	return m.requireAbilities(abilities, true, (*TokenInfo).canAll)
}

// RequireAnyAbilityOrLogin is RequireAnyAbility that lets users pass as well
// who are logged in.
func (m *Manager) RequireAnyAbilityOrLogin(abilities ...string) gin.HandlerFunc {
	return m.requireAbilities(abilities, true, (*TokenInfo).canAny)
}

func (m *Manager) requireAbilities(abilities []string, orLogin bool, grants func(*TokenInfo, []string) bool) gin.HandlerFunc {
	if len(abilities) == 0 {
		panic("ginauth: RequireAbilities: no ability is named")
	}
	for _, ability := range abilities {
		if !validAbility(ability) || ability == anyAbility {
			panic(fmt.Sprintf("ginauth: RequireAbilities: %q is not an ability that a token can list", request.Cut(ability, 128)))
		}
	}
	abilities = slices.Clone(abilities)
	return m.mark(kindNeutral, func(c *gin.Context) {
		m.handle(c, func(x *requestState) error {
			ctx := c.Request.Context()
			u, err := x.auth.User(ctx)
			if err != nil {
				return err
			}
			if u == nil {
				return ErrUnauthenticated
			}
			token, err := x.auth.Token(ctx)
			switch scoped := token != nil && token.Scoped; {
			case err != nil:
				return err
			case scoped && grants(token, abilities), !scoped && orLogin:
				return nil
			}
			return ErrMissingAbility
		})
	})
}

func (t *TokenInfo) canAll(abilities []string) bool {
	return !slices.ContainsFunc(abilities, func(ability string) bool { return !t.Can(ability) })
}

func (t *TokenInfo) canAny(abilities []string) bool { return slices.ContainsFunc(abilities, t.Can) }
