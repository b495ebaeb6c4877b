package filestore_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/filestore"
)

func TestCorruptFiles(t *testing.T) {
	whole, err := filestore.Encode(session("u1"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range damaged(t, whole) {
		t.Run(name, func(t *testing.T) {
			testCorrupt(t, func(path string) error { return os.WriteFile(path, data, 0o600) })
		})
	}
	t.Run("folder", func(t *testing.T) {
		testCorrupt(t, func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) })
	})
	t.Run("link to another row", func(t *testing.T) {
		testCorrupt(t, func(path string) error {
			other := filepath.Join(filepath.Dir(path), "../other")
			return errors.Join(os.WriteFile(other, whole, 0o600), os.Remove(path), os.Symlink("../other", path))
		})
	})
}

// testCorrupt checks how calls treat a row whose file is damaged, and the other rows.
func testCorrupt(t *testing.T, damage func(path string) error) {
	dir := t.TempDir()
	s := open(t, dir)
	whole, first, second := created(t, s, ""), created(t, s, "u1"), created(t, s, "u2")
	for _, row := range []string{first.Row, second.Row} {
		if err := damage(file(dir, row)); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	_, found, loadErr := s.Load(ctx, first.Row)
	outcome, updateErr := s.Update(ctx, first.Row, stores.Delta{Set: set("color", "blue")})
	_, listErr := s.SessionsOf(ctx, "u1", 1000)
	n, pruneErr := s.Prune(ctx, whole.Expires)
	if found || outcome != stores.Gone || n != 1 {
		t.Errorf("found %v, updated %v, %d pruned; want only the whole row pruned", found, outcome, n)
	}
	for call, err := range map[string]error{"Load": loadErr, "Update": updateErr, "SessionsOf": listErr, "Prune": pruneErr} {
		if !errors.Is(err, stores.ErrCorrupt) {
			t.Errorf("%s: error %v, want ErrCorrupt", call, err)
		}
	}
	if err := s.Create(ctx, first); !errors.Is(err, stores.ErrExists) {
		t.Errorf("Create: error %v, want ErrExists", err)
	}
	if existed, err := s.Delete(ctx, first.Row); !existed || err != nil {
		t.Errorf("Delete: existed %v, error %v", existed, err)
	}
	if n, err := s.DeleteSessionsOf(ctx, "u2", ""); n != 1 || err != nil {
		t.Errorf("DeleteSessionsOf = %d, error %v; want 1", n, err)
	}
	if n, err := s.Prune(ctx, noon); n != 0 || err != nil {
		t.Errorf("Prune after that = %d, error %v", n, err)
	}
	if files := filesBelow(t, filepath.Join(dir, "owners"), ""); len(files) > 0 {
		t.Errorf("markers are left: %q", files)
	}
}

// TestNamesStayAway checks that only valid names of rows reach the file system. It
// removes the directory, so that each access is an error.
func TestNamesStayAway(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	row := created(t, s, "u1").Row
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, name := range []string{"", "../../x", "con", row[:31], row + "0", strings.ToUpper("a" + row[1:]), "\x00" + row[1:],
		strings.Repeat("a", 4096), strings.Repeat("../", 11)[:32], "/" + row[1:], row[:31] + "g", row[:28] + ".tmp"} {
		_, found, loadErr := s.Load(ctx, name)
		outcome, updateErr := s.Update(ctx, name, stores.Delta{Set: set("a", "b")})
		existed, deleteErr := s.Delete(ctx, name)
		if err := errors.Join(loadErr, updateErr, deleteErr); found || existed || outcome != stores.Gone || err != nil {
			t.Errorf("%.40q: found %v, deleted %v, updated %v, error %v", name, found, existed, outcome, err)
		}
	}
	for call, err := range failures(t, s, row) {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s without the directory: error %v, want one that says so", call, err)
		}
	}
}

