package redisstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// TestEveryKeyExpires checks that each key has a time to live.
func TestEveryKeyExpires(t *testing.T) { // S11
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		set, prefix := fresh(t, client)
		ctx, now, child := t.Context(), present(), newToken()
		child.ID = second
		w := windows(2)
		grant, err := set.Limiter.Reserve(ctx, now, w...)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []func() error{
			func() error { return set.Sessions.Create(ctx, newSession()) },
			func() error {
				d := stores.Delta{
					Principals: &stores.Principals{Owners: []string{"bob", "ann"}},
					Rename:     &stores.Rename{Old: newSession().Digest, New: newSession().Digest},
				}
				got, err := set.Sessions.Update(ctx, row, d)
				if got != stores.Updated {
					t.Errorf("Update: %v", got)
				}
				return err
			},
			func() error { _, err := set.Tokens.Create(ctx, newToken()); return err },
			func() error { _, err := set.Tokens.Rotate(ctx, now, row, child); return err },
			func() error { return set.Limiter.Refund(ctx, grant.Slots[0]) },
		} {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}
		keys := keysOf(t, client, prefix)
		if len(keys) != 8 {
			t.Errorf("%d keys, want a row, 2 indexes of it, a family, its ends, its index and 2 windows: %q", len(keys), keys)
		}
		for _, key := range keys {
			left, err := client.PTTL(ctx, key).Result()
			if err != nil || left < time.Minute || left > 50*time.Hour {
				t.Errorf("%s lives for %v, error %v", key, left, err)
			}
		}
	})
}

// TestPast stores records that have already expired, which is no error.
func TestPast(t *testing.T) { // F13
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		for _, end := range []time.Time{present().Add(-time.Hour), time.Unix(-1, 0), time.Unix(0, 0), {}} {
			set, _ := fresh(t, client)
			s, token := newSession(), newToken()
			s.Expires, token.Expires, token.FamilyExpires = end, end, end
			if err := set.Sessions.Create(t.Context(), s); err != nil {
				t.Errorf("Create of a session that ended at %v: %v", end, err)
			}
			if ok, err := set.Tokens.Create(t.Context(), token); err != nil || !ok {
				t.Errorf("Create of a token that ended at %v: %v, error %v", end, ok, err)
			}
			s.Expires = present().Add(time.Hour)
			_, _ = set.Sessions.Delete(t.Context(), row)
			if err := set.Sessions.Create(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if end.IsZero() {
				continue // because zero keeps the expiry
			}
			if got, err := set.Sessions.Update(t.Context(), row, stores.Delta{Expires: end}); err != nil || got != stores.Updated {
				t.Errorf("Update to the end %v: %v, error %v", end, got, err)
			}
			if _, found, err := set.Sessions.Load(t.Context(), row); err != nil || found {
				t.Errorf("after it Load: found %v, error %v", found, err)
			}
		}
	})
}

// TestServerAhead stores records that have expired by the server's clock, but not by ours.
func TestServerAhead(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		set, _ := fresh(t, client)
		ctx, now, token, w := t.Context(), present().Add(-10*time.Hour), newToken(), windows(1)[0]
		token.Created, token.Expires, token.FamilyExpires = now, now.Add(time.Hour), now.Add(time.Hour)
		w.Limit = 1
		if ok, err := set.Tokens.Create(ctx, token); err != nil || !ok {
			t.Fatalf("Create = %v, error %v", ok, err)
		}
		if list, err := set.Tokens.TokensOf(ctx, "ann", 10); err != nil || len(list) != 1 {
			t.Errorf("TokensOf: %d tokens, error %v", len(list), err)
		}
		if n, err := set.Tokens.RevokeOwner(ctx, now, "ann", ""); err != nil || n != 1 {
			t.Errorf("RevokeOwner = %d, error %v", n, err)
		}
		if ok, err := set.Tokens.Consume(ctx, now, family, row); err != nil || ok {
			t.Errorf("Consume after it = %v, error %v", ok, err)
		}
		for _, want := range []bool{true, false} {
			if g, err := set.Limiter.Reserve(ctx, now, w); err != nil || g.OK() != want {
				t.Errorf("Reserve: %+v, error %v; want %v", g, err, want)
			}
		}
	})
}

