package redisstore_test

import (
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// BenchmarkStores measures calls, and a GET, which is the cost of a round trip.
func BenchmarkStores(b *testing.B) {
	client := openSingle(b)
	set, prefix := fresh(b, client)
	ctx, s, w := b.Context(), newSession(), windows(3)
	for i := range w {
		w[i].Limit = 1 << 40
	}
	if err := set.Sessions.Create(ctx, s); err != nil {
		b.Fatal(err)
	}
	if err := client.Set(ctx, prefix+"text", "x", time.Hour).Err(); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"GET", func() error { return client.Get(ctx, prefix+"text").Err() }},
		{"Load", func() error { _, _, err := set.Sessions.Load(ctx, row); return err }},
		{"Update", func() error {
			_, err := set.Sessions.Update(ctx, row, stores.Delta{
				Set: map[string][]byte{"cart": []byte("1234567890")}, LastSeen: s.LastSeen, Expires: s.LastSeen.Add(time.Hour),
			})
			return err
		}},
		{"Reserve3", func() error { _, err := set.Limiter.Reserve(ctx, s.LastSeen, w...); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if err := c.call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
