package social_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/features/social/socialtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testsize"
)

// TestLongNameIsCut logs in a user with a name that the user has made as long as the provider's
// answer may be.
func TestLongNameIsCut(t *testing.T) {
	a := start(t, testapp.Memory(t))
	a.one.Tamper(func(t *socialtest.Token) { t.Claims["name"] = strings.Repeat("é\x00", 3_000) })
	c := a.Client()
	a.signIn(t, c, carol).Want(t, 200)
	list := a.identities(t, c)
	if len(list) != 1 || list[0].Name != strings.Repeat("é", 127) || !utf8.ValidString(list[0].Name) {
		t.Errorf("identities %+v", list)
	}
}

// TestNameIsCutInLinearTime cuts names without a character that could be left out early.
func TestNameIsCutInLinearTime(t *testing.T) {
	testsize.Linear(t, 4000, func(n int) func() {
		name := strings.Repeat("é", n)
		return func() { _ = social.ClipForTest(name) }
	})
}
