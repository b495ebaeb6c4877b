package jws_test

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/internal/jws"
)

// cached returns a set, a cache of the set, and a token that the cache
// contains.
func cached(t testing.TB) (*jws.Set, *jws.Cache, string) {
	t.Helper()
	set := must(jws.NewSet(must(jws.NewHMAC("k", "", sample(32)))))
	cache, token := jws.NewCache(set), must(set.Sign(typ, payload()))
	for range 2 {
		v, err := cache.VerifyClaims(typ, token)
		if err != nil || v.Subject != "42" || v.Payload != string(payload()) || v.KeyIndex != 0 {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	return set, cache, token
}

// A token signed with a secret is cached the second time, and one signed with a
// key pair at once. Long tokens are not cached.
func TestCacheRemembers(t *testing.T) {
	long := with(`"a":"` + strings.Repeat("a", 2<<10) + `"`)
	for _, key := range everyKey(t, "k") {
		set := newSet(t, key)
		cache := jws.NewCache(set)
		first := 0
		if key.PublicJWK() == nil {
			first = 1
		}
		for from, payload := range map[int]string{first: with(`"a":1`), 4: long} {
			token := must(set.Sign(typ, []byte(payload)))
			var seen []*jws.Verified
			for i := range 4 {
				v, err := cache.VerifyClaims(typ, token)
				if err != nil || v.Subject != "42" || v.Issuer != issuer || len(v.Audience) != 1 || v.Audience[0] != audience {
					t.Fatalf("%s: %+v, %v", key.Algorithm(), v, err)
				}
				if i > 0 && (v == seen[i-1]) != (i > from) {
					t.Errorf("%s: time %d of %d bytes: remembered %v", key.Algorithm(), i, len(token), v == seen[i-1])
				}
				seen = append(seen, v)
			}
		}
	}
}

func TestCacheOfZeroSet(t *testing.T) {
	_, _, token := cached(t)
	for _, set := range []*jws.Set{nil, {}} {
		if v, err := jws.NewCache(set).VerifyClaims(typ, token); v != nil || !errors.Is(err, jws.ErrUnknownKey) {
			t.Errorf("%+v, %v", v, err)
		}
	}
}

func TestBound(t *testing.T) {
	set, cache, _ := cached(t)
	want := [32]byte(sample(32))
	right := b64(string(want[:]))
	for _, tt := range []struct {
		name, claim string
		ok          bool
	}{
		{"right", right, true},
		{"missing", "", false},
		{"31 bytes", b64(string(want[:31])), false},
		{"33 bytes", b64(string(want[:]) + "a"), false},
		{"padded", right + "=", false},
		{"another alphabet", "+" + right[1:], false},
		{"stray bits", strings.Repeat("A", 42) + "B", false},
		{"43 bytes of something else", strings.Repeat("é", 21) + "e", false},
	} {
		c := validClaims()
		c.Fingerprint = tt.claim
		token := must(set.SignClaims(typ, c, nil))
		for range 3 { // verified twice, then cached
			v, err := cache.VerifyClaims(typ, token)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := v.Bound(); ok != tt.ok || ok && got != want {
				t.Errorf("%s: Bound = %x, %v", tt.name, got, ok)
			}
		}
	}
}

// A forged token is never cached, and is verified again each time.
func TestCacheIgnoresForgedTokens(t *testing.T) {
	_, cache, token := cached(t)
	forged := forge(headerOf("HS256", "k"), string(payload()), hs256(sample(33)))
	for range 4 {
		if v, err := cache.VerifyClaims(typ, forged); v != nil || !errors.Is(err, jws.ErrSignature) {
			t.Errorf("%+v, %v", v, err)
		}
	}
	before, err := cache.VerifyClaims(typ, token)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := cache.VerifyClaims(typ, token); after != before || err != nil {
		t.Errorf("the valid token is not accepted: %v", err)
	}
}

// A cached token does not make any other token acceptable.
func TestCacheRefusesSimilarTokens(t *testing.T) {
	_, cache, token := cached(t)
	for i := range token {
		for _, c := range []byte("A\n.=") {
			changed := []byte(token)
			changed[i] = c
			if string(changed) == token {
				continue
			}
			if _, err := cache.VerifyClaims(typ, string(changed)); err == nil {
				t.Fatalf("byte %d changed to %q: accepted", i, c)
			}
		}
		if _, err := cache.VerifyClaims(typ, token[:i]); err == nil {
			t.Fatalf("cut after %d bytes: accepted", i)
		}
	}
	if _, err := cache.VerifyClaims(typ, token+"\n"); err == nil {
		t.Error("with a line break: accepted")
	}
	if _, err := cache.VerifyClaims("JWT", token); !errors.Is(err, jws.ErrType) {
		t.Errorf("as another type: %v", err)
	}
	other := must(jws.NewSet(must(jws.NewHMAC("k", "", sample(33)))))
	if _, err := cache.VerifyClaims(typ, must(other.Sign(typ, payload()))); !errors.Is(err, jws.ErrSignature) {
		t.Errorf("signed by another key: %v", err)
	}
}

// If there are more tokens than places, they replace each other, and none is
// confused with another.
func TestFullCacheReplacesTokens(t *testing.T) {
	set, cache, _ := cached(t)
	const n = 10_000
	tokens := make([]string, n)
	for i := range tokens {
		c := validClaims()
		c.Subject = strconv.Itoa(i)
		tokens[i] = must(set.Sign(typ, must(c.Payload(nil))))
	}
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			for i, token := range tokens {
				for range 3 {
					if v, err := cache.VerifyClaims(typ, token); err != nil || v.Subject != strconv.Itoa(i) {
						t.Errorf("token %d: %+v, %v", i, v, err)
						return
					}
				}
			}
		})
	}
	done.Wait()
}
