package stores_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

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
	for _, d := range []stores.Delta{{}, {Set: map[string][]byte{"b": make([]byte, 200), "new": nil}, Remove: []string{"a", "x"}}, {Remove: []string{"a", "b", "c"}}} {
		if got, want := v.SizeWith(d), v.With(d).Size(); got != want {
			t.Errorf("SizeWith says %d, With makes %d", got, want)
		}
	}
	if got, _ := v.Get("b"); got != "2" {
		t.Error("the original changed")
	}
	if empty := w.With(stores.Delta{Remove: []string{"aa", "b", "c", "z"}}); empty.Len() != 0 || empty.Encoded() != nil && len(empty.Encoded()) > 0 {
		t.Error("a set without keys is not empty")
	}
	if text := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(text, "xxx") {
		t.Errorf("the values print as %s", text)
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

// FuzzParseValues checks that every set has one encoding, and that none makes
// the reader panic.
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
