package jws_test

import (
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/internal/jws"
)

func TestSetChoosesByKeyID(t *testing.T) {
	first, second, third := hmacKey(t, "1", "", sample(32)), hmacKey(t, "2", "HS512", sample(64)), hmacKey(t, "", "", sample(33))
	sets := []*jws.Set{newSet(t, first), newSet(t, second), newSet(t, third)}
	all := newSet(t, first, second, third)
	for i, set := range sets {
		token := must(set.Sign(typ, payload()))
		if _, index, err := all.Verify(typ, token); err != nil || index != i {
			t.Errorf("key %d: %d, %v", i, index, err)
		}
		if _, _, err := sets[(i+1)%3].Verify(typ, token); !errors.Is(err, jws.ErrUnknownKey) {
			t.Errorf("key %d by another set: %v", i, err)
		}
	}
}

func TestNewSetRefuses(t *testing.T) { // J03
	secret := hmacKey(t, "s", "", sample(64))
	private, public := cryptoKey(t, "r", "", rsaPair()), cryptoKey(t, "p", "", &rsaPair().PublicKey)
	none, otherNone := hmacKey(t, "", "", sample(32)), hmacKey(t, "", "", sample(33))
	for _, tt := range []struct {
		name string
		keys []jws.Key
		says []string
	}{
		{"zero key", []jws.Key{{}}, []string{"number 1 of the set is the zero Key"}},
		{"zero keys", []jws.Key{secret, {}, {}}, []string{"number 2 of", "number 3 of"}},
		{"public key to sign", []jws.Key{public}, []string{`"p" cannot sign`}},
		{"key not for signing", []jws.Key{must(jws.ParseJWK([]byte(`{` + octMembers + `,"key_ops":["verify"]}`)))}, []string{"the key without a kid cannot sign"}},
		{"same kid", []jws.Key{secret, hmacKey(t, "s", "", sample(40))}, []string{`kid "s"`}},
		{"same key twice", []jws.Key{private, private}, []string{`kid "r"`}},
		{"two without a kid", []jws.Key{none, otherNone}, []string{"no kid"}},
		{"both sorts", []jws.Key{secret, public}, []string{`"s" and key "p"`}},
		{"both sorts, otherwise", []jws.Key{private, none}, []string{`key "r" and the key without a kid`}},
		{"secret of two algorithms", []jws.Key{secret, hmacKey(t, "s5", "HS512", sample(64))}, []string{"two algorithms"}},
		{"key pair of two algorithms", []jws.Key{private, cryptoKey(t, "p5", "RS512", &rsaPair().PublicKey)}, []string{"two algorithms"}},
		{"failing signer", []jws.Key{cryptoKey(t, "f", "", failing{elsewhere{ecPair()}})}, []string{"no hardware"}},
		{"signer with another key", []jws.Key{cryptoKey(t, "f", "", mismatched{elsewhere{ecPair()}})}, []string{"does not verify"}},
		{"signer of garbage", []jws.Key{cryptoKey(t, "f", "", garbage{elsewhere{ecPair()}})}, []string{"did not return an ECDSA signature"}},
		{"signer of garbage RSA", []jws.Key{cryptoKey(t, "f", "", garbage{elsewhere{rsaPair()}})}, []string{"does not verify"}},
		{"all at once", []jws.Key{public, none, otherNone, {}, cryptoKey(t, "p", "", edPair())},
			[]string{`"p" cannot sign`, "no kid", "number 4", `kid "p"`, "a secret and a key pair"}},
	} {
		set, err := jws.NewSet(tt.keys[0], tt.keys[1:]...)
		if set != nil || !errors.Is(err, jws.ErrKey) {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for _, says := range tt.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v does not say %q", tt.name, err, says)
			}
		}
	}
	if _, err := jws.NewSet(private, cryptoKey(t, "new name", "", rsaPair())); err != nil {
		t.Errorf("one key with two kids: %v", err)
	}
}

type failing struct{ elsewhere }

func (failing) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no hardware")
}

type mismatched struct{ elsewhere }

func (mismatched) Public() crypto.PublicKey { return &newEC(ecPair().Curve).PublicKey }

type garbage struct{ elsewhere }

func (garbage) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return sample(70), nil }

// TestSignReturnsSignerError checks that an unavailable key management service
// causes an error and not a token.
func TestSignReturnsSignerError(t *testing.T) {
	signer := &flaky{elsewhere: elsewhere{edPair()}}
	set := newSet(t, cryptoKey(t, "k", "", signer))
	if _, err := set.Sign(typ, payload()); err != nil {
		t.Fatal(err)
	}
	signer.err = errors.New("gone")
	if token, err := set.Sign(typ, payload()); token != "" || !errors.Is(err, signer.err) || errors.Is(err, jws.ErrInput) {
		t.Errorf("Sign = %q, %v", token, err)
	}
}

