package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/background"
	"github.com/ginauth/ginauth/internal/cookies"
	"github.com/ginauth/ginauth/internal/dispatch"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/seal"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/testbackends"
	"github.com/ginauth/ginauth/stores"
)

// began is near the present, because Redis deletes what has expired.
var began = time.Now().UTC().Truncate(time.Microsecond)

// application has an engine on some stores.
type application struct {
	engine *session.Engine
	env    *request.Env
	cookie *cookies.Config
}

func newApplication(set stores.Set) *application {
	return newApplicationOf(set, map[string]string{"web": "users", "admin": "staff"})
}

func newApplicationOf(set stores.Set, realms map[string]string) *application {
	log := slog.New(slog.DiscardHandler)
	app := &application{cookie: &cookies.Config{Name: "__Host-s", Path: "/", SameSite: http.SameSiteLaxMode}}
	app.env = &request.Env{
		Now: func() time.Time { return began }, Log: log, StoreTimeout: time.Minute,
		Events: dispatch.New(dispatch.Config{Log: log, Queue: 8}), Background: background.New(log),
	}
	ring := keys.NewRing([]byte(strings.Repeat("k", 32)))
	app.engine = session.New(app.env, set, session.Config{
		IdleTimeout: time.Hour, AbsoluteTimeout: 24 * time.Hour, TouchInterval: time.Minute, Cookie: app.cookie.Name,
		Realms:   realms,
		FormKeys: ring.Derive("form"), Sealer: seal.New(ring.Derive("session")), Flash: seal.New(ring.Derive("flash")),
	})
	return app
}

// browser has at most one cookie.
type browser struct {
	t      *testing.T
	app    *application
	cookie string
}

// visit is one request.
type visit struct {
	b *browser
	r *request.State
	s session.Session
}

// visit begins a request, which loads its session.
func (b *browser) visit() *visit {
	b.t.Helper()
	v := b.unread()
	v.s.State()
	return v
}

// unread begins a request, which does not load its session.
func (b *browser) unread() *visit {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://app.example/", nil)
	if b.cookie != "" {
		r.Header.Set("Cookie", b.app.cookie.Name+"="+b.cookie)
	}
	v := &visit{b: b, r: &request.State{Env: b.app.env, HTTP: r, Remote: "203.0.113.7:1", Jar: cookies.NewJar(b.app.cookie, r, false)}}
	v.s.Init(b.app.engine, v.r)
	return v
}

// commit ends the request. The browser keeps the cookie of a response that is no failure.
func (v *visit) commit() error {
	change, err := v.s.Commit(context.Background())
	if err == nil && change.Set != "" {
		v.b.cookie = change.Set
	}
	if err == nil && change.Clear {
		v.b.cookie = ""
	}
	return err
}

func login(user string) session.Login { return session.Login{UserID: user, At: began} }

// transitions are what a request does to a session.
var transitions = []struct {
	name string
	do   func(*visit) error
}{
	{"read", func(v *visit) error { v.s.Get("k"); return nil }},
	{"write", func(v *visit) error { return v.s.Put("late", "of the old state") }},
	{"new id", func(v *visit) error { return v.s.Regenerate() }},
	{"confirm", func(v *visit) error { return v.s.Confirm(context.Background(), "web", "1", began) }},
	{"renew", func(v *visit) error { v.s.RenewLogin("web", login("1")); return nil }},
	{"login again", func(v *visit) error { return v.s.LogIn("web", login("1")) }},
	{"login of 2", func(v *visit) error { return v.s.LogIn("web", login("2")) }},
	{"logout", func(v *visit) error { return v.s.LogOut(context.Background(), "web") }},
	{"invalidate", func(v *visit) error { return v.s.Invalidate() }},
	{"revoke 1", func(v *visit) error { return v.b.app.engine.EndOf(context.Background(), "users:1", "") }},
}

// outcome names what became of a request.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, autherr.ErrConflict):
		return "409"
	case errors.Is(err, autherr.ErrSessionEnded):
		return "401"
	}
	return err.Error()
}

