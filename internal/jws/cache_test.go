package jws_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/internal/jws"
)

// cached returns a set, a cache of what it verifies, and a token that the cache
// has seen.
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

// A token that was seen opens the door to no other one.
func TestCacheRefuses(t *testing.T) {
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

// More tokens than there is room for push each other out, and none is taken for
// another.
func TestCacheOverflows(t *testing.T) {
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
				for range 2 {
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