type flaky struct {
	elsewhere
	err error
}

func (f *flaky) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.elsewhere.Sign(r, digest, opts)
}

func TestZeroSetHasNoKeys(t *testing.T) {
	var set jws.Set
	if _, err := set.Sign(typ, payload()); !errors.Is(err, jws.ErrKey) {
		t.Errorf("Sign = %v", err)
	}
	for _, token := range []string{"", forge(headerOf("none", ""), string(payload()), unsigned), forge(headerOf("HS256", "k"), string(payload()), hs256(nil))} {
		if _, _, err := set.Verify(typ, token); err == nil {
			t.Error("a set without keys verifies")
		}
	}
	if got := string(set.JWKS()); got != `{"keys":[]}` {
		t.Errorf("JWKS = %s", got)
	}
	if (jws.Key{}).CanSign() || (jws.Key{}).Algorithm() != "" {
		t.Error("the zero key is a key")
	}
}

func TestJWKS(t *testing.T) {
	set := newSet(t, cryptoKey(t, "b", "", edPair()), cryptoKey(t, "a", "RS512", &rsaPair().PublicKey), cryptoKey(t, "", "", ecPair()))
	text := set.JWKS()
	var got struct{ Keys []map[string]string }
	if err := json.Unmarshal(text, &got); err != nil || len(got.Keys) != 3 {
		t.Fatalf("%s: %v", text, err)
	}
	for i, want := range []string{"b EdDSA OKP", "a RS512 RSA", " ES256 EC"} {
		key := got.Keys[i]
		if has := key["kid"] + " " + key["alg"] + " " + key["kty"]; has != want || key["use"] != "sig" || key["d"] != "" {
			t.Errorf("key %d is %v, want %s", i, key, want)
		}
	}
	clear(text)
	if again := set.JWKS(); !json.Valid(again) {
		t.Error("changing the result changed the set")
	}
	if got := string(newSet(t, hmacKey(t, "k", "", sample(32))).JWKS()); got != `{"keys":[]}` {
		t.Errorf("JWKS of a secret = %s", got)
	}
}

func TestKeysPrintPlaceholder(t *testing.T) { // L06
	secret := sample(32)
	keys := []jws.Key{hmacKey(t, "k", "", secret), cryptoKey(t, "k", "", edPair()), cryptoKey(t, "k", "", rsaPair()), cryptoKey(t, "k", "", ecPair())}
	type holder struct {
		key  jws.Key
		keys []jws.Key
		set  *jws.Set
		val  jws.Set
		Key  jws.Key
		Set  *jws.Set
	}
	var out strings.Builder
	for _, key := range keys {
		set := newSet(t, key)
		h := holder{key, keys, set, *set, key, set}
		for _, v := range []any{key, &key, set, *set, h, &h, keys, map[string]jws.Key{"k": key}, errors.Join(fmt.Errorf("%v", key))} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c"} {
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
	}
	if !strings.Contains(out.String(), `"[REDACTED]"`) {
		t.Error("no placeholder was printed")
	}
	scalar := must(ecPair().Bytes())
	for _, secret := range [][]byte{secret, edPair().Seed(), rsaPair().D.Bytes(), rsaPair().Primes[0].Bytes(), scalar} {
		for _, form := range []string{
			string(secret[:4]), hex.EncodeToString(secret[:4]), strings.ToUpper(hex.EncodeToString(secret[:4])), b64(string(secret))[:8],
			strings.Trim(fmt.Sprint(secret[:4]), "[]"), strings.Trim(fmt.Sprintf("%#v", secret[:4]), "[]byte{}"),
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("output contains a secret as %q", form)
			}
		}
	}
	for _, number := range []string{rsaPair().D.String(), rsaPair().Primes[1].String()} {
		if strings.Contains(out.String(), number[:12]) {
			t.Error("output contains a private number")
		}
	}
}

func TestSetIsSafeForConcurrentUse(t *testing.T) {
	for _, key := range everyKey(t, "k") {
		set := newSet(t, key)
		release := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				<-release
				for range 5 {
					c := validClaims()
					c.Subject = fmt.Sprint("user", i)
					token := must(set.Sign(typ, must(c.Payload(nil))))
					got, _, _, err := set.VerifyClaims(typ, token)
					if err != nil || got.Subject != c.Subject {
						t.Errorf("%s: %+v, %v", key.Algorithm(), got, err)
						return
					}
				}
			})
		}
		close(release)
		wg.Wait()
	}
}
