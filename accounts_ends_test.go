package ginauth_test

import (
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
)

// The states in which something that ended others is found afterwards.
const (
	lives   = "lives"
	ends    = "ends"
	renewed = "is another" // the former one has ended, and its holder has a new one
)

// issued is what one user was given, twice: once to this device and its tokens'
// holder, and once to others. A session that a remember-me cookie began is
// another one of the others'.
type issued struct {
	this, other, third   *testapp.Client
	session, remember    string // of this, as they were
	theirs, thirds       string // the others' cookies
	tokens, otherTokens  ginauth.TokenPair
	next                 ginauth.TokenPair // what this login's tokens were replaced by
	personal, endsWithIt ginauth.PersonalToken
}

func issue(a *testapp.App, email string) *issued {
	a.Helper()
	i := &issued{this: a.Remembered(email), other: a.Remembered(email)}
	i.session, i.remember, i.theirs = i.this.Session(), i.this.Cookies[testapp.RememberCookie], i.other.Cookies[testapp.RememberCookie]
	i.third = a.Remembered(email).Only(testapp.RememberCookie)
	i.third.Get("/me").Want(a, 200)
	i.thirds = i.third.Cookies[testapp.RememberCookie]
	i.tokens, i.otherTokens = a.IssueTokens(email), a.IssueTokens(email)
	i.personal = i.this.CreateToken(ginauth.TokenSpec{Name: "ordinary", Abilities: []string{"*"}})
	i.endsWithIt = i.this.CreateToken(ginauth.TokenSpec{Name: "ends", Abilities: []string{"*"}, RevokeOnPasswordChange: true})
	return i
}

// found says what became of all that was issued.
type found struct {
	session, otherSessions     string
	remember, othersRemember   string
	access, refresh            string // of this login by tokens
	othersAccess, othersTokens string
	personal, endsWithPassword string
}

// but returns f with what change changes.
func (f found) but(change func(*found)) found { change(&f); return f }

func look(a *testapp.App, i *issued) found {
	a.Helper()
	state := func(before, now string, open func(value string) int) string {
		if open(before) == 200 {
			return lives
		}
		if now != "" && now != before && open(now) == 200 {
			return renewed
		}
		return ends
	}
	session := func(v string) int { return a.Client().With(v).Get("/me").StatusCode }
	remember := func(v string) int { return a.WithRemember(v).Get("/me").StatusCode }
	access := func(v string) int { return a.Bearer(v).Get("/api/me").StatusCode }
	refresh := func(v string) int { return a.Refresh(v).StatusCode }
	personal := func(v string) int { return a.Bearer(v).Get("/token/me").StatusCode }
	both := func(first, second string) string {
		if first != second {
			a.Errorf("of two alike one %s and one %s", first, second)
		}
		return first
	}
	f := found{
		session:          state(i.session, i.this.Session(), session),
		otherSessions:    both(state(i.other.Session(), "", session), state(i.third.Session(), "", session)),
		access:           state(i.tokens.AccessToken, i.next.AccessToken, access),
		othersAccess:     state(i.otherTokens.AccessToken, "", access),
		personal:         state(i.personal.Text, "", personal),
		endsWithPassword: state(i.endsWithIt.Text, "", personal),
	}
	// These are used up.
	f.remember = state(i.remember, i.this.Cookies[testapp.RememberCookie], remember)
	f.othersRemember = both(state(i.theirs, "", remember), state(i.thirds, "", remember))
	f.refresh, f.othersTokens = state(i.tokens.RefreshToken, i.next.RefreshToken, refresh), state(i.otherTokens.RefreshToken, "", refresh)
	return f
}

var (
	nothingEnded = found{lives, lives, lives, lives, lives, lives, lives, lives, lives, lives}
	allEnded     = found{ends, ends, ends, ends, ends, ends, ends, ends, ends, ends}
	// Personal access tokens made with RevokeOnPasswordChange are bound to the security
	// stamp, and so end with whatever changes it: also where others are signed out
	// and where the address changes, which is more than their name says.
	byThisSession = found{
		session: renewed, otherSessions: ends, remember: renewed, othersRemember: ends,
		access: ends, refresh: ends, othersAccess: ends, othersTokens: ends, personal: lives, endsWithPassword: ends,
	}
	byThisToken = found{
		session: ends, otherSessions: ends, remember: ends, othersRemember: ends,
		access: renewed, refresh: renewed, othersAccess: ends, othersTokens: ends, personal: lives, endsWithPassword: ends,
	}
	byNobody = found{
		session: ends, otherSessions: ends, remember: ends, othersRemember: ends,
		access: ends, refresh: ends, othersAccess: ends, othersTokens: ends, personal: lives, endsWithPassword: ends,
	}
)