// TestProlonged keeps a session alive for longer than it was first listed.
func TestProlonged(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		set, prefix := fresh(t, client)
		s := newSession()
		if err := set.Sessions.Create(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			s.Expires = s.Expires.Add(23 * time.Hour)
			written := stores.Written{}
			if i >= 3 {
				w := stores.Write{Digest: s.Digest, MaxValues: stores.MaxValues, LastSeen: present(), Expires: s.Expires}
				var err error
				if written, err = set.Sessions.(stores.SessionWriter).Write(t.Context(), row, w); err != nil {
					t.Fatal(err)
				}
			}
			// A Write does not prolong the entry in the index, but leaves that to an Update.
			if !written.Done {
				got, err := set.Sessions.Update(t.Context(), row, stores.Delta{Expires: s.Expires})
				if err != nil || got != stores.Updated {
					t.Fatalf("Update: %v, error %v", got, err)
				}
			}
			for _, key := range keysOf(t, client, prefix) {
				if left := client.PTTL(t.Context(), key).Val(); left < time.Until(s.Expires) {
					t.Errorf("%s lives for %v, the session for %v", key, left, time.Until(s.Expires))
				}
			}
		}
	})
}

// TestMarks deletes sessions in every way. Each leaves a mark that expires, what does not exist none.
func TestMarks(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		for name, end := range map[string]func(stores.SessionLimit) error{
			"Delete": func(s stores.SessionLimit) error { _, err := s.(stores.Sessions).Delete(t.Context(), row); return err },
			"DeleteSessionsOf": func(s stores.SessionLimit) error {
				_, err := s.DeleteSessionsOf(t.Context(), "ann", "")
				return err
			},
			"the limit": func(s stores.SessionLimit) error {
				other := newSession()
				other.Row, other.LastSeen = second, other.LastSeen.Add(time.Minute)
				_, err := s.CreateLimited(t.Context(), other, 1)
				return err
			},
		} {
			set, prefix := fresh(t, client)
			mark := prefix + "sd:{" + row + "}"
			if _, err := set.Sessions.Delete(t.Context(), row); err != nil || client.Exists(t.Context(), mark).Val() != 0 {
				t.Errorf("%s: what does not exist is marked, error %v", name, err)
			}
			if err := errors.Join(set.Sessions.Create(t.Context(), newSession()), end(set.Sessions.(stores.SessionLimit))); err != nil {
				t.Fatal(err)
			}
			left := client.PTTL(t.Context(), mark).Val()
			if left <= stores.DeletedFor/2 || left > stores.DeletedFor {
				t.Errorf("%s: the mark expires in %v", name, left)
			}
		}
	})
}