// failures returns the error of each call.
func failures(t *testing.T, s *filestore.Sessions, row string) map[string]error {
	errs, ctx := make(map[string]error), t.Context()
	_, _, errs["Load"] = s.Load(ctx, row)
	errs["Create"] = s.Create(ctx, session("u1"))
	_, errs["Update"] = s.Update(ctx, row, stores.Delta{Set: set("a", "b")})
	_, errs["Delete"] = s.Delete(ctx, row)
	_, errs["SessionsOf"] = s.SessionsOf(ctx, "u1", 1000)
	_, errs["DeleteSessionsOf"] = s.DeleteSessionsOf(ctx, "u1", "")
	_, errs["Prune"] = s.Prune(ctx, noon)
	return errs
}

func TestClose(t *testing.T) {
	s := open(t, t.TempDir())
	row := created(t, s, "u1").Row
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	errs := failures(t, s, row)
	_, errs["Check"] = s.Check(t.Context())
	_, _, errs["Load of no row"] = s.Load(t.Context(), "")
	for call, err := range errs {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s after Close: error %v, want os.ErrClosed", call, err)
		}
	}
}

func TestSurvives(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for i := range 3 {
		s, err := filestore.New(dir)
		if err != nil {
			t.Fatal(err)
		}
		created(t, s, "u1")
		if rows, err := s.SessionsOf(t.Context(), "u1", 1000); err != nil || len(rows) != i+1 {
			t.Errorf("after %d restarts there are %d rows, error %v", i, len(rows), err)
		}
		s.Close()
	}
}

func TestFolderRemoved(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	row := created(t, s, "u1")
	for _, folder := range []string{"rows/" + row.Row[:2], "owners/" + ownerDigest("u1")[:2]} {
		if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	if existed, err := s.Delete(t.Context(), row.Row); existed || err != nil {
		t.Errorf("Delete: existed %v, error %v", existed, err)
	}
	if err := s.Create(t.Context(), row); err != nil {
		t.Errorf("Create: %v", err)
	}
	colorIs(t, s, row.Row, "red")
}

func ownerDigest(owner string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(owner))) }

func TestMarkers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	lost, changed := created(t, s, "u1"), created(t, s, "u2")
	if err := os.Remove(file(dir, lost.Row)); err != nil {
		t.Fatal(err)
	}
	// A process that was killed after the row's owner became u2 leaves this marker.
	digest := ownerDigest("u1")
	if err := os.WriteFile(filepath.Join(dir, "owners", digest[:2], digest+"."+changed.Row), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if rows, err := s.SessionsOf(t.Context(), "u1", 1000); len(rows) != 0 || err != nil {
		t.Errorf("SessionsOf lists %d rows of another, error %v", len(rows), err)
	}
	if n, err := s.Prune(t.Context(), noon); n != 0 || err != nil {
		t.Errorf("Prune = %d, %v", n, err)
	}
	if left := filesBelow(t, dir, "."+lost.Row); len(left) != 0 {
		t.Errorf("Prune leaves %q", left)
	}
	if n, err := s.DeleteSessionsOf(t.Context(), "u1", ""); n != 0 || err != nil {
		t.Errorf("DeleteSessionsOf = %d, %v", n, err)
	}
	colorIs(t, s, changed.Row, "red")
}

func TestTempFiles(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	written, idle := created(t, s, ""), created(t, s, "")
	for _, row := range []string{written.Row, idle.Row, idle.Row[:31] + "x"} {
		if err := os.WriteFile(file(dir, row)+".tmp", []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if o, err := s.Update(t.Context(), written.Row, stores.Delta{Set: set("color", "blue")}); o != stores.Updated || err != nil {
		t.Errorf("Update beside a file that was left: %v, error %v", o, err)
	}
	colorIs(t, s, written.Row, "blue")
	if n, err := s.Prune(t.Context(), noon.Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("Prune = %d, %v", n, err)
	}
	if left := filesBelow(t, dir, ".tmp"); len(left) != 1 || !strings.HasSuffix(left[0], "x.tmp") {
		t.Errorf("Prune leaves %q, want the one that is not the store's", left)
	}
}
