package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/stores"
)

// TestUnreadThenUsed lets a request put a value without loading its session, and use the session
// only after another request has changed it. It has to end like a request that only puts the value.
func TestUnreadThenUsed(t *testing.T) {
	b, _ := unreadApp(t)
	for _, user := range []string{"", "1"} {
		for _, first := range transitions {
			for _, held := range []time.Duration{2 * time.Millisecond, session.SupersededFor + time.Second} {
				t.Run(fmt.Sprintf("user %q, %s, held for %v", user, first.name, held), func(t *testing.T) {
					b.t = t
					var results, cookies [3]string
					for i, use := range []func(*visit){
						func(*visit) {}, func(v *visit) { v.s.Get("k") }, func(v *visit) { _ = v.s.Flush() },
					} {
						b.at(0)
						b.cookie = ""
						b.start(user, "")
						late, other := b.unread(), b.visit()
						if err := late.s.Put("late", "of the old state"); err != nil {
							t.Fatal(err)
						}
						b.at(time.Millisecond)
						if err := errors.Join(first.do(other), other.commit()); err != nil {
							results[i] = outcome(err) + ", "
						}
						b.at(held)
						before := b.cookie
						use(late)
						results[i] += outcome(late.commit())
						cookies[i] = fmt.Sprint(b.cookie == before)
						if i == 2 && strings.HasSuffix(results[i], "ok") && b.visit().s.Has("k") {
							t.Error("the Flush of a request that succeeded was lost")
						}
						b.mayNotLeak(user)
					}
					for i, used := range results[1:] {
						if cookies[i+1] != "true" || results[0] != used && used != "409" {
							t.Errorf("use %d: %s, keeps its cookie: %s; only put: %s", i, used, cookies[i+1], results[0])
						}
					}
				})
			}
		}
	}
}

// TestUnreadThenLogin lets a session end or get another id while a request that has put a value
// checks a password: the login gets a session of its own, without what was put into the former one.
func TestUnreadThenLogin(t *testing.T) {
	for name, change := range map[string]func(*visit) error{
		"ended":  func(v *visit) error { return v.s.Invalidate() },
		"new id": func(v *visit) error { return v.s.Regenerate() },
		"login":  func(v *visit) error { return v.s.LogIn("web", login("2")) },
	} {
		b, _ := unreadApp(t)
		b.start("1", "")
		v, other := b.unread(), b.visit()
		if err := errors.Join(v.s.Put("new", 1), change(other), other.commit()); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(v.s.LogIn("web", login("2")), v.s.Put("newer", 1), v.commit()); err != nil || b.who() != "web2" {
			t.Errorf("%s: error %v, logged in: %s", name, err, b.who())
		}
		if v := b.visit(); v.s.Has("new") || !v.s.Has("newer") {
			t.Errorf("%s: the session has %v", name, v.s.All())
		}
	}
}

// TestUnreadSuperseded lets a request with an id that was replaced moments ago put a value and take
// its time: it does not overwrite the cookie with the new id.
func TestUnreadSuperseded(t *testing.T) {
	b, _ := unreadApp(t)
	b.start("", "")
	late, other := b.unread(), b.visit()
	if err := errors.Join(other.s.LogIn("web", login("1")), other.commit()); err != nil {
		t.Fatal(err)
	}
	b.at(3 * time.Second)
	if err := late.s.Put("late", 1); err != nil {
		t.Fatal(err)
	}
	b.at(session.SupersededFor + time.Second)
	if err := late.commit(); !errors.Is(err, autherr.ErrConflict) || b.who() != "web1" {
		t.Errorf("error %v, logged in: %s", err, b.who())
	}
}

// TestUnreadCookieRemoved removes the cookie from the request after a value was put, as a handler
// does that forwards the request.
func TestUnreadCookieRemoved(t *testing.T) {
	for name, use := range map[string]func(*visit){"only put": func(*visit) {}, "read": func(v *visit) { v.s.Get("k") }} {
		b, _ := unreadApp(t)
		b.start("1", "")
		v := b.unread()
		before := b.cookie
		if err := v.s.Put("new", 1); err != nil {
			t.Fatal(err)
		}
		v.r.HTTP.Header.Del("Cookie")
		use(v)
		if err := v.commit(); err != nil || b.cookie != before || b.visit().s.Get("new") != 1 {
			t.Errorf("%s: error %v, the client has a new session: %v", name, err, b.cookie != before)
		}
	}
}