// TestSize applies random changes to a session, and then fills it up to the limit.
func TestSize(t *testing.T) {
	client := openSingle(t)
	set, prefix := fresh(t, client)
	s := newSession()
	if err := set.Sessions.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	update := func(d stores.Delta) error { _, err := set.Sessions.Update(t.Context(), row, d); return err }
	for range 200 {
		d := stores.Delta{Set: map[string][]byte{}}
		for i := range rand.IntN(5) {
			key := strings.Repeat(strconv.Itoa(i), 1+rand.IntN(2)*130)
			d.Set[key] = make([]byte, []int{0, 1, 127, 128, 20_000}[rand.IntN(5)])
			d.Remove = append(d.Remove, key+"x", "color", "color")
		}
		err := update(d)
		if rand.IntN(2) == 0 {
			w := stores.Write{Digest: s.Digest, Set: d.Set, LastSeen: present(), Expires: s.Expires, MaxValues: stores.MaxValues}
			written, failed := set.Sessions.(stores.SessionWriter).Write(t.Context(), row, w)
			err = errors.Join(err, failed)
			if !written.Done && err == nil {
				t.Fatal("a Write was not done")
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := set.Sessions.Load(t.Context(), row)
		field, _ := client.HGet(t.Context(), prefix+"s2:{"+row+"}", "m").Bytes()
		size := int(binary.BigEndian.Uint32(field[64:]))
		if err != nil || size != max(got.Values.Size()-1, 0) {
			t.Fatalf("counted %d bytes, there are %d, error %v", size, got.Values.Size(), err)
		}
	}
	before, _, _ := set.Sessions.Load(t.Context(), row)
	left := stores.MaxValues - before.Values.Size() - len("big") - 1 - 3
	if err := update(stores.Delta{Set: map[string][]byte{"big": make([]byte, left+1)}}); err == nil {
		t.Error("a change over the limit is accepted")
	}
	after, _, _ := set.Sessions.Load(t.Context(), row)
	if !bytes.Equal(before.Values.Encoded(), after.Values.Encoded()) {
		t.Error("a change that was refused changed something")
	}
	if err := update(stores.Delta{Set: map[string][]byte{"big": make([]byte, left)}}); err != nil {
		t.Errorf("a change up to the limit: %v", err)
	}
}

// TestTrim rotates tokens of a family for days.
func TestTrim(t *testing.T) {
	client := openSingle(t)
	set, prefix := fresh(t, client)
	token := newToken()
	token.FamilyExpires = token.Created.Add(1000 * time.Hour)
	if _, err := set.Tokens.Create(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	now := token.Created
	for i := range 200 {
		now = now.Add(20 * time.Minute)
		child := token
		child.ID, child.Expires = fmt.Sprintf("%032x", i), now.Add(time.Hour)
		if got, err := set.Tokens.Rotate(t.Context(), now, token.ID, child); err != nil || got != stores.RotateDone {
			t.Fatalf("Rotate %d: %v, error %v", i, got, err)
		}
		token = child
	}
	if n := client.HLen(t.Context(), prefix+"t:{"+family+"}").Val(); n > 30 {
		t.Errorf("the family has %d fields", n)
	}
	if n := client.ZCard(t.Context(), prefix+"e:{"+family+"}").Val(); n > 6 {
		t.Errorf("the family has %d members", n)
	}
	if _, found, err := set.Tokens.Find(t.Context(), family, token.ID); err != nil || !found {
		t.Errorf("the last one: found %v, error %v", found, err)
	}
}

// TestManyKeys sets and removes more keys at once than Lua has room for arguments.
func TestManyKeys(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		set, _ := fresh(t, client)
		if err := set.Sessions.Create(t.Context(), newSession()); err != nil {
			t.Fatal(err)
		}
		keys := stores.Delta{Set: make(map[string][]byte)}
		for i := range 20_000 {
			keys.Set[strconv.Itoa(i)] = []byte("value")
		}
		before, _, err := set.Sessions.Load(t.Context(), row)
		if err != nil {
			t.Fatal(err)
		}
		want := before.Values.With(keys)
		remove := stores.Delta{Remove: slices.Collect(maps.Keys(keys.Set))}
		for _, step := range []struct {
			delta stores.Delta
			want  stores.Values
		}{{keys, want}, {remove, before.Values}} {
			if got, err := set.Sessions.Update(t.Context(), row, step.delta); err != nil || got != stores.Updated {
				t.Fatalf("Update: %v, error %v", got, err)
			}
			if got, _, err := set.Sessions.Load(t.Context(), row); err != nil || got.Values != step.want {
				t.Errorf("%d keys afterwards, error %v; want %d", got.Values.Len(), err, step.want.Len())
			}
		}
	})
}

func TestPanicsAtStart(t *testing.T) {
	for want, start := range map[string]func(){
		"nil client":       func() { redisstore.New(nil) },
		"contains a brace": func() { redisstore.New(redis.NewClient(&redis.Options{}), redisstore.WithPrefix("{app}")) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("panic %q, want one with %q", got, want)
				}
			}()
			start()
		}()
	}
}