// who names the users that the browser's session has.
func (b *browser) who() string {
	v := b.visit()
	names := ""
	for _, guard := range []string{"web", "admin"} {
		if l, ok, err := v.s.Login(context.Background(), guard); err != nil {
			return err.Error()
		} else if ok {
			names += guard + l.UserID + " "
		}
	}
	if names == "" {
		return v.s.State().String()
	}
	return strings.TrimSpace(names)
}

// start makes a session with the given users of the guards, and a value.
func (b *browser) start(web, admin string) {
	b.t.Helper()
	v := b.visit()
	if err := v.s.Put("k", "v"); err != nil {
		b.t.Fatal(err)
	}
	if web != "" {
		if err := v.s.LogIn("web", login(web)); err != nil {
			b.t.Fatal(err)
		}
	}
	if admin != "" {
		if err := v.s.LogIn("admin", login(admin)); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := v.commit(); err != nil {
		b.t.Fatal(err)
	}
}

// run lets two requests load the same session, and then end one after the other. It returns what
// became of each, and the users that are logged in afterwards.
func run(b *browser, web, admin string, first, second func(*visit) error) string {
	b.t.Helper()
	b.start(web, admin)
	one, two := b.visit(), b.visit()
	results := make([]string, 0, 2)
	for i, do := range []func(*visit) error{first, second} {
		v := []*visit{one, two}[i]
		err := do(v)
		if committed := v.commit(); err == nil {
			err = committed
		}
		results = append(results, outcome(err))
	}
	b.mayNotLeak(web)
	if results[0] != "ok" {
		return results[0] + " " + results[1] + " " + b.who()
	}
	return results[1] + " " + b.who()
}

// mayNotLeak asserts that what a request of the first user wrote late is in no session of another.
func (b *browser) mayNotLeak(web string) {
	b.t.Helper()
	v := b.visit()
	l, ok, _ := v.s.Login(context.Background(), "web")
	if web != "" && ok && l.UserID != web && (v.s.Has("late") || v.s.Has("k")) {
		b.t.Errorf("the session of %s has values of %s", l.UserID, web)
	}
}

// TestTransitions lets two requests load one session, and then end one after the other: every
// pair of transitions, on every store. The tables in testdata say what becomes of the second
// request, and who is logged in afterwards. The first request succeeds, unless its row says
// otherwise.
func TestTransitions(t *testing.T) {
	testbackends.Each(t, func(t *testing.T, backend testbackends.Backend) {
		kind := "rows"
		if backend.Set.ClientSessions != nil {
			kind = "cookies"
		}
		want, err := os.ReadFile("testdata/transitions_" + kind + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		got, wanted := strings.Split(table(t, newApplication(backend.Set)), "\n"), strings.Split(string(want), "\n")
		if len(got) != len(wanted) {
			t.Errorf("the table has %d lines, want %d", len(got), len(wanted))
		}
		for i := range min(len(got), len(wanted)) {
			if line := strings.TrimRight(got[i], " "); line != strings.TrimRight(wanted[i], " ") {
				t.Errorf("line %d of the table is\n%s\nwant\n%s", i+1, line, wanted[i])
			}
		}
	})
}

// table runs all pairs.
func table(t *testing.T, app *application) string {
	var text strings.Builder
	for _, start := range []struct{ name, web, admin string }{
		{"anonymous", "", ""}, {"user 1", "1", ""}, {"user 1 and admin 9", "1", "9"},
	} {
		fmt.Fprintf(&text, "# %s\n%-12s", start.name, "")
		for _, second := range transitions {
			fmt.Fprintf(&text, "| %-18s", second.name)
		}
		text.WriteString("\n")
		for _, first := range transitions {
			fmt.Fprintf(&text, "%-12s", first.name)
			for _, second := range transitions {
				fmt.Fprintf(&text, "| %-18s", run(&browser{t: t, app: app}, start.web, start.admin, first.do, second.do))
			}
			text.WriteString("\n")
		}
		text.WriteString("\n")
	}
	return text.String()
}
