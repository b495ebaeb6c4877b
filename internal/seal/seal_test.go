package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/seal"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func key(first byte) []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = first + byte(i)
	}
	return key
}

func sealer(purpose string, current byte, previous ...byte) *seal.Sealer {
	var old [][]byte
	for _, first := range previous {
		old = append(old, key(first))
	}
	return seal.New(keys.NewRing(key(current), old...).Derive(purpose))
}

func mustSeal(t testing.TB, s *seal.Sealer, value string, context ...[]byte) string {
	t.Helper()
	text, err := s.Seal(now, time.Hour, []byte(value), context...)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRoundTrip(t *testing.T) {
	s := sealer("session", 1)
	for _, value := range []string{"", "a", "\x00\xff\n", strings.Repeat("x", seal.MaxValue)} {
		text := mustSeal(t, s, value, []byte("__Host-session"))
		if len(text) > seal.MaxText || len(text) > (len(value)+2)/3*4+77 {
			t.Errorf("%d bytes take %d", len(value), len(text))
		}
		got, index, ok := s.Open(now, text, []byte("__Host-session"))
		if !ok || index != 0 || string(got) != value {
			t.Errorf("Open = %.20q, %d, %t; want %.20q", got, index, ok, value)
		}
		if again := mustSeal(t, s, value, []byte("__Host-session")); again == text {
			t.Error("sealing twice gave the same text")
		}
	}
}

// golden is the value "golden", sealed for an hour since now with the context
// "name".
const golden = "AR7kL3oXtbHnLqfajETH2wPVZ9qfgoBLLXoWfgEH_DexLwGg38a_DFxkd79Q8sjAcMV0dcb1TaDyk9gwmoX5"

// TestFormat checks that the format does not change: each release must open
// what earlier releases sealed.
func TestFormat(t *testing.T) {
	got, _, ok := sealer("session", 1).Open(now, golden, []byte("name"))
	if !ok || string(got) != "golden" {
		t.Errorf("Open = %q, %t", got, ok)
	}
}

func TestSealRefuses(t *testing.T) {
	s := sealer("p", 1)
	if _, err := s.Seal(now, time.Hour, make([]byte, seal.MaxValue+1)); !errors.Is(err, seal.ErrTooLong) {
		t.Errorf("value longer than MaxValue: %v", err)
	}
	for _, lifetime := range []time.Duration{0, -time.Second} {
		if _, err := s.Seal(now, lifetime, nil); err == nil {
			t.Errorf("lifetime %v was accepted", lifetime)
		}
	}
}

func TestOpenChecksTimes(t *testing.T) {
	s := sealer("p", 1)
	text := mustSeal(t, s, "v")
	for _, tt := range []struct {
		name string
		at   time.Duration
		ok   bool
	}{
		{"at once", 0, true},
		{"last millisecond", time.Hour - time.Millisecond, true},
		{"expiry", time.Hour, false},
		{"long after", 1000 * time.Hour, false},
		{"clock a minute behind", -time.Minute, true},
		{"clock further behind", -time.Minute - time.Millisecond, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, ok := s.Open(now.Add(tt.at), text); ok != tt.ok {
				t.Errorf("Open = %t, want %t", ok, tt.ok)
			}
		})
	}
}

func TestOpenChecksKeyPurposeAndContext(t *testing.T) {
	name, user := []byte("name"), []byte("7")
	text := mustSeal(t, sealer("session", 1), "v", name, user)
	for _, tt := range []struct {
		name    string
		sealer  *seal.Sealer
		context [][]byte
		index   int
		ok      bool
	}{
		{"same", sealer("session", 1), [][]byte{name, user}, 0, true},
		{"previous key", sealer("session", 2, 3, 1), [][]byte{name, user}, 2, true},
		{"key dropped", sealer("session", 2, 3), [][]byte{name, user}, -1, false},
		{"other purpose", sealer("remember", 1), [][]byte{name, user}, -1, false},
		{"other name", sealer("session", 1), [][]byte{[]byte("eman"), user}, -1, false},
		{"no context", sealer("session", 1), nil, -1, false},
		{"shifted context", sealer("session", 1), [][]byte{[]byte("name7"), nil}, -1, false},
		{"swapped context", sealer("session", 1), [][]byte{user, name}, -1, false},
		{"longer context", sealer("session", 1), [][]byte{name, user, nil}, -1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			value, index, ok := tt.sealer.Open(now, text, tt.context...)
			if index != tt.index || ok != tt.ok || ok == (value == nil) {
				t.Errorf("Open = %q, %d, %t; want index %d, %t", value, index, ok, tt.index, tt.ok)
			}
		})
	}
}

