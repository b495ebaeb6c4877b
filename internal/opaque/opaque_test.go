package opaque_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/opaque"
)

func ring(t *testing.T, texts ...string) keys.Subkeys {
	t.Helper()
	var parsed [][]byte
	for _, text := range texts {
		key, err := keys.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, key)
	}
	return keys.NewRing(parsed[0], parsed[1:]...).Derive("successor")
}

func TestTextRoundTrip(t *testing.T) {
	token := opaque.New()
	text := token.Text("grt_")
	if !regexp.MustCompile(`^grt_[A-Za-z0-9_-]{86}$`).MatchString(text) {
		t.Errorf("text %q", text)
	}
	again, ok := opaque.Parse("grt_", text)
	if !ok || again.Family != token.Family || again.ID != token.ID || again.Digest() != token.Digest() {
		t.Errorf("%v %v", again, ok)
	}
	if other := opaque.New(); other.Family == token.Family || other.ID == token.ID || other.Digest() == token.Digest() {
		t.Error("two tokens share a part")
	}
}

func TestParseRefuses(t *testing.T) {
	text := opaque.New().Text("grt_")
	for name, bad := range map[string]string{
		"empty": "", "prefix alone": "grt_", "other prefix": "gat_" + text[4:], "no prefix": text[4:],
		"short": text[:89], "long": text + "A", "padded": text + "==", "line break": text[:40] + "\n" + text[41:],
		"line break more": text[:40] + "\n" + text[40:], "standard alphabet": text[:40] + "+" + text[41:],
		"stray bits": text[:89] + "B",
	} {
		if _, ok := opaque.Parse("grt_", bad); ok {
			t.Errorf("%s: %q is read", name, bad)
		}
	}
}

func TestSuccessorIsDerived(t *testing.T) {
	const first, second = "base64:c2Vzc2lvbnMgYXJlIGZ1biwgMzIgYnl0ZXMgbG9uZyE=", "base64:b3RoZXIga2V5cyBhcmUgZnVuLCAzMiBieXRlcyBsb25nIQ=="
	parent := opaque.New()
	child := parent.Successor(ring(t, first), 0)
	again, _ := opaque.Parse("grt_", parent.Text("grt_"))
	if got := again.Successor(ring(t, second, first), 1); got.Text("") != child.Text("") {
		t.Error("the same key gives another successor")
	}
	if other := parent.Successor(ring(t, second), 0); other.ID == child.ID || other.Digest() == child.Digest() {
		t.Error("another key gives the same successor")
	}
	if child.Family != parent.Family || child.ID == parent.ID || child.Digest() == parent.Digest() {
		t.Error("the successor is not a different member of the family")
	}
	if grandchild := child.Successor(ring(t, first), 0); grandchild.Digest() == child.Digest() {
		t.Error("a token is its own successor")
	}
}

func TestIssuedNeedsTheSecret(t *testing.T) {
	const first, second = "base64:c2Vzc2lvbnMgYXJlIGZ1biwgMzIgYnl0ZXMgbG9uZyE=", "base64:b3RoZXIga2V5cyBhcmUgZnVuLCAzMiBieXRlcyBsb25nIQ=="
	token := opaque.NewNamed(ring(t, first))
	for range 3 {
		if !token.Issued(ring(t, first)) || !token.Issued(ring(t, second, first)) || token.Issued(ring(t, second)) {
			t.Error("a token is not recognized by the keys that made it")
		}
		text := token.Text("grt_")
		for i := 4; i < len(text)-1; i++ {
			flipped := []byte(text)
			flipped[i] = 'A' + (flipped[i]+1)%26
			if other, ok := opaque.Parse("grt_", string(flipped)); ok && string(flipped) != text && other.Issued(ring(t, first)) {
				t.Errorf("a text that differs at %d is recognized", i)
			}
		}
		token = token.Successor(ring(t, first), 0)
	}
	if opaque.New().Issued(ring(t, first)) {
		t.Error("a random token is recognized")
	}
}

func TestPersonal(t *testing.T) {
	token := opaque.NewPersonal("gat")
	text := token.Text()
	if !regexp.MustCompile(`^gat_[0-9a-f]{32}_[0-9A-Za-z]{49}$`).MatchString(text) {
		t.Errorf("text %q", text)
	}
	again, ok := opaque.ParsePersonal("gat", text)
	if !ok || again.ID != token.ID || again.Digest() != token.Digest() || again.Text() != text {
		t.Errorf("%v %v", again, ok)
	}
	other := opaque.NewPersonal("gat").Text()
	for name, bad := range map[string]string{ // Z02
		"empty": "", "prefix": "gat_", "other prefix": "gax" + text[3:], "id 0": "gat_0_" + text[37:],
		"no id": "gat__" + text[37:], "condition": "gat_1=1_" + text[37:], "20 digits": "gat_12345678901234567890_" + text[37:],
		"other's id": "gat_" + other[4:36] + text[36:], "no separator": text[:36] + text[37:], "doubled separator": text[:36] + "_" + text[36:],
		"wrong checksum": text[:len(text)-1] + string('0'+(text[len(text)-1]+1)%2), "upper case id": "gat_" + strings.ToUpper(text[4:36]) + text[36:],
		"space": text + " ", "short": text[:len(text)-1], "long": text + "0", "minus": text[:40] + "-" + text[41:],
	} {
		if _, ok := opaque.ParsePersonal("gat", bad); ok && bad != text {
			t.Errorf("%s: %q is read", name, bad)
		}
	}
}

func TestTokensPrintPlaceholder(t *testing.T) { // L06
	token, personal := opaque.New(), opaque.NewPersonal("gat")
	type holder struct {
		a opaque.Token
		b opaque.Personal
	}
	shown := fmt.Sprintf("%v %+v %#v %v %+v %s", token, token, token, personal, holder{token, personal}, personal)
	if strings.Contains(shown, token.Text("")[50:70]) || strings.Contains(shown, personal.Text()[40:60]) {
		t.Errorf("shows %s", shown)
	}
}

// FuzzParse checks that each token has only one text and that other texts are
// refused.
func FuzzParse(f *testing.F) {
	f.Add("grt_" + strings.Repeat("A", 86))
	f.Add(opaque.New().Text("grt_"))
	f.Add(opaque.NewPersonal("gat").Text())
	f.Add("gat_\x00")
	f.Fuzz(func(t *testing.T, text string) {
		if token, ok := opaque.Parse("grt_", text); ok && token.Text("grt_") != text {
			t.Errorf("%q and %q are the same token", text, token.Text("grt_"))
		}
		if token, ok := opaque.ParsePersonal("gat", text); ok && (token.Text() != text || len(token.ID) != 32) {
			t.Errorf("%q is read as %v", text, token)
		}
	})
}
