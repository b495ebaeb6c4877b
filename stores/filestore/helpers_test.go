package filestore_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/filestore"
)

// noon is the time at which the tests begin.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// open makes a directory private and returns the store in it.
func open(t testing.TB, dir string) *filestore.Sessions {
	t.Helper()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := filestore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newRow() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// session returns a session with the owners, which are separated by commas.
func session(owners string) stores.Session {
	return stores.Session{
		Row:       newRow(),
		Digest:    stores.DigestOf([]byte("secret")),
		Owners:    strings.FieldsFunc(owners, func(r rune) bool { return r == ',' }),
		Values:    values("color", "red"),
		Address:   "192.0.2.1",
		UserAgent: "test/1.0",
		Created:   noon.Add(-time.Hour),
		LastSeen:  noon,
		Expires:   noon.Add(time.Hour),
	}
}

func values(key, value string) stores.Values { return stores.NewValues(set(key, value)) }

func set(key, value string) map[string][]byte { return map[string][]byte{key: []byte(value)} }

// created creates a row.
func created(t testing.TB, s stores.Sessions, owner string) stores.Session {
	t.Helper()
	row := session(owner)
	if err := s.Create(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	return row
}

// colorIs checks that a row exists and has the given color.
func colorIs(t testing.TB, s stores.Sessions, row, want string) {
	t.Helper()
	got, found, err := s.Load(t.Context(), row)
	if color, _ := got.Values.Get("color"); err != nil || !found || color != want {
		t.Errorf("Load: color %.40q, found %v, error %v; want %q", color, found, err, want)
	}
}

// file returns the path of a row's file.
func file(dir, row string) string { return filepath.Join(dir, "rows", row[:2], row) }

// filesBelow returns the files in a directory tree whose names end with suffix.
func filesBelow(t testing.TB, dir, suffix string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// pair is a store that makes its calls on two handles in turn.
type pair struct {
	handles [2]*filestore.Sessions
	calls   atomic.Uint64
}

func (p *pair) next() *filestore.Sessions { return p.handles[p.calls.Add(1)%2] }

func (p *pair) Load(ctx context.Context, row string) (stores.Session, bool, error) {
	return p.next().Load(ctx, row)
}

func (p *pair) Create(ctx context.Context, s stores.Session) error { return p.next().Create(ctx, s) }

func (p *pair) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	return p.next().Update(ctx, row, d)
}

func (p *pair) Delete(ctx context.Context, row string) (bool, error) {
	return p.next().Delete(ctx, row)
}

func (p *pair) SessionsOf(ctx context.Context, owner string, limit int) ([]stores.Session, error) {
	return p.next().SessionsOf(ctx, owner, limit)
}

func (p *pair) DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (int, error) {
	return p.next().DeleteSessionsOf(ctx, owner, exceptRow)
}

func (p *pair) Prune(ctx context.Context, now time.Time) (int, error) {
	return p.next().Prune(ctx, now)
}

func (p *pair) CreateLimited(ctx context.Context, row stores.Session, limit int) ([]stores.EndedSession, error) {
	return p.next().CreateLimited(ctx, row, limit)
}

func (p *pair) UpdateLimited(
	ctx context.Context, row string, d stores.Delta, limit int,
) (stores.Outcome, []stores.EndedSession, error) {
	return p.next().UpdateLimited(ctx, row, d, limit)
}
