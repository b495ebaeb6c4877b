package keys_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/keys"
)

// sample returns n bytes that pass the check for weak keys, and whose base64
// contains both characters in which the alphabets differ.
func sample(n int) []byte {
	key := make([]byte, n)
	for i := range key {
		key[i] = byte(251 - 7*i)
	}
	return key
}

func TestParse(t *testing.T) {
	key := sample(32)
	for _, tt := range []struct{ name, text string }{
		{"padded base64", "base64:" + base64.StdEncoding.EncodeToString(key)},
		{"raw base64", "base64:" + base64.RawStdEncoding.EncodeToString(key)},
		{"padded base64url", "base64:" + base64.URLEncoding.EncodeToString(key)},
		{"raw base64url", "base64:" + base64.RawURLEncoding.EncodeToString(key)},
		{"hexadecimal", hex.EncodeToString(key)},
		{"upper case hexadecimal", strings.ToUpper(hex.EncodeToString(key))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := keys.Parse(tt.text)
			if err != nil || !bytes.Equal(got, key) {
				t.Errorf("Parse = %x, %v; want %x", got, err, key)
			}
		})
	}
	for _, n := range []int{keys.MinSize, keys.MinSize + 1, 64, keys.MaxSize} {
		if got, err := keys.Parse(hex.EncodeToString(sample(n))); err != nil || len(got) != n {
			t.Errorf("%d bytes: got %d bytes, %v", n, len(got), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	for _, tt := range []struct {
		name, text string
		want       error
		says       string
	}{
		{"nothing", "", keys.ErrFormat, "empty"},
		{"plain text", "change-me-in-production-min-32-chars!!", keys.ErrFormat, "hexadecimal"},
		{"base64 without its prefix", b64(sample(32)), keys.ErrFormat, "hexadecimal"},
		{"odd hexadecimal", hex.EncodeToString(sample(32)) + "a", keys.ErrFormat, "hexadecimal"},
		{"not base64", "base64:SECRET*" + b64(sample(32)), keys.ErrFormat, "not base64"},
		{"both alphabets", "base64:+/-_" + b64(sample(33)), keys.ErrFormat, "not base64"},
		{"stray bits", "base64:" + strings.Repeat("A", 42) + "B", keys.ErrFormat, "not base64"},
		{"line break at the end", "base64:" + b64(sample(32)) + "\n", keys.ErrFormat, "white space"},
		{"line break inside", "base64:" + b64(sample(33))[:9] + "\r\n" + b64(sample(33)), keys.ErrFormat, "white space"},
		{"prefix alone", "base64:", keys.ErrSize, "0 bytes"},
		{"31 bytes", "base64:" + b64(sample(31)), keys.ErrSize, "31 bytes"},
		{"1025 bytes", hex.EncodeToString(sample(1025)), keys.ErrSize, "1025 bytes"},
		{"zeros", strings.Repeat("00", 32), keys.ErrWeak, "equal"},
		{"seven values", strings.Repeat("01020304050607", 8), keys.ErrWeak, "7 different"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, err := keys.Parse(tt.text)
			if key != nil || !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("Parse = %x, %v; want an error that says %q", key, err, tt.says)
			}
			if secret := strings.TrimPrefix(tt.text, "base64:"); len(secret) > 4 && strings.Contains(err.Error(), secret[:4]) {
				t.Errorf("error quotes the key: %v", err)
			}
		})
	}
}

func TestGenerate(t *testing.T) {
	first, second := keys.Generate(), keys.Generate()
	if first == second {
		t.Error("two generated keys are equal")
	}
	if key, err := keys.Parse(first); err != nil || len(key) != keys.MinSize {
		t.Errorf("generated key: %d bytes, %v", len(key), err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("base64:" + base64.StdEncoding.EncodeToString(sample(32)))
	f.Add(hex.EncodeToString(sample(40)))
	f.Add("base64:====")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := keys.Parse(text)
		if (key == nil) == (err == nil) {
			t.Fatalf("Parse(%q) = %x, %v", text, key, err)
		}
		if err == nil && (len(key) < keys.MinSize || len(key) > keys.MaxSize) {
			t.Errorf("Parse(%q) has %d bytes", text, len(key))
		}
	})
}
