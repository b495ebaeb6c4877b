package ginauth_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
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
	this, other, third   *client
	session, remember    string // of this, as they were
	theirs, thirds       string // the others' cookies
	tokens, otherTokens  pair
	next                 pair // what this login's tokens were replaced by
	personal, endsWithIt madeToken
}

func (a *app) issue(email string) *issued {
	a.Helper()
	i := &issued{this: a.remembered(email), other: a.remembered(email)}
	i.session, i.remember, i.theirs = i.this.session(), i.this.cookies[rememberCookie], i.other.cookies[rememberCookie]
	i.third = a.remembered(email).only(rememberCookie)
	i.third.get("/me").want(a.T, 200)
	i.thirds = i.third.cookies[rememberCookie]
	i.tokens, i.otherTokens = a.apiLogin(email), a.apiLogin(email)
	i.personal = a.makeToken(i.this, ginauth.TokenSpec{Name: "ordinary", Abilities: []string{"*"}})
	i.endsWithIt = a.makeToken(i.this, ginauth.TokenSpec{Name: "ends", Abilities: []string{"*"}, RevokeOnPasswordChange: true})
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

func (a *app) look(i *issued) found {
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
	session := func(v string) int { return a.client().with(v).get("/me").StatusCode }
	remember := func(v string) int { return a.withRemember(v).get("/me").StatusCode }
	access := func(v string) int { return a.bearing(v).get("/api/me").StatusCode }
	refresh := func(v string) int { return a.refresh(v).StatusCode }
	personal := func(v string) int { return a.bearing(v).get("/token/me").StatusCode }
	both := func(first, second string) string {
		if first != second {
			a.Errorf("of two alike one %s and one %s", first, second)
		}
		return first
	}
	f := found{
		session:          state(i.session, i.this.session(), session),
		otherSessions:    both(state(i.other.session(), "", session), state(i.third.session(), "", session)),
		access:           state(i.tokens.Access, i.next.Access, access),
		othersAccess:     state(i.otherTokens.Access, "", access),
		personal:         state(i.personal.Token, "", personal),
		endsWithPassword: state(i.endsWithIt.Token, "", personal),
	}
	// These are used up.
	f.remember = state(i.remember, i.this.cookies[rememberCookie], remember)
	f.othersRemember = both(state(i.theirs, "", remember), state(i.thirds, "", remember))
	f.refresh, f.othersTokens = state(i.tokens.Refresh, i.next.Refresh, refresh), state(i.otherTokens.Refresh, "", refresh)
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

// but returns f with what change changes.
func (f found) but(change func(*found)) found { change(&f); return f }

// linkPath waits for the link that changes an address.
func linkPath(a *app, box *ginauthtest.Mailbox) string {
	a.Helper()
	return strings.TrimPrefix(box.Link(a.T, mail.EmailChange), "https://app.example")
}

// endings are the rows of the table of what ends when.
var endings = []struct {
	name string
	end  func(a *app, i *issued, box *ginauthtest.Mailbox)
	want found
}{
	{"nothing", func(*app, *issued, *ginauthtest.Mailbox) {}, nothingEnded},
	{
		"logout",
		func(a *app, i *issued, _ *ginauthtest.Mailbox) { i.this.post("/logout", nil).want(a.T, 204) },
		nothingEnded.but(func(f *found) { f.session, f.remember = ends, ends }),
	},
	{
		"logout by token",
		func(a *app, i *issued, _ *ginauthtest.Mailbox) {
			a.bearing(i.tokens.Access).post("/api/logout", nil).want(a.T, 204)
		},
		nothingEnded.but(func(f *found) { f.access, f.refresh = ends, ends }),
	},
	{
		"sign out other devices",
		func(a *app, i *issued, _ *ginauthtest.Mailbox) {
			i.this.post("/logout-others", passwordForm{Password: goodPass}).want(a.T, 204)
		},
		byThisSession,
	},
	{
		"sign out other devices by token",
		func(a *app, i *issued, _ *ginauthtest.Mailbox) {
			i.next = a.bearing(i.tokens.Access).post("/logout-others", passwordForm{Password: goodPass}).pair(a.T)
		},
		byThisToken,
	},
	{
		"password change",
		func(a *app, i *issued, _ *ginauthtest.Mailbox) {
			i.this.post("/password", passwordForm{goodPass, nextPass}).want(a.T, 204)
		},
		byThisSession,
	},
	{
		"password change by token",
		func(a *app, i *issued, _ *ginauthtest.Mailbox) {
			i.next = a.bearing(i.tokens.Access).post("/password", passwordForm{goodPass, nextPass}).pair(a.T)
		},
		byThisToken,
	},
	{
		"password reset",
		func(a *app, i *issued, box *ginauthtest.Mailbox) {
			broker := a.m.Broker("web")
			if err := broker.SendResetLink(a.Context(), aliceEmail); err != nil {
				a.Fatal(err)
			}
			err := broker.Reset(a.Context(), ginauth.PasswordReset{
				Email: aliceEmail, Token: box.Token(a.T, mail.ResetPassword), Password: nextPass,
			})
			if err != nil {
				a.Fatal(err)
			}
		},
		byNobody,
	},
	{
		"email change confirmed",
		func(a *app, i *issued, box *ginauthtest.Mailbox) {
			i.this.moveTo("alice@new.example", box).want(a.T, 204)
		},
		byThisSession,
	},
	{
		"email change confirmed where nobody is logged in",
		func(a *app, i *issued, box *ginauthtest.Mailbox) {
			i.this.post("/email?to=alice@new.example", nil).want(a.T, 204)
			a.client().get(linkPath(a, box)).want(a.T, 204)
		},
		byNobody,
	},
	{
		"email change confirmed where another user is logged in",
		func(a *app, i *issued, box *ginauthtest.Mailbox) {
			i.this.post("/email?to=alice@new.example", nil).want(a.T, 204)
			a.loggedIn(bobEmail).get(linkPath(a, box)).want(a.T, 204)
		},
		byNobody,
	},
	{"user disabled", func(a *app, _ *issued, _ *ginauthtest.Mailbox) { a.disable(a.alice) }, allEnded},
	{
		"RevokeUser",
		func(a *app, _ *issued, _ *ginauthtest.Mailbox) {
			if err := a.m.RevokeUser(a.Context(), "web", a.alice.AuthID()); err != nil {
				a.Fatal(err)
			}
		},
		allEnded,
	},
}

func TestWhatEndsWhen(t *testing.T) { // M07, S17, P12
	for _, row := range endings {
		t.Run(row.name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, b *backend) {
				a, box := accounts(t, b, func(c *ginauth.Config) { c.Throttle.InsecureDisable = true })
				alice, bob := a.issue(aliceEmail), a.issue(bobEmail)
				row.end(a, alice, box)
				if got := a.look(alice); got != row.want {
					t.Errorf("found  %+v\nwanted %+v", got, row.want)
				}
				if got := a.look(bob); got != nothingEnded {
					t.Errorf("of another user: %+v", got)
				}
			})
		})
	}
}

// What one of the others began before, and ends after, it was ended, changes
// nothing.
func TestInFlightRequestOutlivesNoPasswordChange(t *testing.T) { // S06, P12
	eachBackend(t, func(t *testing.T, b *backend) {
		read, proceed := make(chan struct{}), make(chan struct{})
		a := newApp(t, b, nil, func(a *app, r *gin.Engine) {
			accountRoutes(a, r)
			slowRoute(r, read, proceed)
		})
		i := a.issue(aliceEmail)
		slow := i.other.only(sessionCookie)
		done := make(chan *response)
		go func() {
			res, err := slow.try(context.Background(), "GET", "/slow", "", "")
			if err != nil {
				t.Error(err)
			}
			done <- res
		}()
		<-read
		i.this.post("/password", passwordForm{goodPass, nextPass}).want(t, 204)
		proceed <- struct{}{}
		if res := <-done; b.set.ClientSessions == nil { // which can be told that it has ended
			res.is401(t)
		}
		slow.get("/me").is401(t)
		i.other.only(sessionCookie).get("/me").is401(t)
		i.this.get("/me").want(t, 200)
	})
}
