package session_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/internal/testbackends"
)

var slot = session.NewSlot("test", "step")

// fill puts a value of each kind into the session.
func fill(t *testing.T, v *visit, key string) {
	t.Helper()
	if err := errors.Join(
		v.s.Put(key, "put"), v.s.Flash(key+" flashed", "flash"), v.s.Now(key+" now", "now"), v.s.PutSlot(slot, []byte(key)),
	); err != nil {
		t.Fatal(err)
	}
}

// has checks the application's values that a request sees, and that of the slot.
func has(t *testing.T, v *visit, step string, keys ...string) {
	t.Helper()
	all := v.s.All()
	for _, key := range keys {
		if _, ok := all[key]; !ok {
			t.Errorf("the session has no value %q", key)
		}
	}
	if len(all) != len(keys) || string(v.s.Slot(slot)) != step {
		t.Errorf("the session has %v and %q in the slot, want %q and %q", all, v.s.Slot(slot), keys, step)
	}
}

// TestLoginOfAnotherUser checks that nothing of the former user is left, neither for the rest of
// the request nor for later ones.
func TestLoginOfAnotherUser(t *testing.T) {
	for _, backend := range []testbackends.Backend{testbackends.Memory(t), testbackends.Cookie(t)} {
		b := &browser{t: t, app: newApplication(backend.Set)}
		b.start("1", "9")
		v := b.visit()
		fill(t, v, "former")
		if err := v.commit(); err != nil {
			t.Fatal(err)
		}

		v = b.visit()
		has(t, v, "former", "k", "former", "former flashed")
		fill(t, v, "this request")
		large := strings.Repeat("x", 1500) // two of them do not fit into a cookie
		if err := errors.Join(v.s.Keep("former flashed"), v.s.Put("large", large), v.s.LogIn("web", login("2"))); err != nil {
			t.Fatal(err)
		}
		has(t, v, "")
		fill(t, v, "next")
		if err := errors.Join(v.s.Reflash(), v.s.Put("k", large)); err != nil {
			t.Fatal(err)
		}
		has(t, v, "next", "k", "next", "next flashed", "next now")
		if err := v.commit(); err != nil {
			t.Fatal(err)
		}

		v = b.visit()
		has(t, v, "next", "k", "next", "next flashed")
		if err := v.s.Forget("next"); err != nil {
			t.Fatal(err)
		}
		if err := v.commit(); err != nil {
			t.Fatal(err)
		}
		has(t, b.visit(), "next", "k")
		if who := b.who(); who != "web2 admin9" {
			t.Errorf("%s is logged in", who)
		}
	}
}

// TestFlushForgetsFlashMarks checks that a value put after a Flush is not taken for the flashed
// value that had the same key.
func TestFlushForgetsFlashMarks(t *testing.T) {
	for name, before := range map[string]func(v *visit) error{
		"flashed before":          func(v *visit) error { return nil },
		"kept":                    func(v *visit) error { return v.s.Keep("k") },
		"flashed again":           func(v *visit) error { return v.s.Flash("k", "x") },
		"forgotten, then flushed": func(v *visit) error { return v.s.Forget("k") },
	} {
		b := &browser{t: t, app: newApplication(testbackends.Memory(t).Set)}
		v := b.visit()
		if err := errors.Join(v.s.Flash("k", "flash"), v.s.PutSlot(slot, []byte("slot")), v.commit()); err != nil {
			t.Fatal(err)
		}
		v = b.visit()
		if err := errors.Join(before(v), v.s.Flush()); err != nil {
			t.Fatal(err)
		}
		has(t, v, "slot")
		if err := errors.Join(v.s.Put("k", "put"), v.commit()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			v = b.visit()
			if v.s.Get("k") != "put" {
				t.Errorf("%s: the value is %v", name, v.s.Get("k"))
			}
			if err := errors.Join(v.s.Put("other", 1), v.commit()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