func TestOpenRefusesChangedText(t *testing.T) {
	s := sealer("p", 1)
	// A value of one byte leaves two stray bits in the last character.
	text := mustSeal(t, s, "v")
	refused := func(name, mutant string) {
		t.Helper()
		if value, index, ok := s.Open(now, mutant); ok || value != nil || index != -1 {
			t.Errorf("%s: opened", name)
		}
	}
	for i := range text {
		for bit := range 8 {
			mutant := []byte(text)
			mutant[i] ^= 1 << bit
			refused(fmt.Sprintf("bit %d of byte %d", bit, i), string(mutant))
		}
		refused(fmt.Sprintf("cut to %d", i), text[:i])
		refused(fmt.Sprintf("without the first %d", i+1), text[i+1:])
		refused(fmt.Sprintf("line break at %d", i), text[:i]+"\n"+text[i:])
	}
	for _, suffix := range []string{"A", "AAAA", "=", "==", "\n", "\r\n", " ", "\x00", "." + text, text} {
		refused(fmt.Sprintf("suffix %.4q", suffix), text+suffix)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	refused("standard alphabet with padding", base64.StdEncoding.EncodeToString(raw))
	for v := range 256 {
		if raw[0] = byte(v); v != 1 {
			refused(fmt.Sprintf("version %d", v), base64.RawURLEncoding.EncodeToString(raw))
		}
	}
	refused("over the limit", strings.Repeat("A", seal.MaxText+4))
	other := mustSeal(t, s, "w")
	refused("two halves", text[:len(text)/2]+other[len(text)/2:])
}

func TestSealerPrintsPlaceholder(t *testing.T) {
	s := sealer("p", 1)
	secret := keys.NewRing(key(1)).Derive("p").Bytes(0)
	type holder struct{ inner *seal.Sealer }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{s, *s, holder{s}, &holder{s}} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, strings.Trim(fmt.Sprint(secret[:4]), "[]")) || strings.Contains(out, fmt.Sprintf("%x", secret[:4])) {
				t.Errorf("%s of %T shows the key: %s", verb, v, out)
			}
		}
	}
}

// FuzzOpen checks that only sealed texts can be opened.
func FuzzOpen(f *testing.F) {
	s := sealer("session", 1, 2)
	for _, text := range []string{"", golden, golden[:80], golden + "A", golden[:10] + "\n" + golden[10:], strings.ToLower(golden)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, ok := s.Open(now, text, []byte("name")); ok != (text == golden) {
			t.Errorf("Open(%q) = %t", text, ok)
		}
		if _, _, ok := s.Open(now, text, []byte("eman")); ok {
			t.Errorf("opened %q with another context", text)
		}
	})
}

// FuzzSeal checks that every value can be sealed and opened.
func FuzzSeal(f *testing.F) {
	s := sealer("p", 1)
	f.Add([]byte("value"), []byte("context"))
	f.Add([]byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, value, context []byte) {
		text, err := s.Seal(now, time.Second, value, context)
		if err != nil {
			if len(value) <= seal.MaxValue {
				t.Fatal(err)
			}
			return
		}
		if got, _, ok := s.Open(now, text, context); !ok || !bytes.Equal(got, value) {
			t.Errorf("Open = %x, %t; want %x", got, ok, value)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	s := sealer("p", 1)
	name := []byte("name")
	text := mustSeal(b, s, strings.Repeat("x", 100), name)
	b.ReportAllocs()
	for b.Loop() {
		s.Open(now, text, name)
	}
}
