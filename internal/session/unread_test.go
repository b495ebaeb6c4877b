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
	"github.com/ginauth/ginauth/internal/testbackends"
	"github.com/ginauth/ginauth/stores"
)

// countedSessions counts the calls of a store that writes sessions unread.
type countedSessions struct {
	stores.SessionLimit
	stores.Sessions
	calls []string
	fault error
	// forgets is called before an answer that a row does not exist.
	forgets func()
	ago     time.Duration // since what was deleted just now
}

func (c *countedSessions) called(name string) { c.calls = append(c.calls, name) }

func (c *countedSessions) Load(ctx context.Context, row string) (stores.Session, bool, error) {
	c.called("load")
	return c.Sessions.Load(ctx, row)
}

func (c *countedSessions) Create(ctx context.Context, s stores.Session) error {
	c.called("create")
	return c.Sessions.Create(ctx, s)
}

func (c *countedSessions) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	c.called("update")
	return c.Sessions.Update(ctx, row, d)
}

func (c *countedSessions) Write(ctx context.Context, row string, w stores.Write) (stores.Written, error) {
	c.called("write")
	if c.fault != nil {
		return stores.Written{}, c.fault
	}
	got, err := c.Sessions.(stores.SessionWriter).Write(ctx, row, w)
	if c.forgets != nil && !got.Done && !got.Found {
		c.forgets()
		got.Deleted = false
	}
	got.Ago += c.ago
	return got, err
}

// unreadApp returns an application with one guard on a store that writes sessions unread.
func unreadApp(t *testing.T) (*browser, *countedSessions) {
	set := testbackends.Redis(t).Set
	counted := &countedSessions{Sessions: set.Sessions, SessionLimit: set.Sessions.(stores.SessionLimit)}
	set.Sessions = counted
	return &browser{t: t, app: newApplicationOf(set, map[string]string{"web": "users"})}, counted
}

// at moves the time of the application.
func (b *browser) at(d time.Duration) { b.app.env.Now = func() time.Time { return began.Add(d) } }

// TestUnreadAgainstLoaded lets a request put a value without loading its session, and another one
// change the session before it commits. Each pair has to end like that of a request that loaded
// the session when it put the value. But who was logged in then is not known, so that the request
// may have to be repeated: after a login of another user, and if it was held until the id changed.
func TestUnreadAgainstLoaded(t *testing.T) {
	b, counted := unreadApp(t)
	for _, user := range []string{"", "1"} {
		for _, first := range transitions {
			for _, held := range []time.Duration{2 * time.Millisecond, session.SupersededFor + time.Second} {
				t.Run(fmt.Sprintf("user %q, %s, held for %v", user, first.name, held), func(t *testing.T) {
					b.t = t
					var results [2]string
					var after [2]string
					for i, begin := range []func() *visit{b.visit, b.unread} {
						b.at(0)
						b.cookie = ""
						b.start(user, "")
						late, other := begin(), b.visit()
						if err := late.s.Put("late", "of the old state"); err != nil {
							t.Fatal(err)
						}
						b.at(time.Millisecond)
						err := first.do(other)
						if committed := other.commit(); err == nil {
							err = committed
						}
						results[i] = outcome(err) + ", "
						b.at(held)
						counted.calls = nil
						results[i] += outcome(late.commit())
						if i == 1 && counted.calls[0] != "write" {
							t.Errorf("the commit calls %v", counted.calls)
						}
						b.mayNotLeak(user)
						after[i] = b.who()
						results[i] += fmt.Sprint(", late: ", b.visit().s.Has("late"))
					}
					conflict := (held > session.SupersededFor || first.name == "login of 2") && results[1] == "ok, 409, late: false"
					if after[0] != after[1] || results[0] != results[1] && !conflict {
						t.Errorf("unread: %s, %s\nloaded: %s, %s", results[1], after[1], results[0], after[0])
					}
				})
			}
		}
	}
}

