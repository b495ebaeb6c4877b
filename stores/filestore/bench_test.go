package filestore_test

import (
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/filestore"
)

func BenchmarkNew(b *testing.B) {
	b.Run("empty", func(b *testing.B) {
		for b.Loop() {
			open(b, b.TempDir())
		}
	})
	b.Run("again", func(b *testing.B) {
		dir := b.TempDir()
		open(b, dir)
		for b.Loop() {
			s, err := filestore.New(dir)
			if err != nil {
				b.Fatal(err)
			}
			s.Close()
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	s := open(b, b.TempDir())
	row := created(b, s, "u1")
	for b.Loop() {
		if _, found, err := s.Load(b.Context(), row.Row); err != nil || !found {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	s := open(b, b.TempDir())
	for _, owner := range []string{"", "u1"} {
		b.Run("owner="+owner, func(b *testing.B) {
			for b.Loop() {
				created(b, s, owner)
			}
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := open(b, b.TempDir())
	row := created(b, s, "u1")
	d := stores.Delta{Set: set("color", "blue")}
	b.Run("serial", func(b *testing.B) {
		for b.Loop() {
			update(b, s, row.Row, d)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			mine := created(b, s, "u1")
			for pb.Next() {
				update(b, s, mine.Row, d)
			}
		})
	})
}

func update(b *testing.B, s stores.Sessions, row string, d stores.Delta) {
	if o, err := s.Update(b.Context(), row, d); o != stores.Updated || err != nil {
		b.Error(o, err)
	}
}

func BenchmarkDelete(b *testing.B) {
	s := open(b, b.TempDir())
	for b.Loop() {
		b.StopTimer()
		row := created(b, s, "")
		b.StartTimer()
		if existed, err := s.Delete(b.Context(), row.Row); err != nil || !existed {
			b.Fatal(existed, err)
		}
	}
}

// BenchmarkPrune prunes a thousand rows of which none has expired.
func BenchmarkPrune(b *testing.B) {
	s := open(b, b.TempDir())
	for range 1000 {
		created(b, s, "")
	}
	for b.Loop() {
		if n, err := s.Prune(b.Context(), noon.Add(-time.Hour)); n != 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}
