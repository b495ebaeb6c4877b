package redisstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
)

// TestCorrupt reads records that are corrupt.
func TestCorrupt(t *testing.T) { // S13
	client := openSingle(t)
	set := func(fields ...any) func(key string) error {
		return func(key string) error { return client.HSet(t.Context(), key, fields...).Err() }
	}
	owners := func(text string) func(key string) error {
		return func(key string) error {
			field := client.HGet(t.Context(), key, "m").Val()
			return set("m", field[:min(len(field), 116)]+text, row+":t", "x")(key)
		}
	}
	for name, spoil := range map[string]func(key string) error{
		"another type": func(key string) error { return client.Set(t.Context(), key, "x", time.Hour).Err() },
		"no end":       func(key string) error { return client.HDel(t.Context(), key, "m", "expires").Err() },
		"same owners":  owners("ann\x00ann"),
		"empty owner":  owners("ann\x00"),
		"principals":   set("p", make([]byte, stores.MaxPrincipals+1), row+":t", "x"),
		"short digest": set("m", "x", row+":t", `{"d":"eA=="}`),
		"no digest":    set("m", "", row+":t", "{}"),
		"random bytes": set("m", "\x00\xff", row+":t", "\x00\xff"),
		"cut":          set("m", make([]byte, 115), row+":t", "null"),
		"no creation": func(key string) error {
			return errors.Join(client.HDel(t.Context(), key, "f").Err(), set(row+":t", "x")(key))
		},
		"short address": set("f", append(make([]byte, 8), 200, 'x'), row+":t", "x"),
		"too much":      set(":k", make([]byte, 10<<20), row+":t", make([]byte, 10<<20)),
	} {
		t.Run(name, func(t *testing.T) { corrupted(t, client, spoil) })
	}
}

// corrupted spoils a session and a family, and then uses them.
func corrupted(t *testing.T, client redis.UniversalClient, spoil func(key string) error) {
	set, prefix := fresh(t, client)
	_, err := set.Tokens.Create(t.Context(), newToken())
	if err := errors.Join(err, set.Sessions.Create(t.Context(), newSession()),
		spoil(prefix+"s2:{"+row+"}"), spoil(prefix+"t:{"+family+"}")); err != nil {
		t.Fatal(err)
	}
	if _, found, err := set.Sessions.Load(t.Context(), row); found || !errors.Is(err, stores.ErrCorrupt) {
		t.Errorf("Load: found %v, error %v", found, err)
	}
	if _, found, err := set.Tokens.Find(t.Context(), family, row); found || !errors.Is(err, stores.ErrCorrupt) {
		t.Errorf("Find: found %v, error %v", found, err)
	}
	if _, err := set.Sessions.Update(t.Context(), row, stores.Delta{}); err != nil && !errors.Is(err, stores.ErrCorrupt) {
		t.Errorf("Update: %v", err)
	}
	w := stores.Write{Digest: newSession().Digest, Expires: present().Add(time.Hour), MaxValues: stores.MaxValues}
	if got, err := set.Sessions.(stores.SessionWriter).Write(t.Context(), row, w); got.Found || err != nil && !errors.Is(err, stores.ErrCorrupt) {
		t.Errorf("Write: found %v, error %v", got.Found, err)
	}
	if _, err := set.Tokens.Consume(t.Context(), present(), family, row); err != nil && !errors.Is(err, stores.ErrCorrupt) {
		t.Errorf("Consume: %v", err)
	}
	if existed, err := set.Sessions.Delete(t.Context(), row); !existed || err != nil {
		t.Errorf("Delete = %v, error %v", existed, err)
	}
}

func TestCorruptWindow(t *testing.T) {
	client := openSingle(t)
	set, prefix := fresh(t, client)
	w := windows(1)
	for _, text := range []string{"", "1 2", "1 2 -3", "a b c", strings.Repeat("\xff", 24), strings.Repeat("9", 1000)} {
		if _, err := set.Limiter.Reserve(t.Context(), present(), w...); err != nil {
			t.Fatal(err)
		}
		key := keysOf(t, client, prefix)[0]
		if err := client.Set(t.Context(), key, text, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		if g, err := set.Limiter.Reserve(t.Context(), present(), w...); g.OK() || !errors.Is(err, stores.ErrCorrupt) {
			t.Errorf("Reserve of %.20q: %+v, error %v", text, g, err)
		}
		// Peek considers an empty text to be no window. Reserve reports it.
		if g, err := set.Limiter.Peek(t.Context(), present(), w...); text != "" && (g.OK() || !errors.Is(err, stores.ErrCorrupt)) {
			t.Errorf("Peek of %.20q: %+v, error %v", text, g, err)
		}
		if err := set.Limiter.Reset(t.Context(), w[0].Key); err != nil {
			t.Error(err)
		}
	}
}