// endings are the rows of the table of what ends when.
var endings = []struct {
	name string
	end  func(a *testapp.App, i *issued)
	want found
}{
	{"nothing", func(*testapp.App, *issued) {}, nothingEnded},
	{
		"logout",
		func(a *testapp.App, i *issued) { i.this.Post("/logout", nil).Want(a, 204) },
		nothingEnded.but(func(f *found) { f.session, f.remember = ends, ends }),
	},
	{
		"logout by token",
		func(a *testapp.App, i *issued) {
			a.Bearer(i.tokens.AccessToken).Post("/api/logout", nil).Want(a, 204)
		},
		nothingEnded.but(func(f *found) { f.access, f.refresh = ends, ends }),
	},
	{
		"sign out other devices",
		func(a *testapp.App, i *issued) {
			i.this.Post("/logout-others", testapp.Passwords("", testapp.Password)).Want(a, 204)
		},
		byThisSession,
	},
	{
		"sign out other devices by token",
		func(a *testapp.App, i *issued) {
			i.next = a.Bearer(i.tokens.AccessToken).Post("/logout-others", testapp.Passwords("", testapp.Password)).Tokens(a)
		},
		byThisToken,
	},
	{
		"password change",
		func(a *testapp.App, i *issued) {
			i.this.Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Want(a, 204)
		},
		byThisSession,
	},
	{
		"password change by token",
		func(a *testapp.App, i *issued) {
			i.next = a.Bearer(i.tokens.AccessToken).Post("/password", testapp.Passwords(testapp.Password, testapp.NewPassword)).Tokens(a)
		},
		byThisToken,
	},
	{
		"password reset",
		func(a *testapp.App, i *issued) {
			if err := a.Reset(testapp.Alice, a.ResetToken(testapp.Alice), testapp.NewPassword); err != nil {
				a.Fatal(err)
			}
		},
		byNobody,
	},
	{
		"email change confirmed",
		func(a *testapp.App, i *issued) {
			a.ChangeEmail(i.this, "alice@new.example").Want(a, 204)
		},
		byThisSession,
	},
	{
		"email change confirmed where nobody is logged in",
		func(a *testapp.App, i *issued) {
			i.this.Post("/email?to=alice@new.example", nil).Want(a, 204)
			a.Client().Get(a.Outbox.Path(a, mail.EmailChange)).Want(a, 204)
		},
		byNobody,
	},
	{
		"email change confirmed where another user is logged in",
		func(a *testapp.App, i *issued) {
			i.this.Post("/email?to=alice@new.example", nil).Want(a, 204)
			a.LoggedIn(testapp.Bob).Get(a.Outbox.Path(a, mail.EmailChange)).Want(a, 204)
		},
		byNobody,
	},
	{"user disabled", func(a *testapp.App, _ *issued) { a.Disable(a.Alice) }, allEnded},
	{
		"RevokeUser",
		func(a *testapp.App, _ *issued) {
			if err := a.RevokeUser(a.Context(), "web", a.Alice.AuthID()); err != nil {
				a.Fatal(err)
			}
		},
		allEnded,
	},
}

func TestWhatEndsWhen(t *testing.T) { // M07, S17, P12
	for _, row := range endings {
		t.Run(row.name, func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				a := testapp.New(t, b, testapp.Configure(testapp.Unlimited))
				alice, bob := issue(a, testapp.Alice), issue(a, testapp.Bob)
				row.end(a, alice)
				if got := look(a, alice); got != row.want {
					t.Errorf("found  %+v\nwanted %+v", got, row.want)
				}
				if got := look(a, bob); got != nothingEnded {
					t.Errorf("of another user: %+v", got)
				}
			})
		})
	}
}
