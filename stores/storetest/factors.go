package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Factors tests an implementation of stores.Factors.
func Factors(t *testing.T, factory func(t *testing.T) stores.Factors) {
	run(t, func(t *testing.T) factors { return factors{t, factory(t)} }, factorRules)
}

// factors is a store under test. Its methods report errors to the test, so they may be called from
// any goroutine.
type factors struct {
	*testing.T
	store stores.Factors
}

// factor returns a factor with a new id.
func factor(owner, kind string) stores.Factor {
	return stores.Factor{
		Owner: owner, Kind: kind, ID: newID(), Name: "My phone", Data: randomBytes(64), Counter: 57_000_000, Created: present(),
	}
}

func (s factors) create(f stores.Factor) stores.Factor {
	s.Helper()
	if err := s.store.CreateFactor(s.Context(), f); err != nil {
		s.Fatalf("CreateFactor: %v", err)
	}
	return f
}

func (s factors) of(owner string, kinds ...string) []stores.Factor {
	s.Helper()
	found, err := s.store.FactorsOf(s.Context(), owner, kinds...)
	if err != nil {
		s.Errorf("FactorsOf: %v", err)
	}
	return found
}

// has checks that an owner has these factors, in this order.
func (s factors) has(owner string, want ...stores.Factor) {
	s.Helper()
	got := s.of(owner)
	if len(got) != len(want) {
		s.Fatalf("%d factors, want %d", len(got), len(want))
	}
	for i, f := range got {
		w := want[i]
		if f.Owner != w.Owner || f.Kind != w.Kind || f.ID != w.ID || f.Name != w.Name || !bytes.Equal(f.Data, w.Data) ||
			f.Counter != w.Counter || !sameTime(f.Created, w.Created) || !sameTime(f.LastUsed, w.LastUsed) {
			s.Errorf("factor %d is %+v, want %+v", i, f, w)
		}
	}
}

func (s factors) replace(owner, kind string, list ...stores.Factor) {
	s.Helper()
	if err := s.store.ReplaceFactors(s.Context(), owner, kind, list); err != nil {
		s.Errorf("ReplaceFactors: %v", err)
	}
}

// racers is how many calls run in parallel.
const racers = 200

// wins returns how many of parallel calls returned true.
func (s factors) wins(call func() (bool, error)) int32 {
	return wins(s.T, func(int) (bool, error) { return call() })
}

// wins returns how many of parallel calls returned true.
func wins(t *testing.T, call func(n int) (bool, error)) int32 {
	var won atomic.Int32
	parallel(racers, func(n int) {
		ok, err := call(n)
		if err != nil {
			t.Error(err)
		}
		if ok {
			won.Add(1)
		}
	})
	return won.Load()
}

const owner1, owner2, totp, codes = "users:1", "users:2", "totp", "recovery"