// TestUnreadFlashSince flashes while a request runs that has put a value: that is for a request that
// begins later. What the request put itself stays.
func TestUnreadFlashSince(t *testing.T) {
	b, _ := unreadApp(t)
	b.start("", "")
	late, other := b.unread(), b.visit()
	if err := errors.Join(late.s.Put("new", 1), late.s.Put("both", 1)); err != nil {
		t.Fatal(err)
	}
	b.at(time.Second)
	if err := errors.Join(other.s.Flash("message", "saved"), other.s.Flash("both", 2), other.commit()); err != nil {
		t.Fatal(err)
	}
	b.at(2 * time.Second)
	if err := late.commit(); err != nil {
		t.Fatal(err)
	}
	v := b.visit()
	if v.s.Get("message") != "saved" || v.s.Get("new") != 1 || v.s.Get("both") != 1 || v.commit() != nil {
		t.Errorf("the next request has %v", v.s.All())
	}
	if v := b.visit(); v.s.Has("message") || v.s.Get("both") != 1 {
		t.Errorf("the request after that has %v", v.s.All())
	}
}

// TestUnreadSlowStore lets the store answer so late that it does not know any more that the session
// was deleted after the value was put.
func TestUnreadSlowStore(t *testing.T) {
	b, counted := unreadApp(t)
	b.start("1", "")
	v := b.unread()
	if err := v.s.Put("new", 1); err != nil {
		t.Fatal(err)
	}
	b.at(session.SupersededFor)
	counted.forgets = func() { b.at(stores.DeletedFor + time.Second) }
	if _, err := counted.Sessions.Delete(t.Context(), strings.Split(b.visit().s.ID(), ".")[0]); err != nil {
		t.Fatal(err)
	}
	before := b.cookie
	if err := v.commit(); !errors.Is(err, autherr.ErrSessionEnded) || b.cookie != before {
		t.Errorf("error %v, the client has a new session: %v", err, b.cookie != before)
	}
}

// TestUnreadClocks logs a guest in on a machine whose clock is fast: on the others the old id is
// worthless at once.
func TestUnreadClocks(t *testing.T) {
	b, _ := unreadApp(t)
	b.start("", "")
	planted := b.cookie
	b.at(3 * time.Minute)
	other := b.visit()
	if err := errors.Join(other.s.LogIn("web", login("1")), other.commit()); err != nil {
		t.Fatal(err)
	}
	b.at(time.Second)
	attacker := &browser{t: t, app: b.app, cookie: planted}
	v := attacker.unread()
	if err := errors.Join(v.s.Put("planted", 1), v.commit()); !errors.Is(err, autherr.ErrConflict) || b.visit().s.Has("planted") {
		t.Errorf("error %v, the session has the value: %v", err, b.visit().s.Has("planted"))
	}
}

// TestUnreadDisconnected ends a session in which a value waits although the client has disconnected.
func TestUnreadDisconnected(t *testing.T) {
	for name, end := range map[string]func(*visit) error{
		"invalidate": func(v *visit) error { return v.s.Invalidate() },
		"logout":     func(v *visit) error { return v.s.LogOut(t.Context(), "web") },
	} {
		b, _ := unreadApp(t)
		b.start("1", "")
		v := b.unread()
		ctx, cancel := context.WithCancel(t.Context())
		v.r.HTTP = v.r.HTTP.WithContext(ctx)
		if err := v.s.Put("new", 1); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := end(v); err != nil || b.who() != "absent" {
			t.Errorf("%s: error %v, the session is %s", name, err, b.who())
		}
	}
}

// TestUnreadEndedBefore puts a value into a session that is not there any more: the request gets 401
// if the session ended while it ran, and else a new one.
func TestUnreadEndedBefore(t *testing.T) {
	for _, c := range []struct {
		name      string
		end       bool
		ago, held time.Duration
		ended     bool
	}{
		{"just now", true, 0, 0, true},
		{"since", true, time.Minute, time.Minute, true},
		{"before", true, 2 * session.SupersededFor, 0, false},
		{"before a slow request", true, 5 * time.Minute, 4 * time.Minute, false},
		{"never there", false, 0, 0, false},
		{"never there, in a slow request", false, 0, 8 * time.Minute, false},
		{"not known any more", false, 0, stores.DeletedFor, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, counted := unreadApp(t)
			b.start("", "")
			if !c.end {
				cookie := b.cookie
				b, counted = unreadApp(t) // another server
				b.cookie = cookie
			}
			v := b.unread()
			if err := v.s.Put("new", 1); err != nil {
				t.Fatal(err)
			}
			if c.end {
				if _, err := counted.Sessions.Delete(t.Context(), strings.Split(b.visit().s.ID(), ".")[0]); err != nil {
					t.Fatal(err)
				}
			}
			counted.ago = c.ago
			b.at(c.held)
			before := b.cookie
			err := v.commit()
			if c.ended != errors.Is(err, autherr.ErrSessionEnded) || c.ended != (b.cookie == before) || !c.ended && err != nil {
				t.Errorf("error %v, a new session: %v; want 401: %v", err, b.cookie != before, c.ended)
			}
		})
	}
}
