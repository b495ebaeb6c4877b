package session_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/testbackends"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/stores"
)

// keyNames returns n names of keys.
func keyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("k%06d", i)
	}
	return names
}

// TestWorkOfARequestGrowsLinearly fills a session in every way that a request can.
func TestWorkOfARequestGrowsLinearly(t *testing.T) {
	const n = 128
	each := func(do func(v *visit, key string) error) func(*visit, []string) error {
		return func(v *visit, keys []string) error {
			for _, key := range keys {
				if err := do(v, key); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for name, test := range map[string]struct {
		stored bool // the session has the keys already
		n      int
		do     func(v *visit, keys []string) error
	}{
		"put":           {false, n, each(func(v *visit, key string) error { return v.s.Put(key, true) })},
		"put again":     {true, n, each(func(v *visit, key string) error { return v.s.Put(key, true) })},
		"flash":         {false, n, each(func(v *visit, key string) error { return v.s.Flash(key, true) })},
		"flash again":   {true, n, each(func(v *visit, key string) error { return v.s.Flash(key, true) })},
		"now":           {false, n, each(func(v *visit, key string) error { return v.s.Now(key, true) })},
		"increment":     {false, n, each(func(v *visit, key string) error { _, err := v.s.Increment(key, 1); return err })},
		"forget one":    {true, n, each(func(v *visit, key string) error { return v.s.Forget(key) })},
		"forget all":    {true, n, func(v *visit, keys []string) error { return v.s.Forget(keys...) }},
		"keep":          {true, n, each(func(v *visit, key string) error { return v.s.Keep(key) })},
		"reflash":       {true, n, func(v *visit, _ []string) error { return v.s.Reflash() }},
		"all":           {true, n, func(v *visit, _ []string) error { v.s.All(); return nil }},
		"get":           {true, n, each(func(v *visit, key string) error { v.s.Get(key); return nil })},
		"flush":         {true, n, func(v *visit, _ []string) error { return v.s.Flush() }},
		"put and flush": {false, n, func(v *visit, keys []string) error { return errors.Join(v.s.Put(keys[0], 1), v.s.Flush()) }},
		"push":          {false, 16 * n, each(func(v *visit, _ string) error { return v.s.Push("list", 1) })},
	} {
		t.Run(name, func(t *testing.T) {
			testsize.Linear(t, test.n, func(n int) func() {
				b := &browser{t: t, app: newApplication(testbackends.Memory(t).Set)}
				keys := keyNames(n)
				if test.stored {
					v := b.visit()
					for _, key := range keys[1:] {
						if err := v.s.Flash(key, false); err != nil {
							t.Fatal(err)
						}
					}
					// Flash alone would be in a cookie.
					if err := errors.Join(v.s.Put(keys[0], true), v.commit()); err != nil {
						t.Fatal(err)
					}
				}
				v := b.visit()
				return func() {
					if err := errors.Join(test.do(v, keys), v.commit()); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// TestFlushOfManyStoredKeys empties a session that parallel requests, or an earlier version,
// filled with more keys than one request can. The merge of the delta is part of it.
func TestFlushOfManyStoredKeys(t *testing.T) {
	testbackends.Each(t, func(t *testing.T, backend testbackends.Backend) {
		if backend.Set.ClientSessions != nil {
			t.Skip("a cookie has no room for many keys")
		}
		testsize.Linear(t, 1024, func(n int) func() {
			b := &browser{t: t, app: newApplication(backend.Set)}
			b.overfill(n)
			v := b.visit()
			return func() {
				if err := errors.Join(v.s.Flush(), v.commit()); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
}

// overfill makes a session with n keys, by as many parallel requests as it takes.
func (b *browser) overfill(n int) {
	b.t.Helper()
	b.start("1", "")
	var visits []*visit
	for keys := range slices.Chunk(keyNames(n), stores.MaxKeys-1) {
		v := b.visit()
		for _, key := range keys {
			if err := v.s.Put(key, true); err != nil {
				b.t.Fatal(err)
			}
		}
		visits = append(visits, v)
	}
	for _, v := range visits {
		if err := v.commit(); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestNumberOfKeysIsLimited checks the call that would exceed MaxKeys, and that nothing is lost
// by it.
func TestNumberOfKeysIsLimited(t *testing.T) {
	b := &browser{t: t, app: newApplication(testbackends.Memory(t).Set)}
	v := b.visit()
	keys := keyNames(stores.MaxKeys)
	for i, key := range keys {
		put := v.s.Put
		if i%2 == 1 {
			put = v.s.Flash
		}
		if err := put(key, i); err != nil {
			t.Fatalf("key %d: %v", i, err)
		}
	}
	refused := func(v *visit) {
		t.Helper()
		_, increment := v.s.Increment("one more", 1)
		for _, err := range []error{
			v.s.Put("one more", 1), v.s.Flash("one more", 1), v.s.Push("one more", 1), increment,
		} {
			if !errors.Is(err, autherr.ErrInvalidInput) || !strings.Contains(err.Error(), `"one more"`) ||
				!strings.Contains(err.Error(), "1024 keys") {
				t.Errorf("one key more: %v", err)
			}
		}
		if v.s.Has("one more") || len(v.s.All()) != stores.MaxKeys {
			t.Errorf("the session has %d keys", len(v.s.All()))
		}
	}
	refused(v)
	if err := errors.Join(v.s.PutSlot(slot, []byte("of a feature")), v.commit()); err != nil {
		t.Fatal(err)
	}

	v = b.visit()
	refused(v)
	if err := errors.Join(v.s.Reflash(), v.s.Put(keys[0], "other"), v.s.Forget(keys[2]), v.s.Put("one more", 1), v.commit()); err != nil {
		t.Fatal(err)
	}
	v = b.visit()
	if v.s.Get(keys[0]) != "other" || v.s.Has(keys[2]) || v.s.Get("one more") != 1 || len(v.s.All()) != stores.MaxKeys {
		t.Errorf("after a change the session has %d keys", len(v.s.All()))
	}
	if err := v.s.LogIn("web", login("1")); err != nil {
		t.Errorf("login into a full session: %v", err)
	}
	if err := errors.Join(v.s.Flush(), v.s.Put("one more", 2), v.commit()); err != nil {
		t.Fatal(err)
	}
	if v = b.visit(); len(v.s.All()) != 1 || string(v.s.Slot(slot)) != "of a feature" {
		t.Errorf("after a Flush the session has %d keys", len(v.s.All()))
	}
}

// TestNumberOfValuesForOneRequestIsLimited is about Now, which stores nothing.
func TestNumberOfValuesForOneRequestIsLimited(t *testing.T) {
	b := &browser{t: t, app: newApplication(testbackends.Memory(t).Set)}
	v := b.visit()
	for _, key := range keyNames(stores.MaxKeys) {
		if err := v.s.Now(key, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.s.Now("one more", 1); !errors.Is(err, autherr.ErrInvalidInput) {
		t.Errorf("one value more: %v", err)
	}
	if err := v.s.Now("k000000", 2); err != nil || v.s.Get("k000000") != 2 {
		t.Errorf("a value again: %v", err)
	}
}

// TestOverfullSessionShrinks checks a session that has more keys than one request can put.
func TestOverfullSessionShrinks(t *testing.T) {
	b := &browser{t: t, app: newApplication(testbackends.Memory(t).Set)}
	b.overfill(3 * stores.MaxKeys)
	v := b.visit()
	if err := v.s.Put("k000000", "again"); err != nil {
		t.Error(err)
	}
	if err := v.s.Put("new", 1); !errors.Is(err, autherr.ErrInvalidInput) {
		t.Errorf("a new key: %v", err)
	}
	if err := errors.Join(v.s.Flush(), v.s.Put("new", 1), v.commit()); err != nil {
		t.Fatal(err)
	}
	if v = b.visit(); len(v.s.All()) != 1 {
		t.Errorf("%d keys are left", len(v.s.All()))
	}
}

// TestSizeIsExact fills a session to its last byte, in several orders of changes.
func TestSizeIsExact(t *testing.T) {
	const room = stores.MaxValues - 16<<10
	// A byte each for the version, the lengths and the type, two more for the length of the value.
	largest := strings.Repeat("x", room-1-len("k")-1-3-1)
	b := &browser{t: t, app: newApplication(testbackends.Memory(t).Set)}
	for name, before := range map[string]func(v *visit) error{
		"new":             func(*visit) error { return nil },
		"after a put":     func(v *visit) error { return v.s.Put("k", "before") },
		"after a removal": func(v *visit) error { return errors.Join(v.s.Put("other", 1), v.s.Forget("other")) },
		"after a flush":   func(v *visit) error { return errors.Join(v.s.Flash("other", 1), v.s.Flush()) },
		"committed":       func(v *visit) error { return errors.Join(v.s.Flash("other", 1), v.commit()) },
	} {
		v := b.visit()
		if err := before(v); err != nil {
			t.Fatal(name, err)
		}
		if name == "committed" {
			v = b.visit()
			if err := v.s.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.s.Put("k", largest+"x"); !errors.Is(err, autherr.ErrInvalidInput) {
			t.Errorf("%s: one byte too many: %v", name, err)
		}
		if err := v.s.Put("k", largest); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := errors.Join(v.s.Forget("k"), v.commit()); err != nil {
			t.Fatal(name, err)
		}
	}
}

// TestPushKeepsTheListOfAnyValue checks which values Push takes for a list.
func TestPushKeepsTheListOfAnyValue(t *testing.T) {
	b := &browser{t: t, app: newApplication(testbackends.Memory(t).Set)}
	v := b.visit()
	for _, c := range []struct {
		name   string
		before any // not put if it is nil
		want   string
	}{
		{"nothing", nil, `["x"]`},
		{"empty list", []int{}, `["x"]`},
		{"nil list", []int(nil), `["x"]`},
		{"list", []any{1, "two"}, `[1,"two","x"]`},
		{"nested list", [][]int{{1}, {}}, `[[1],[],"x"]`},
		{"text", "[]", ""},
		{"number", 1, ""},
		{"object", map[string]int{"a": 1}, ""},
		{"bytes", []byte("[]"), ""},
	} {
		if c.before != nil {
			if err := v.s.Put("k", c.before); err != nil {
				t.Fatal(err)
			}
		}
		err := v.s.Push("k", "x")
		if got := fmt.Sprintf("%s", v.s.Get("k")); c.want != "" && (err != nil || got != c.want) {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
		if c.want == "" && (!errors.Is(err, autherr.ErrInvalidInput) || fmt.Sprint(v.s.Get("k")) != fmt.Sprint(c.before) && c.name != "object") {
			t.Errorf("%s: %v, %v", c.name, err, v.s.Get("k"))
		}
		if err := v.s.Forget("k"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLogoutOfOneGuardMakesRoom logs one of two guards out, and fills in the same request the room
// that its values took.
func TestLogoutOfOneGuardMakesRoom(t *testing.T) {
	b := &browser{t: t, app: newApplication(testbackends.Memory(t).Set)}
	b.start("1", "9")
	large := strings.Repeat("x", stores.MaxValues*2/3)
	v := b.visit()
	if err := errors.Join(v.s.Put("first", large), v.commit()); err != nil {
		t.Fatal(err)
	}
	v = b.visit()
	err := errors.Join(v.s.Put("unsaved", 1), v.s.LogOut(t.Context(), "web"), v.s.Put("second", large), v.commit())
	if err != nil {
		t.Fatal(err)
	}
	v = b.visit()
	if v.s.Has("first") || v.s.Has("unsaved") || !v.s.Has("second") {
		t.Errorf("the session has first %v, unsaved %v, second %v", v.s.Has("first"), v.s.Has("unsaved"), v.s.Has("second"))
	}
}
