package ginauth_test

import (
	"fmt"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// newBenchGate returns a gate with a thousand abilities, bound to a request of
// a user whose id takes an allocation to format.
func newBenchGate() *ginauth.Gate {
	g := ginauth.NewGate()
	for i := range 1000 {
		ginauth.Define(g, fmt.Sprintf("ability-%d", i), gateOwns)
	}
	ginauth.DefineUser(g, "enter", gateYes)
	ginauth.RegisterPolicy[*models.User, *gatePost](g, gatePostPolicy{})
	return g.ForUser(gateUser(123456))
}

func BenchmarkGate(b *testing.B) {
	g := newBenchGate()
	own, other := &gatePost{AuthorID: 123456}, &gatePost{AuthorID: 1}
	for _, bm := range []struct {
		name     string
		ability  string
		resource []any
		want     bool
	}{
		{"policy", "update", []any{own}, true},
		{"policy decision", "forceDelete", []any{own}, true},
		{"policy denies", "update", []any{other}, false},
		{"type", "create", []any{ginauth.OfType[*gatePost]()}, true},
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
	own := &gatePost{AuthorID: 123456}
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
		g := ginauth.NewGate()
		for _, name := range names {
			ginauth.Define(g, name, gateOwns)
		}
	}
}

// The promise behind the figures: a check on a resource allocates nothing.
func TestGateAllocations(t *testing.T) {
	g, ctx := newBenchGate(), t.Context()
	own, other := &gatePost{AuthorID: 123456}, &gatePost{AuthorID: 1}
	allocs := testing.AllocsPerRun(100, func() {
		g.Allows(ctx, "update", own)
		g.Allows(ctx, "update", other)
		g.Allows(ctx, "create", ginauth.OfType[*gatePost]())
		g.Allows(ctx, "ability-500", own)
	})
	if allocs != 0 {
		t.Errorf("%v allocations in four checks, want none", allocs)
	}
}