// TestUnread puts values without loading the session.
func TestUnread(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration // since the session was stored
		do    func(*visit) error
		err   error
		calls string
		value any // of "new" afterwards
	}{
		{"put", 0, put("new", 1), nil, "write", 1},
		{"put twice", 0, func(v *visit) error { return errors.Join(put("new", 1)(v), put("new", 2)(v)) }, nil, "write", 2},
		{"put again what is there", time.Hour - time.Second, put("new", 1), nil, "write", 1},
		{"then read", 0, func(v *visit) error {
			err := v.s.Put("new", 1)
			if v.s.Get("new") != 1 || v.s.Get("k") != "v" {
				err = errors.New("the session does not have what was put")
			}
			return err
		}, nil, "write update", 1},
		{"then this request's own", 0, func(v *visit) error {
			err := errors.Join(v.s.Now("new", 3), v.s.Put("new", 1), v.s.Now("new", 2))
			if v.s.Get("new") != 2 {
				err = errors.New("a value of Now is hidden")
			}
			return err
		}, nil, "write update", 1},
		{"after this request's own", 0, func(v *visit) error {
			err := errors.Join(v.s.Now("new", 3), v.s.Put("new", 1))
			if v.s.Get("new") != 1 {
				err = errors.New("a value of Now hides what was put later")
			}
			return err
		}, nil, "write update", 1},
		{"same key often", 0, func(v *visit) (err error) {
			for range 4 {
				err = errors.Join(err, v.s.Put("new", strings.Repeat("x", 3000)))
			}
			return err
		}, nil, "write", strings.Repeat("x", 3000)},
		{"with flash in a cookie", 0, func(v *visit) error {
			v.r.HTTP.Header.Set("Cookie", v.r.HTTP.Header.Get("Cookie")+"; "+v.b.app.cookie.Name+"_flash=x")
			return v.s.Put("new", 1)
		}, nil, "load update", 1},
		{"then removed", 0, func(v *visit) error { return errors.Join(v.s.Put("new", 1), v.s.Forget("new")) }, nil, "write", nil},
		{"then a new id", 0, func(v *visit) error { return errors.Join(v.s.Put("new", 1), v.s.Regenerate()) }, nil, "write update", 1},
		{"idle", time.Hour, put("new", 1), nil, "write create", 1},
		{"large", 0, put("new", strings.Repeat("x", 5000)), nil, "load update", strings.Repeat("x", 5000)},
		{"too large", 0, put("new", strings.Repeat("x", stores.MaxValues)), autherr.ErrInvalidInput, "load", nil},
		{"reserved", 0, put("_ginauth.x", 1), autherr.ErrInvalidInput, "", nil},
		{"many small", 0, func(v *visit) (err error) {
			for i := range 100 {
				err = errors.Join(err, v.s.Put(fmt.Sprint("new", i), strings.Repeat("x", 100)))
			}
			return errors.Join(err, v.s.Put("new", 1))
		}, nil, "write update", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, counted := unreadApp(t)
			b.start("1", "")
			b.at(c.after)
			v := b.unread()
			counted.calls = nil
			err := errors.Join(c.do(v), v.commit())
			if got := strings.Join(counted.calls, " "); !errors.Is(err, c.err) || got != c.calls {
				t.Errorf("error %v after %q, want %v after %q", err, got, c.err, c.calls)
			}
			if got := b.visit().s.Get("new"); got != c.value {
				t.Errorf("the session has %.20v, want %.20v", got, c.value)
			}
			if got := v.s.Get("new"); c.err == nil && c.value != nil && got == nil {
				t.Error("the request has no value after its commit")
			}
		})
	}
}

func put(key string, value any) func(*visit) error {
	return func(v *visit) error { return v.s.Put(key, value) }
}

