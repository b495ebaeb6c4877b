package cookiestore_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/seal"
	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/cookiestore"
	"github.com/ginauth/ginauth/stores/storetest"
)

func TestClientSessions(t *testing.T) {
	storetest.ClientSessions(t, func(*testing.T) stores.ClientSessions { return cookiestore.New() })
}

const name = "__Host-session"

var now = time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)

// sealer returns a sealer with a fixed key.
func sealer() *seal.Sealer {
	key := make([]byte, keys.MinSize)
	for i := range key {
		key[i] = byte(i)
	}
	return seal.New(keys.NewRing(key).Derive("session cookie"))
}

func session() stores.Session {
	return stores.Session{
		Row: strings.Repeat("0f", 16), Digest: stores.DigestOf([]byte("secret")),
		Principals: "web", Owners: []string{"users:1", "admins:2"}, Generation: 3,
		Values:  stores.NewValues(map[string][]byte{"k": []byte("v")}),
		Created: now.Add(-time.Hour), LastSeen: now, Expires: now.Add(time.Hour),
	}
}

// sealed returns a sealed record.
func sealed(t testing.TB, record []byte) string {
	t.Helper()
	text, err := sealer().Seal(now, time.Hour, record, []byte(name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// golden is the cookie that Seal made of the session.
const golden = "Aay_Q5B_SGiOhxqPzbeh2sO16Ml8rCA3OklVB1DWtpESzEalOAfHyd1rk6e9_IKKznkS7VF85Rsj9DMZcEVNzfSJ0vki72rKkW5ZQwY4la-g" +
	"aybnO2qaCdATkPpZHnnyBDYzVd5tYJFXQd16YkgojSxZsLaRJFziLGcUSrnijNA63BPyoXEVQxOgujxSgGpEThqUttKggiOASPbq74Q3e-FO"

// record returns the record of the session.
func record(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString("02" + strings.Repeat("0f", 16) +
		"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" +
		"0006ba2c6de02f46" + "0006ba2d4473d346" + "0006ba2e1b077746" +
		"00000003" + "02" + "07" + hex.EncodeToString([]byte("users:1")) + "08" + hex.EncodeToString([]byte("admins:2")) +
		"0003" + hex.EncodeToString([]byte("web")) + "01" + "016b" + "0176")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFormat checks that the format does not change.
func TestFormat(t *testing.T) {
	want := session()
	for _, text := range []string{golden, sealed(t, record(t))} {
		got, key, ok := cookiestore.New().Open(sealer(), now, name, text)
		if !ok || key != 0 || fmt.Sprintf("%v %v", got, got.Values.Encoded()) != fmt.Sprintf("%v %v", want, want.Values.Encoded()) {
			t.Errorf("Open = %+v, %d, %v; want %+v", got, key, ok, want)
		}
	}
}

func TestOpenRefusesWhatSealDoesNotMake(t *testing.T) {
	good := record(t)
	change := func(at int, b byte) []byte {
		changed := append([]byte(nil), good...)
		changed[at] = b
		return changed
	}
	const (
		ownersAt     = 1 + 16 + 32 + 3*8 + 4
		principalsAt = ownersAt + 1 + 8 + 9
		valuesAt     = principalsAt + 2 + 3
	)
	rows := map[string][]byte{
		"nothing": {}, "version 0": change(0, 0), "version 1": change(0, 1), "version 3": change(0, 3),
		"too many owners": change(ownersAt, 9), "one owner, not two": change(ownersAt, 1), "three owners": change(ownersAt, 3),
		"owner without a name": change(ownersAt+1, 0), "owner over the end": change(ownersAt+1, 0xff), "owner with NUL": change(ownersAt+2, 0),
		"principals over the end": change(principalsAt, 1), "principals into the values": change(principalsAt+1, 4),
		"version of the values": change(valuesAt, 2), "key over the end": change(valuesAt+1, 0x7f),
		"something after it": append(append([]byte(nil), good...), 0),
		"same owner twice":   []byte(strings.Replace(string(good), "\x08admins:2", "\x07users:1", 1)),
	}
	for i := range good {
		if i != valuesAt { // where a record without values ends
			rows[fmt.Sprintf("cut to %d", i)] = good[:i]
		}
	}
	for what, b := range rows {
		if s, _, ok := cookiestore.New().Open(sealer(), now, name, sealed(t, b)); ok || s.Row != "" {
			t.Errorf("%s: opened", what)
		}
	}
}

// TestRecordExpires checks that the expiry in the record counts, also if the seal is valid
// for longer.
func TestRecordExpires(t *testing.T) {
	text, err := sealer().Seal(now, 24*time.Hour, record(t), []byte(name))
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{time.Hour - 1: true, time.Hour: false} {
		if _, _, ok := cookiestore.New().Open(sealer(), now.Add(after), name, text); ok != want {
			t.Errorf("after %v: %v", after, ok)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	for what, f := range map[string]func(*stores.Session){
		"no row":         func(s *stores.Session) { s.Row = "" },
		"short row":      func(s *stores.Session) { s.Row = s.Row[2:] },
		"row in capital": func(s *stores.Session) { s.Row = strings.ToUpper(s.Row) },
		"row is no hex":  func(s *stores.Session) { s.Row = strings.Repeat("xy", 16) },
		"long owner":     func(s *stores.Session) { s.Owners = []string{strings.Repeat("o", 256)} },
		"no end":         func(s *stores.Session) { s.Expires = time.Time{} },
	} {
		s := session()
		f(&s)
		if text, err := cookiestore.New().Seal(sealer(), name, s); err == nil || text != "" || errors.Is(err, stores.ErrTooLarge) {
			t.Errorf("%s: %q, %v", what, text, err)
		}
	}
}

// TestLargestCookie checks that the largest session that can be sealed makes a cookie of
// about MaxCookie bytes.
func TestLargestCookie(t *testing.T) {
	for _, name := range []string{"s", name, strings.Repeat("n", 100)} {
		largest := 0
		sort.Search(cookiestore.MaxCookie, func(n int) bool {
			s := session()
			s.Values = stores.NewValues(map[string][]byte{"k": make([]byte, n)})
			text, err := cookiestore.New().Seal(sealer(), name, s)
			if err != nil {
				if !errors.Is(err, stores.ErrTooLarge) || !strings.Contains(err.Error(), fmt.Sprint(s.Values.Size())) {
					t.Errorf("%d bytes: %v", n, err)
				}
				return true
			}
			largest = max(largest, len(name)+len(text))
			if _, _, ok := cookiestore.New().Open(sealer(), now, name, text); !ok {
				t.Errorf("%d bytes do not open", n)
			}
			return false
		})
		if largest > cookiestore.MaxCookie || largest < cookiestore.MaxCookie-2 {
			t.Errorf("the largest cookie has %d bytes", largest)
		}
	}
}

// FuzzOpen checks that no text but the golden one opens.
func FuzzOpen(f *testing.F) {
	for _, text := range []string{"", golden, golden[:80], golden + "A", strings.ToLower(golden), strings.Repeat("A", 4096)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, ok := cookiestore.New().Open(sealer(), now, name, text); ok != (text == golden) {
			t.Errorf("Open(%q) = %v", text, ok)
		}
	})
}

// FuzzRecord opens any record under a valid seal, and checks that Seal makes the same record
// of the session.
func FuzzRecord(f *testing.F) {
	f.Add(record(f))
	f.Add(record(f)[:81])
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > seal.MaxValue {
			return
		}
		s, _, ok := cookiestore.New().Open(sealer(), now, name, sealed(t, b))
		if !ok {
			return
		}
		again, err := cookiestore.New().Seal(sealer(), name, s)
		if err != nil {
			t.Fatalf("%x opens and cannot be sealed: %v", b, err)
		}
		value, _, _ := sealer().Open(now, again, []byte(name))
		if string(value) != string(b) {
			t.Errorf("%x and %x are one session", b, value)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	c, with, s := cookiestore.New(), sealer(), session()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Seal(with, name, s)
	}
}

func BenchmarkOpen(b *testing.B) {
	c, with := cookiestore.New(), sealer()
	text, err := c.Seal(with, name, session())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Open(with, now, name, text)
	}
}
