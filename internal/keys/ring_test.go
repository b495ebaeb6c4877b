package keys_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/internal/keys"
)

func TestDerive(t *testing.T) {
	current, previous := sample(32), sample(48)
	subkeys := keys.NewRing(current, previous).Derive("session")
	if subkeys.Len() != 2 || subkeys.Purpose() != "session" {
		t.Fatalf("%d subkeys for %q", subkeys.Len(), subkeys.Purpose())
	}
	for i, key := range [][]byte{current, previous} {
		want, err := hkdf.Key(sha256.New, key, nil, "ginauth/v1/session", 32)
		if err != nil {
			t.Fatal(err)
		}
		if got := subkeys.Bytes(i); !bytes.Equal(got, want) {
			t.Errorf("subkey %d = %x, want %x", i, got, want)
		}
	}
	other := keys.NewRing(current).Derive("remember")
	if bytes.Equal(other.Bytes(0), subkeys.Bytes(0)) {
		t.Error("two purposes share a subkey")
	}
}

func TestRingKeepsCopies(t *testing.T) {
	key := sample(32)
	ring := keys.NewRing(key)
	before := ring.Derive("p")
	clear(key)
	clear(before.Bytes(0))
	after := ring.Derive("p")
	if before.MAC() != after.MAC() {
		t.Error("changing a slice changed the ring")
	}
}

func TestMAC(t *testing.T) {
	subkeys := keys.NewRing(sample(32)).Derive("p")
	message := "\x00\x00\x00\x00\x00\x00\x00\x02ab" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x01c"
	want := hmac.New(sha256.New, subkeys.Bytes(0))
	want.Write([]byte(message))
	for range 2 { // the second time uses a state from the pool
		if got := subkeys.MAC([]byte("ab"), nil, []byte("c")); !bytes.Equal(got[:], want.Sum(nil)) {
			t.Fatalf("MAC = %x, want %x", got, want.Sum(nil))
		}
		subkeys.MAC(make([]byte, 10_000)) // too long to be kept in the pool
	}
}

func TestMACOf(t *testing.T) {
	subkeys := keys.NewRing(sample(32)).Derive("p")
	parts := [][]byte{[]byte("a"), []byte("bc"), nil}
	if subkeys.MACOf(parts[0], parts[1:]) != subkeys.MAC(parts...) {
		t.Error("MACOf differs from MAC for the same parts")
	}
}

func TestMACIsInjective(t *testing.T) {
	subkeys := keys.NewRing(sample(32)).Derive("p")
	eight := make([]byte, 8)
	seen := make(map[[keys.MACSize]byte]int)
	for i, parts := range [][][]byte{
		{}, {nil}, {nil, nil},
		{[]byte("ab")}, {[]byte("a"), []byte("b")}, {[]byte("ab"), nil}, {nil, []byte("ab")},
		{eight}, {eight, nil}, {append(eight, eight...)}, {eight, eight},
	} {
		mac := subkeys.MAC(parts...)
		if j, dup := seen[mac]; dup {
			t.Errorf("lists %d and %d have the same MAC", j, i)
		}
		seen[mac] = i
	}
}

func TestVerify(t *testing.T) {
	a, b, c := sample(32), sample(33), sample(34)
	part := []byte("value")
	mac := func(key []byte, purpose string) []byte {
		sum := keys.NewRing(key).Derive(purpose).MAC(part)
		return sum[:]
	}
	subkeys := keys.NewRing(a, b).Derive("p")
	flipped := mac(a, "p")
	flipped[31] ^= 1
	for _, tt := range []struct {
		name  string
		mac   []byte
		index int
		ok    bool
	}{
		{"current key", mac(a, "p"), 0, true},
		{"previous key", mac(b, "p"), 1, true},
		{"key out of the ring", mac(c, "p"), -1, false},
		{"other purpose", mac(a, "q"), -1, false},
		{"flipped bit", flipped, -1, false},
		{"truncated", mac(a, "p")[:31], -1, false},
		{"extended", append(mac(a, "p"), 0), -1, false},
		{"empty", nil, -1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if index, ok := subkeys.Verify(tt.mac, part); index != tt.index || ok != tt.ok {
				t.Errorf("Verify = %d, %t; want %d, %t", index, ok, tt.index, tt.ok)
			}
		})
	}
	if _, ok := (keys.Subkeys{}).Verify(mac(a, "p"), part); ok {
		t.Error("Subkeys without keys verified a MAC")
	}
}

func TestMACIsSafeForConcurrentUse(t *testing.T) {
	subkeys := keys.NewRing(sample(32)).Derive("p")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			part := []byte{byte(i)}
			want := subkeys.MAC(part)
			for range 200 {
				if _, ok := subkeys.Verify(want[:], part); !ok {
					t.Error("MAC changed")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestKeysPrintPlaceholder(t *testing.T) {
	ring := keys.NewRing(sample(32))
	subkeys := ring.Derive("p")
	type holder struct {
		ring    *keys.Ring
		inner   keys.Ring
		subkeys keys.Subkeys
		Ring    *keys.Ring
		Subkeys keys.Subkeys
	}
	h := holder{ring, *ring, subkeys, ring, subkeys}
	var out strings.Builder
	for _, v := range []any{ring, *ring, subkeys, &subkeys, h, &h} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("m", "v", v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		out.Write(text)
	}
	if !strings.Contains(out.String(), `"[REDACTED]"`) {
		t.Error("no placeholder was printed")
	}
	for _, secret := range [][]byte{sample(32), subkeys.Bytes(0)} {
		for _, form := range []string{
			string(secret[:4]), hex.EncodeToString(secret[:4]), strings.ToUpper(hex.EncodeToString(secret[:4])),
			strings.Trim(fmt.Sprint(secret[:4]), "[]"), strings.Trim(fmt.Sprintf("%#v", secret[:4]), "[]byte{}"),
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("output contains the secret as %q", form)
			}
		}
	}
}

func BenchmarkMAC(b *testing.B) {
	subkeys := keys.NewRing(sample(32)).Derive("p")
	id, name := sample(32), []byte("session")
	b.ReportAllocs()
	for b.Loop() {
		subkeys.MAC(name, id)
	}
}