// TestUnreadAbsoluteTimeout puts a value into a session whose login began before its absolute
// timeout: the session is not prolonged.
func TestUnreadAbsoluteTimeout(t *testing.T) {
	b, counted := unreadApp(t)
	b.start("1", "")
	for hour := range 24 {
		b.at(time.Duration(hour)*time.Hour + time.Minute*time.Duration(hour))
	}
	for m := time.Duration(0); m < 24*time.Hour; m += 50 * time.Minute {
		b.at(m)
		v := b.unread()
		if err := errors.Join(v.s.Put("new", 1), v.commit()); err != nil {
			t.Fatal(err)
		}
	}
	b.at(24 * time.Hour)
	v := b.unread()
	before := b.cookie
	counted.calls = nil
	if err := errors.Join(v.s.Put("newer", 1), v.commit()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(counted.calls, " "); got != "write create" || b.cookie == before {
		t.Errorf("the commit calls %q, and the client has a new session: %v", got, b.cookie != before)
	}
	if b.who() != "anonymous" || b.visit().s.Has("new") {
		t.Errorf("the session after the timeout: %s, with old values: %v", b.who(), b.visit().s.Has("new"))
	}
}

// TestUnreadFlash ages what was flashed to a request that only puts a value.
func TestUnreadFlash(t *testing.T) {
	b, counted := unreadApp(t)
	b.start("", "")
	v := b.visit()
	if err := errors.Join(v.s.Flash("message", "saved"), v.commit()); err != nil {
		t.Fatal(err)
	}
	counted.calls = nil
	v = b.unread()
	if err := errors.Join(v.s.Put("new", 1), v.commit()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(counted.calls, " "); got != "write update" {
		t.Errorf("the commit calls %q, want a write that returns the row, and an update", got)
	}
	if v := b.visit(); v.s.Has("message") || v.s.Get("new") != 1 || v.s.Get("k") != "v" {
		t.Errorf("the next request has %v", v.s.All())
	}
}

// TestUnreadFull puts a value into a session that has no room for it.
func TestUnreadFull(t *testing.T) {
	b, _ := unreadApp(t)
	v := b.visit()
	for i := range stores.MaxKeys {
		if err := v.s.Put(fmt.Sprint("key", i), i); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.commit(); err != nil {
		t.Fatal(err)
	}
	v = b.unread()
	if err := v.s.Put("key7", "changed"); err != nil {
		t.Fatal(err)
	}
	if err := v.commit(); err != nil {
		t.Errorf("a changed value: %v", err)
	}
	v = b.unread()
	if err := errors.Join(v.s.Put("one more", 1), v.commit()); !errors.Is(err, autherr.ErrInvalidInput) ||
		!strings.Contains(err.Error(), `"one more"`) {
		t.Errorf("one key too many: %v", err)
	}
	if v := b.visit(); len(v.s.All()) != stores.MaxKeys || v.s.Get("key7") != "changed" {
		t.Errorf("the session has %d keys", len(v.s.All()))
	}
}

// TestUnreadFault makes the write fail: the request fails, and says that it changed something.
func TestUnreadFault(t *testing.T) {
	b, counted := unreadApp(t)
	b.start("1", "")
	counted.fault = errors.New("down")
	v := b.unread()
	if err := errors.Join(v.s.Put("new", 1), v.commit()); !errors.Is(err, autherr.ErrUnavailable) || !v.s.Unsaved() {
		t.Errorf("error %v, unsaved: %v", err, v.s.Unsaved())
	}
	counted.fault = nil
	if b.visit().s.Has("new") {
		t.Error("a failed write was stored")
	}
}

// TestUnreadDiscarded discards a value that waits.
func TestUnreadDiscarded(t *testing.T) {
	b, counted := unreadApp(t)
	b.start("1", "")
	v := b.unread()
	counted.calls = nil
	if err := v.s.Put("new", 1); err != nil || !v.s.Pending() || !v.s.Discard() || v.commit() != nil {
		t.Errorf("Put: %v; a value that waits does not count", err)
	}
	if len(counted.calls) > 0 || b.visit().s.Has("new") {
		t.Errorf("a discarded value was stored by %v", counted.calls)
	}
}

// TestUnreadOfGuards puts a value where several guards keep logins: it belongs to those who are
// logged in, so the session is loaded.
func TestUnreadOfGuards(t *testing.T) {
	b, counted := unreadApp(t)
	b.app = newApplication(stores.Set{Sessions: counted})
	b.start("1", "9")
	counted.calls = nil
	v := b.unread()
	if err := errors.Join(v.s.Put("new", 1), v.commit()); err != nil || strings.Join(counted.calls, " ") != "load update" {
		t.Errorf("error %v after %v", err, counted.calls)
	}
	v = b.visit()
	if err := errors.Join(v.s.LogOut(context.Background(), "admin"), v.commit()); err != nil {
		t.Fatal(err)
	}
	if b.visit().s.Has("new") {
		t.Error("a value outlived one of those it belongs to")
	}
}

// TestUnreadStates puts values in states of a request in which they may not be put, or are not
// waiting any more.
func TestUnreadStates(t *testing.T) {
	b, _ := unreadApp(t)
	b.start("1", "")
	v := b.unread()
	failed := errors.New("failed")
	if v.s.Fail(failed); !errors.Is(v.s.Put("new", 1), failed) {
		t.Error("Put succeeds in a session that failed")
	}

	v = b.unread()
	err := v.s.Put("new", 1)
	if change, failed := v.s.Commit(t.Context()); errors.Join(err, failed) != nil || !change.Consulted {
		t.Errorf("error %v, the response depends on the session: %v", failed, change.Consulted)
	}
	if err := v.s.Put("new", 2); !errors.Is(err, autherr.ErrCommitted) {
		t.Errorf("Put after the commit: %v", err)
	}

	v = b.unread()
	if err := errors.Join(v.s.Put("newer", 1), v.s.Forget("newer")); err != nil || v.s.Pending() {
		t.Errorf("error %v, a value that was removed waits: %v", err, v.s.Pending())
	}

	for after, needed := range map[time.Duration]bool{0: false, time.Hour: true} {
		b.at(after)
		v = b.unread()
		if err := v.s.Put("new", 1); err != nil || v.s.NeedsCookie() != needed {
			t.Errorf("after %v: error %v, a new id is needed: %v", after, err, !needed)
		}
	}
}

// TestUnreadFirstPut changes the id between two values of a request: the first counts.
func TestUnreadFirstPut(t *testing.T) {
	b, _ := unreadApp(t)
	b.start("1", "")
	late, other := b.unread(), b.visit()
	err := late.s.Put("first", 1)
	b.at(time.Millisecond)
	err = errors.Join(err, other.s.Regenerate(), other.commit())
	b.at(2 * time.Millisecond)
	if err := errors.Join(err, late.s.Put("second", 1), late.commit()); err != nil || len(b.visit().s.All()) != 3 {
		t.Errorf("error %v, the session has %v", err, b.visit().s.All())
	}
}

// TestUnreadNewSession puts a value with an id that opens nothing: the value gets a session.
func TestUnreadNewSession(t *testing.T) {
	for name, id := range map[string]func(b *browser) string{
		"never existed": func(*browser) string { return strings.Repeat("A", 64) },
		"replaced long ago": func(b *browser) string {
			b.start("1", "")
			old, v := b.cookie, b.visit()
			if err := errors.Join(v.s.Regenerate(), v.commit()); err != nil {
				t.Fatal(err)
			}
			return old
		},
	} {
		b, counted := unreadApp(t)
		b.cookie = id(b)
		before := b.cookie
		b.at(session.SupersededFor)
		v := b.unread()
		counted.calls = nil
		err := errors.Join(v.s.Put("new", 1), v.commit())
		if got := strings.Join(counted.calls, " "); err != nil || got != "write create" || b.cookie == before {
			t.Errorf("%s: error %v after %q", name, err, got)
		}
	}
}

// TestUnreadRoom leaves room in a session for parallel requests.
func TestUnreadRoom(t *testing.T) {
	b, _ := unreadApp(t)
	v := b.visit()
	if err := errors.Join(v.s.Put("large", strings.Repeat("x", stores.MaxValues-18*1024)), v.commit()); err != nil {
		t.Fatal(err)
	}
	v = b.unread()
	if err := errors.Join(v.s.Put("new", strings.Repeat("x", 4000)), v.commit()); !errors.Is(err, autherr.ErrInvalidInput) {
		t.Errorf("error %v", err)
	}
}

// TestUnreadKeepFlash keeps what was flashed to a request that only puts a value.
func TestUnreadKeepFlash(t *testing.T) {
	b, _ := unreadApp(t)
	b.start("", "")
	v := b.visit()
	err := errors.Join(v.s.Flash("message", "saved"), v.commit())
	v = b.unread()
	err = errors.Join(err, v.s.Put("new", 1))
	v.s.KeepFlash()
	if err := errors.Join(err, v.commit()); err != nil || !b.visit().s.Has("message") {
		t.Errorf("error %v, the next request has %v", err, b.visit().s.All())
	}
}

// TestUnreadInvalidated ends a session in which a value waits, and which has ended already.
func TestUnreadInvalidated(t *testing.T) {
	b, _ := unreadApp(t)
	for _, again := range []bool{false, true} {
		b.start("1", "")
		v, other := b.unread(), b.visit()
		before := b.cookie
		err := errors.Join(v.s.Put("new", 1), other.s.Invalidate(), other.commit())
		b.cookie = before
		err = errors.Join(err, v.s.Invalidate())
		if again {
			err = errors.Join(err, v.s.Put("newer", 1))
		}
		if err := errors.Join(err, v.commit()); err != nil || (b.cookie == "") == again || b.cookie == before {
			t.Errorf("error %v, the client has a session: %v", err, b.cookie != "")
		}
		if all := b.visit().s.All(); all["new"] != nil || (all["newer"] != nil) != again {
			t.Errorf("the session has %v", all)
		}
		b.cookie = ""
	}
}
