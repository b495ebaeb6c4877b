package gate_test

import (
	"fmt"
	"testing"

	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

// newBenchGate returns a gate with a thousand abilities, for a user whose AuthID
// allocates.
func newBenchGate() *gate.Gate {
	g := gate.New()
	for i := range 1000 {
		gate.Define(g, fmt.Sprintf("ability-%d", i), owns)
	}
	gate.DefineUser(g, "enter", yes)
	gate.RegisterPolicy[*models.User, *post](g, postPolicy{})
	return g.ForUser(userWithID(123456))
}

func BenchmarkGate(b *testing.B) {
	g := newBenchGate()
	own, other := &post{AuthorID: 123456}, &post{AuthorID: 1}
	for _, bm := range []struct {
		name     string
		ability  string
		resource []any
		want     bool
	}{
		{"policy", "update", []any{own}, true},
		{"policy decision", "forceDelete", []any{own}, true},
		{"policy denies", "update", []any{other}, false},
		{"type", "create", []any{gate.OfType[*post]()}, true},
		{"ability", "ability-500", []any{own}, true},
		{"ability without resource", "enter", nil, true},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				if g.Allows(ctx, bm.ability, bm.resource...) != bm.want {
					b.Fatal("wrong answer")
				}
			}
		})
	}
}

func BenchmarkGateParallel(b *testing.B) {
	g := newBenchGate()
	own := &post{AuthorID: 123456}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !g.Allows(b.Context(), "update", own) {
				b.Error("wrong answer")
				return
			}
		}
	})
}

func BenchmarkGateDefine1000(b *testing.B) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("ability-%d", i)
	}
	for b.Loop() {
		g := gate.New()
		for _, name := range names {
			gate.Define(g, name, owns)
		}
	}
}

// TestAllocations tests that a check on a resource allocates nothing.
func TestAllocations(t *testing.T) {
	g, ctx := newBenchGate(), t.Context()
	own, other := &post{AuthorID: 123456}, &post{AuthorID: 1}
	allocs := testing.AllocsPerRun(100, func() {
		g.Allows(ctx, "update", own)
		g.Allows(ctx, "update", other)
		g.Allows(ctx, "create", gate.OfType[*post]())
		g.Allows(ctx, "ability-500", own)
	})
	if allocs != 0 {
		t.Errorf("%v allocations in four checks, want none", allocs)
	}
}
