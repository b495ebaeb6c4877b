package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/redisstore"
)

// A hook counts what a client sends. The function before sees each command. If it returns
// true, it has answered the command itself.
type hook struct {
	before func(cmd redis.Cmder) (done bool)
	sent   atomic.Int64
}

func (h *hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.sent.Add(1)
		if h.before != nil && h.before(cmd) {
			return cmd.Err()
		}
		return next(ctx, cmd)
	}
}

func (h *hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.sent.Add(1)
		if h.before != nil {
			for _, cmd := range cmds {
				if h.before(cmd) {
					return cmd.Err()
				}
			}
		}
		return next(ctx, cmds)
	}
}

// loggingIn returns a delta that gives the session other owners.
func loggingIn(owners ...string) stores.Delta {
	s := newSession()
	return stores.Delta{
		LastSeen: s.LastSeen, Expires: s.Expires,
		Principals: &stores.Principals{Owners: owners}, Rename: &stores.Rename{Old: s.Digest, New: s.Digest},
	}
}

// A step is a call and the number of round trips that it takes.
type step struct {
	name string
	want int64
	call func() error
}

// roundTrips makes the calls and checks how many round trips each of them takes.
func roundTrips(t *testing.T, client redis.UniversalClient, steps []step) {
	t.Helper()
	teach(t, client)
	h := &hook{}
	client.AddHook(h)
	for _, step := range steps {
		h.sent.Store(0)
		if err := step.call(); err != nil || h.sent.Load() != step.want {
			t.Errorf("%s: %d round trips, error %v; want %d", step.name, h.sent.Load(), err, step.want)
		}
	}
}

func TestRoundTrips(t *testing.T) {
	client := openSingle(t)
	set, _ := fresh(t, client)
	ctx, now, child := t.Context(), present(), newToken()
	child.ID = second
	roundTrips(t, client, []step{
		{"Reserve", 1, func() error { _, err := set.Limiter.Reserve(ctx, now, windows(3)...); return err }},
		{"Peek", 1, func() error { _, err := set.Limiter.Peek(ctx, now, windows(3)...); return err }},
		{"Settle", 1, func() error {
			w := windows(3)
			return stores.Settle(ctx, set.Limiter, []stores.Slot{{Key: w[0].Key}, {Key: w[1].Key}}, []stores.Digest{w[2].Key})
		}},
		{"Create of an owner's token", 2, func() error { _, err := set.Tokens.Create(ctx, newToken()); return err }},
		{"CreateLimited", 1, func() error { return creatingToken(set.Tokens, second)(ctx) }},
		{"Find", 1, func() error { _, _, err := set.Tokens.Find(ctx, family, row); return err }},
		{"Touch", 1, func() error { return set.Tokens.Touch(ctx, now, family, row) }},
		{"MarkDelivered", 1, func() error { return set.Tokens.MarkDelivered(ctx, now, family, row) }},
		{"Rotate", 1, func() error { _, err := set.Tokens.Rotate(ctx, now, row, child); return err }},
		{"Consume", 1, func() error { _, err := set.Tokens.Consume(ctx, now, family, second); return err }},
		{"TokensOf", 2, func() error { _, err := set.Tokens.TokensOf(ctx, "ann", 10); return err }},
		{"RevokeOwner", 2, func() error { _, err := set.Tokens.RevokeOwner(ctx, now, "ann", ""); return err }},
	})
}

func TestRoundTripsOfSessions(t *testing.T) {
	client := openSingle(t)
	set, _ := fresh(t, client)
	ctx, now := t.Context(), present()
	update := func(d stores.Delta) func() error {
		return func() error {
			got, err := set.Sessions.Update(ctx, row, d)
			if got != stores.Updated {
				t.Errorf("Update: %v, want updated", got)
			}
			return err
		}
	}
	leaving := loggingIn("bob")
	leaving.Expires = time.Time{}
	clearing := loggingIn("cid")
	clearing.Clear, clearing.Set = true, map[string][]byte{"b": nil}
	for range 2 { // the server may not have the scripts yet
		if err := creatingLimited(set.Sessions, "dan")(); err != nil {
			t.Fatal(err)
		}
		if _, err := set.Sessions.Update(ctx, row, loggingIn("dan")); err != nil {
			t.Fatal(err)
		}
	}
	roundTrips(t, client, []step{
		{"Create of an owner's session", 1, func() error { return set.Sessions.Create(ctx, newSession()) }},
		{"Load", 1, func() error { _, _, err := set.Sessions.Load(ctx, row); return err }},
		{"Update", 1, update(stores.Delta{
			Set: map[string][]byte{"a": nil}, Remove: []string{"b"}, LastSeen: now, Expires: now.Add(2 * time.Hour),
		})},
		{"login of the owner", 1, update(loggingIn("ann"))},
		{"login of two owners", 1, update(loggingIn("ann", "bob"))},
		{"logout of one", 1, update(leaving)},
		{"logout of both", 1, update(loggingIn())},
		{"login again", 1, update(loggingIn("bob", "ann"))},
		{"login that clears", 1, update(clearing)},
		{"login of two again", 1, update(loggingIn("bob", "ann"))},
		{"SessionsOf", 2, func() error { _, err := set.Sessions.(stores.SessionIndex).SessionsOf(ctx, "ann", 1000); return err }},
		{"Delete", 2, func() error { _, err := set.Sessions.Delete(ctx, row); return err }},
		{"creation with a limit", 1, creatingLimited(set.Sessions, "eve")},
		{"creation beyond the limit", 4, creatingLimited(set.Sessions, "dan")},
	})
}