var factorRules = []rule[factors]{
	{"create-round-trip", "FactorsOf returns every field as it was created, the oldest first.", func(s factors) {
		first := factor(owner1, totp)
		second := factor(owner1, codes)
		second.Created, second.LastUsed, second.Name, second.Data = first.Created.Add(time.Second), first.Created, "名", nil
		s.create(second)
		s.create(first)
		s.has(owner1, first, second)
		if got := s.of(owner1, codes); len(got) != 1 || got[0].ID != second.ID {
			s.Errorf("of one kind: %+v", got)
		}
		if got := s.of(owner1, "other"); len(got) != 0 {
			s.Errorf("of another kind: %+v", got)
		}
	}},
	{"create-exists", "CreateFactor of a factor that exists returns ErrExists and changes nothing.", func(s factors) {
		f := s.create(factor(owner1, totp))
		again := f
		again.Data, again.Counter = []byte("changed"), f.Counter+1
		if err := s.store.CreateFactor(s.Context(), again); !errors.Is(err, stores.ErrExists) {
			s.Errorf("error %v, want ErrExists", err)
		}
		s.has(owner1, f)
	}},
	{"create-refused", "CreateFactor of a factor that Validate refuses is an error and stores nothing.", func(s factors) {
		for name, spoil := range map[string]func(*stores.Factor){
			"owner": func(f *stores.Factor) { f.Owner = "" }, "kind": func(f *stores.Factor) { f.Kind = "a:b" },
			"no kind": func(f *stores.Factor) { f.Kind = "" }, "id": func(f *stores.Factor) { f.ID = "../x" },
			"name": func(f *stores.Factor) { f.Name = "a\x00" }, "data": func(f *stores.Factor) { f.Data = make([]byte, 4097) },
			"counter": func(f *stores.Factor) { f.Counter = -1 },
		} {
			f := factor(owner1, totp)
			spoil(&f)
			if err := s.store.CreateFactor(s.Context(), f); err == nil {
				s.Errorf("%s is accepted", name)
			}
		}
		s.has(owner1)
	}},
	{"owners", "Factors of one owner are not those of another, however similar the names are.", func(s factors) {
		f := s.create(factor(owner1, totp))
		for _, other := range append(strangers(owner1), hostileNames(newID())...) {
			if got, _ := s.store.FactorsOf(s.Context(), other); len(got) != 0 {
				s.Errorf("%q has %d factors", other, len(got))
			}
			if ok, _ := s.store.DeleteFactor(s.Context(), other, totp, f.ID); ok {
				s.Errorf("%q deleted the factor", other)
			}
			if ok, _ := s.store.AdvanceFactor(s.Context(), present(), other, totp, f.ID, f.Counter+1, nil); ok {
				s.Errorf("%q used the factor", other)
			}
		}
		s.has(owner1, f)
	}},
	{"advance", "AdvanceFactor raises the counter and sets LastUsed, and Data if it is given, and refuses one that is not higher.", func(s factors) {
		f := s.create(factor(owner1, totp))
		now := present()
		for _, step := range []struct {
			counter int64
			want    bool
		}{{f.Counter, false}, {f.Counter - 1, false}, {f.Counter + 2, true}, {f.Counter + 1, false}, {f.Counter + 2, false}} {
			ok, err := s.store.AdvanceFactor(s.Context(), now, owner1, totp, f.ID, step.counter, nil)
			if err != nil || ok != step.want {
				s.Errorf("to %d: %v, %v", step.counter, ok, err)
			}
		}
		f.Counter, f.LastUsed = f.Counter+2, now
		s.has(owner1, f)
		data := randomBytes(32)
		if ok, err := s.store.AdvanceFactor(s.Context(), now, owner1, totp, f.ID, f.Counter+1, data); !ok || err != nil {
			s.Errorf("with data: %v, %v", ok, err)
		}
		f.Counter, f.Data = f.Counter+1, bytes.Clone(data)
		data[0]++
		s.has(owner1, f)
		if ok, err := s.store.AdvanceFactor(s.Context(), now, owner1, totp, newID(), 1, nil); ok || err != nil {
			s.Errorf("of a factor that does not exist: %v, %v", ok, err)
		}
	}},
	{"advance-race", "Of 200 parallel AdvanceFactor with one counter exactly one returns true.", func(s factors) {
		f := s.create(factor(owner1, totp))
		for i := range rounds(2) {
			counter := f.Counter + int64(i) + 1
			if n := s.wins(func() (bool, error) {
				return s.store.AdvanceFactor(s.Context(), present(), owner1, totp, f.ID, counter, nil)
			}); n != 1 {
				s.Errorf("%d calls returned true", n)
			}
		}
	}},
	{"delete-race", "Of 200 parallel DeleteFactor exactly one returns true.", func(s factors) {
		f := s.create(factor(owner1, codes))
		other := s.create(factor(owner1, codes))
		if n := s.wins(func() (bool, error) { return s.store.DeleteFactor(s.Context(), owner1, codes, f.ID) }); n != 1 {
			s.Errorf("%d calls returned true", n)
		}
		s.has(owner1, other)
	}},
	{"create-race", "Of 200 parallel CreateFactor of one name exactly one succeeds.", func(s factors) {
		f := factor(owner1, totp)
		if n := s.wins(func() (bool, error) {
			err := s.store.CreateFactor(s.Context(), f)
			if errors.Is(err, stores.ErrExists) {
				return false, nil
			}
			return err == nil, err
		}); n != 1 {
			s.Errorf("%d calls succeeded", n)
		}
		s.has(owner1, f)
	}},
	{"replace", "ReplaceFactors replaces all of one kind and keeps the others; without factors it deletes.", func(s factors) {
		kept, before, after := s.create(factor(owner1, totp)), s.create(factor(owner1, codes)), factor(owner1, codes)
		other := s.create(factor(owner2, codes))
		kept.Created = present()
		s.replace(owner1, codes, before, after)
		if got := s.of(owner1, codes); len(got) != 2 {
			s.Errorf("%d factors", len(got))
		}
		s.replace(owner1, codes, after)
		if got := s.of(owner1, codes); len(got) != 1 || got[0].ID != after.ID {
			s.Errorf("%+v", got)
		}
		s.replace(owner1, codes)
		if got := s.of(owner1); len(got) != 1 || got[0].ID != kept.ID {
			s.Errorf("%+v", got)
		}
		s.has(owner2, other)
		if err := s.store.ReplaceFactors(s.Context(), owner1, codes, []stores.Factor{factor(owner2, codes)}); err == nil {
			s.Error("a factor of another owner is accepted")
		}
	}},
	{"replace-race", "Of parallel ReplaceFactors the factors of one stay, all of them and no others.", func(s factors) {
		const calls, each = 16, 10
		parallel(calls, func(i int) {
			list := make([]stores.Factor, each)
			for j := range list {
				list[j] = factor(owner1, codes)
				list[j].Name = fmt.Sprint(i)
			}
			s.replace(owner1, codes, list...)
		})
		got := s.of(owner1)
		names := make(map[string]bool)
		for _, f := range got {
			names[f.Name] = true
		}
		if len(got) != each || len(names) != 1 {
			s.Errorf("%d factors of %d calls", len(got), len(names))
		}
	}},
	{"retains-nothing", "The caller may change the data of a factor afterwards.", func(s factors) {
		f := factor(owner1, totp)
		want := f
		want.Data = bytes.Clone(f.Data)
		s.create(f)
		f.Data[0]++
		s.of(owner1)[0].Data[1]++
		s.has(owner1, want)
	}},
	{"context", "A call whose context has ended returns its error and changes nothing.", func(s factors) {
		f := s.create(factor(owner1, totp))
		refusesEnded(s.T, []call{
			{"FactorsOf", func(ctx context.Context) error { _, err := s.store.FactorsOf(ctx, owner1); return err }},
			{"AdvanceFactor", func(ctx context.Context) error {
				_, err := s.store.AdvanceFactor(ctx, present(), owner1, totp, f.ID, f.Counter+1, nil)
				return err
			}},
			{"DeleteFactor", func(ctx context.Context) error {
				_, err := s.store.DeleteFactor(ctx, owner1, totp, f.ID)
				return err
			}},
			{"CreateFactor", func(ctx context.Context) error { return s.store.CreateFactor(ctx, factor(owner1, totp)) }},
			{"ReplaceFactors", func(ctx context.Context) error { return s.store.ReplaceFactors(ctx, owner1, totp, nil) }},
		})
		s.has(owner1, f)
	}},
}
