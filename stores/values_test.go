package stores_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/stores"
)

func TestValues(t *testing.T) {
	v := stores.NewValues(map[string][]byte{"b": []byte("2"), "a": nil, "c": bytes.Repeat([]byte("x"), 300)})
	if v.Len() != 3 {
		t.Fatalf("%d keys", v.Len())
	}
	for key, want := range map[string]string{"a": "", "b": "2", "c": strings.Repeat("x", 300)} {
		if got, ok := v.Get(key); !ok || got != want {
			t.Errorf("%s: %q %v", key, got, ok)
		}
	}
	if _, ok := v.Get("bb"); ok {
		t.Error("found what is not there")
	}
	w := v.With(stores.Delta{Set: map[string][]byte{"b": []byte("3"), "aa": []byte("4"), "z": []byte("5")}, Remove: []string{"a", "nothing"}})
	if got := maps.Collect(w.All()); len(got) != 4 || got["aa"] != "4" || got["b"] != "3" || got["z"] != "5" {
		t.Errorf("changed: %v", got)
	}
	for _, d := range []stores.Delta{{}, {Set: map[string][]byte{"b": make([]byte, 200), "new": nil}, Remove: []string{"a", "x"}}, {Remove: []string{"a", "b", "c"}}, {Clear: true}, {Clear: true, Set: map[string][]byte{"b": nil}, Remove: []string{"a"}}} {
		if got, want := v.SizeWith(d), v.With(d).Size(); got != want {
			t.Errorf("SizeWith says %d, With makes %d", got, want)
		}
	}
	if got, _ := v.Get("b"); got != "2" {
		t.Error("the original changed")
	}
	if got := maps.Collect(w.With(stores.Delta{Clear: true, Set: map[string][]byte{"b": nil}}).All()); len(got) != 1 || got["b"] != "" {
		t.Errorf("cleared: %v", got)
	}
	if w.With(stores.Delta{Clear: true}) != (stores.Values{}) {
		t.Error("a cleared set is not empty")
	}
	if empty := w.With(stores.Delta{Remove: []string{"aa", "b", "c", "z"}}); empty.Len() != 0 || empty.Encoded() != nil && len(empty.Encoded()) > 0 {
		t.Error("a set without keys is not empty")
	}
	if text := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(text, "xxx") {
		t.Errorf("the values print as %s", text)
	}
}

// TestValuesLikeMap applies random changes to a set and to a map and compares both.
func TestValuesLikeMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	key := func() string { return strings.Repeat("k", random.IntN(3)) + strconv.Itoa(random.IntN(12)) }
	values, want := stores.Values{}, map[string]string{}
	for range 5000 {
		d := stores.Delta{Set: make(map[string][]byte)}
		for range random.IntN(4) {
			d.Set[key()] = bytes.Repeat([]byte("v"), random.IntN(200))
		}
		for range random.IntN(12) { // may repeat a key, or name one of d.Set, which stays
			d.Remove = append(d.Remove, key())
		}
		for _, k := range d.Remove {
			delete(want, k)
		}
		if d.Clear = random.IntN(20) == 0; d.Clear {
			clear(want)
		}
		for k, v := range d.Set {
			want[k] = string(v)
		}
		size := values.SizeWith(d)
		values = values.With(d)
		if got := maps.Collect(values.All()); !maps.Equal(got, want) || values.Size() != size {
			t.Fatalf("%d keys of %d bytes, want %d of %d", len(got), values.Size(), len(want), size)
		}
		again, err := stores.ParseValues(values.Encoded())
		if err != nil || again != values {
			t.Fatalf("parsed %v, %v", again, err)
		}
	}
}

func TestParseValuesRefuses(t *testing.T) {
	for name, data := range map[string][]byte{
		"version":              {2},
		"cut key":              {1, 5, 'a'},
		"no value":             {1, 1, 'a'},
		"descending":           {1, 1, 'b', 0, 1, 'a', 0},
		"twice":                {1, 1, 'a', 0, 1, 'a', 0},
		"long form of length":  {1, 0x81, 0x00, 'a', 0},
		"length over the end":  {1, 0xff, 0xff, 0xff, 0xff, 0x0f, 'a'},
		"length that overflow": {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"too large":            append([]byte{1}, make([]byte, stores.MaxValues)...),
	} {
		if _, err := stores.ParseValues(data); !errors.Is(err, stores.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidKey(t *testing.T) {
	for _, key := range []string{"", strings.Repeat("x", 256), "a\nb", "a\x00"} {
		if stores.ValidKey(key) == nil {
			t.Errorf("%.20q is accepted", key)
		}
	}
	if err := stores.ValidKey("cart.items é"); err != nil {
		t.Error(err)
	}
}

// FuzzParseValues checks that every set has exactly one encoding, and that no input
// makes ParseValues panic.
func FuzzParseValues(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add(stores.NewValues(map[string][]byte{"a": []byte("1"), "key": bytes.Repeat([]byte{0}, 200)}).Encoded())
	f.Add([]byte{1, 5, 'a'})
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := stores.ParseValues(data)
		if err != nil {
			return
		}
		pairs := make(map[string][]byte)
		for key, value := range v.All() {
			pairs[key] = []byte(value)
		}
		if again := stores.NewValues(pairs).Encoded(); len(pairs) > 0 && !bytes.Equal(again, data) {
			t.Errorf("%x and %x are one set", data, again)
		}
	})
}

// TestManyRemovedKeys removes all keys of a set in one delta.
func TestManyRemovedKeys(t *testing.T) {
	for name, change := range map[string]func(stores.Values, stores.Delta){
		"With":     func(v stores.Values, d stores.Delta) { v.With(d) },
		"SizeWith": func(v stores.Values, d stores.Delta) { v.SizeWith(d) },
	} {
		testsize.Linear(t, 1000, func(n int) func() {
			pairs, d := make(map[string][]byte), stores.Delta{}
			for i := range n {
				key := strconv.Itoa(i)
				pairs[key], d.Remove = nil, append(d.Remove, key)
			}
			v := stores.NewValues(pairs)
			if left := v.With(d); left.Len() != 0 || v.SizeWith(d) != 0 {
				t.Errorf("%s: %d keys are left", name, left.Len())
			}
			return func() { change(v, d) }
		})
	}
}