// creatingToken creates a token of a family of its own, and of an owner who may have two.
func creatingToken(tokens stores.Tokens, name string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		t := newToken()
		t.ID, t.Family = name, name
		ok, _, err := tokens.(stores.TokenLimit).CreateLimited(ctx, present(), t, stores.FamilyLimit{Families: 2})
		if err == nil && !ok {
			err = errors.New("the token was not created")
		}
		return err
	}
}

// crossSlot is what a proxy in front of several servers answers to a script whose keys are on two of them.
type crossSlot struct{}

func (crossSlot) Error() string { return "CROSSSLOT Keys in request don't hash to the same slot" }
func (crossSlot) RedisError()   {}

// TestBehindProxyOfServers uses a client that looks like one of a single server, and is not.
func TestBehindProxyOfServers(t *testing.T) {
	client := openSingle(t)
	set, _ := fresh(t, client)
	tag := regexp.MustCompile(`\{[^}]*\}`)
	refused := 0
	h := &hook{before: func(cmd redis.Cmder) bool {
		args := cmd.Args()
		if !strings.HasPrefix(cmd.Name(), "eval") {
			return false
		}
		n, _ := args[2].(int)
		slots := make(map[string]bool)
		for _, key := range args[3 : 3+n] {
			slot := key.(string)
			if braced := tag.FindString(slot); braced != "" {
				slot = braced
			}
			slots[slot] = true
		}
		if len(slots) > 1 {
			refused++
			cmd.SetErr(crossSlot{})
		}
		return len(slots) > 1
	}}
	client.AddHook(h)
	ctx := t.Context()
	for range 3 {
		if err := creatingLimited(set.Sessions, "ann")(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if err := creatingToken(set.Tokens, fmt.Sprintf("%032x", i))(ctx); err != nil {
			t.Fatal(err)
		}
	}
	grant, err := set.Limiter.Reserve(ctx, present(), windows(3)...)
	if err != nil || !grant.OK() {
		t.Errorf("Reserve: %v, error %v", grant, err)
	}
	sessions, err := set.Sessions.(stores.SessionIndex).SessionsOf(ctx, "ann", 10)
	if err != nil || len(sessions) != 1 {
		t.Errorf("%d sessions, error %v; want 1", len(sessions), err)
	}
	tokens, err := set.Tokens.TokensOf(ctx, "ann", 10)
	if err != nil || len(tokens) != 2 {
		t.Errorf("%d tokens, error %v; want 2", len(tokens), err)
	}
	if refused != 1 {
		t.Errorf("%d scripts were refused, want 1: it is known then", refused)
	}
}

// TestBehindProxyOfServersAtOnce makes the first calls of a client at the same time.
func TestBehindProxyOfServersAtOnce(t *testing.T) {
	client := openSingle(t)
	set, _ := fresh(t, client)
	const calls = 8
	var arrived, done sync.WaitGroup
	arrived.Add(calls)
	var met atomic.Int64
	client.AddHook(&hook{before: func(cmd redis.Cmder) bool {
		n, _ := cmd.Args()[min(2, len(cmd.Args())-1)].(int)
		if !strings.HasPrefix(cmd.Name(), "eval") || n < 2 || met.Add(1) > calls {
			return false
		}
		arrived.Done()
		arrived.Wait() // all of them ask before the first one knows
		cmd.SetErr(crossSlot{})
		return true
	}})
	for i := range calls {
		done.Go(func() {
			if err := creatingToken(set.Tokens, fmt.Sprintf("%032x", i))(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}

// TestInterruptedIdentity stores an identity after a call that got no further than its first step.
func TestInterruptedIdentity(t *testing.T) {
	set, prefix := fresh(t, openSingle(t))
	i := stores.Identity{Provider: "one", Subject: "carol", Owner: "users:7", Created: present(), LastUsed: present()}
	known := i
	known.Subject = "dave"
	if err := set.Identities.CreateIdentity(t.Context(), known); err != nil { // teaches the server the scripts
		t.Fatal(err)
	}
	scripts := 0
	h := &hook{before: func(cmd redis.Cmder) bool {
		if strings.HasPrefix(cmd.Name(), "eval") {
			scripts++
		}
		if scripts > 1 {
			cmd.SetErr(errors.New("the connection is lost"))
		}
		return scripts > 1
	}}
	broken := openSingle(t)
	broken.AddHook(h)
	ctx := t.Context()
	if err := redisstore.New(broken, redisstore.WithPrefix(prefix)).Identities.CreateIdentity(ctx, i); err == nil {
		t.Fatal("the identity was stored")
	}
	if _, found, err := set.Identities.FindIdentity(ctx, "one", "carol"); found || err != nil {
		t.Errorf("found %v, error %v: it was never confirmed", found, err)
	}
	if used, err := set.Identities.UseIdentity(ctx, present(), i.Owner, "one", "carol", []byte("{}")); used || err != nil {
		t.Errorf("used %v, error %v", used, err)
	}
	other := i
	other.Owner = "users:8"
	if err := set.Identities.CreateIdentity(ctx, other); !errors.Is(err, stores.ErrExists) {
		t.Errorf("another user: error %v", err)
	}
	if err := set.Identities.CreateIdentity(ctx, i); err != nil {
		t.Fatal(err)
	}
	if _, found, err := set.Identities.FindIdentity(ctx, "one", "carol"); !found || err != nil {
		t.Errorf("found %v, error %v", found, err)
	}
	if list, err := set.Identities.IdentitiesOf(ctx, i.Owner); len(list) != 2 || err != nil {
		t.Errorf("%d identities, error %v", len(list), err)
	}
}

// creatingLimited creates another session of an owner, who may have one.
func creatingLimited(sessions stores.Sessions, owner string) func() error {
	return func() error {
		s := newSession()
		s.Row, s.Owners = fmt.Sprintf("%032x", rand.Uint64()), []string{owner}
		_, err := sessions.(stores.SessionLimit).CreateLimited(context.Background(), s, 1)
		return err
	}
}

// TestRevokeOwnerBesideCreate calls RevokeOwner between the two steps of a Create.
func TestRevokeOwnerBesideCreate(t *testing.T) {
	onServers(t, func(t *testing.T, client redis.UniversalClient) {
		personal := newToken()
		personal.Kind = stores.Personal
		for _, c := range []struct {
			name   string
			token  stores.Token
			except string
			want   bool
		}{
			{"of the kind that is revoked", newToken(), "", false},
			{"of another kind", personal, "", true},
			{"excepted", newToken(), family, true},
		} {
			set, prefix := fresh(t, client)
			scripts := 0
			h := &hook{}
			h.before = func(cmd redis.Cmder) bool {
				if strings.HasPrefix(cmd.Name(), "eval") && strings.Contains(cmd.String(), prefix+"t:") {
					if scripts++; scripts == 1 {
						n, err := set.Tokens.RevokeOwner(t.Context(), present(), "ann", c.except, stores.Refresh)
						if err != nil || n != 0 {
							t.Errorf("%s: RevokeOwner = %d, error %v; want 0", c.name, n, err)
						}
					}
				}
				return false
			}
			client.AddHook(h)
			made, err := set.Tokens.Create(t.Context(), c.token)
			if err != nil || made != c.want {
				t.Errorf("%s: Create = %v, error %v; want %v", c.name, made, err, c.want)
			}
			if _, found, err := set.Tokens.Find(t.Context(), family, row); err != nil || found != c.want {
				t.Errorf("%s: Find: found %v, error %v; want %v", c.name, found, err, c.want)
			}
		}
	})
}

// TestSplitServer simulates a proxy that looks like one server and is a cluster.
func TestSplitServer(t *testing.T) {
	client := openSingle(t)
	client.AddHook(&hook{before: func(cmd redis.Cmder) bool {
		keys, _ := cmd.Args()[min(2, len(cmd.Args())-1)].(int)
		split := strings.HasPrefix(cmd.Name(), "eval") && keys > 1
		if split {
			cmd.SetErr(redis.ErrCrossSlot)
		}
		return split
	}})
	for name, ask := range map[string]func(stores.Limiter, []stores.Window) (stores.Grant, error){
		"Reserve": func(l stores.Limiter, w []stores.Window) (stores.Grant, error) {
			return l.Reserve(t.Context(), present(), w...)
		},
		"Peek": func(l stores.Limiter, w []stores.Window) (stores.Grant, error) {
			return l.Peek(t.Context(), present(), w...)
		},
	} {
		set, _ := fresh(t, client)
		w := windows(3)
		w[2].Key, w[2].Limit = w[0].Key, 1
		if g, err := ask(set.Limiter, w); err != nil || g.Full != 2 {
			t.Errorf("%s: %+v, error %v; want full 2", name, g, err)
		}
		w[2].Limit = 2
		if g, err := ask(set.Limiter, w); err != nil || !g.OK() {
			t.Errorf("%s: %+v, error %v; want slots", name, g, err)
		}
	}
}
