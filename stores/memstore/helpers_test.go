package memstore_test

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
)

// noon is the time at which the tests begin.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// quiet starts no janitor, and its clock always says noon.
var quiet = memstore.Options{PruneEvery: -1, Now: func() time.Time { return noon }}

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// key returns the digest of the number n.
func key(n int) stores.Digest {
	return stores.DigestOf(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// session returns a session that was last seen the given time before noon.
func session(owner string, ago time.Duration) stores.Session {
	var owners []string
	if owner != "" {
		owners = []string{owner}
	}
	return stores.Session{
		Row:       newID(),
		Digest:    key(1),
		Owners:    owners,
		Values:    stores.NewValues(map[string][]byte{"user": []byte("12345678"), "stamp": []byte("0123456789abcdef")}),
		Address:   "192.0.2.1",
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		Created:   noon.Add(-time.Hour),
		LastSeen:  noon.Add(-ago),
		Expires:   noon.Add(time.Hour),
	}
}

func token(family string) stores.Token {
	return stores.Token{
		ID: newID(), Family: family, Kind: stores.Refresh, Owner: "u" + family[:8], Digest: key(1),
		Created: noon, Expires: noon.Add(time.Hour), FamilyExpires: noon.Add(24 * time.Hour),
	}
}

// bytesPer returns how much memory each of the n records takes that fill creates. The
// store must be reachable from the result of fill.
func bytesPer(n int, fill func() any) float64 {
	before := heapAlloc()
	kept := fill()
	after := heapAlloc()
	runtime.KeepAlive(kept)
	return float64(after-before) / float64(n)
}

func heapAlloc() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// fillSessions returns a store with n sessions, and their rows. If owned is set, each
// session has an owner of its own.
func fillSessions(t testing.TB, n int, owned bool) (*memstore.Sessions, []string) {
	s := memstore.NewSessions(quiet)
	rows := make([]string, n)
	for i := range n {
		row := session("", 0)
		row.Address = "2001:db8::" + strconv.Itoa(i%10_000)
		if owned {
			row.Owners = []string{"user" + strconv.Itoa(i)}
		}
		rows[i] = row.Row
		if err := s.Create(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	return s, rows
}

// fillWindows returns a limiter with a window for each of key(0) to key(n-1).
func fillWindows(t testing.TB, n int) *memstore.Limiter {
	l := memstore.NewLimiter(quiet)
	for i := range n {
		if g, err := l.Reserve(t.Context(), noon, stores.Window{Key: key(i), Limit: 5, Period: time.Hour}); err != nil || !g.OK() {
			t.Fatalf("Reserve: full %d, %v", g.Full, err)
		}
	}
	return l
}
