//go:build darwin || linux

package filestore_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/filestore"
)

func TestPermissions(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "sessions")
	s, err := filestore.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	created(t, s, "u1")
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		info, _ := d.Info()
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; info.Mode().Perm() != want {
			t.Errorf("%s has permissions %#o, want %#o", path, info.Mode().Perm(), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o755, 0o750, 0o711, 0o702, 0o720} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := filestore.New(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("New of a directory with permissions %#o: error %v, want one that names it", mode, err)
		}
		if warnings, err := s.Check(t.Context()); len(warnings) != 1 || err != nil {
			t.Errorf("Check of a directory with permissions %#o: %q, error %v", mode, warnings, err)
		}
	}
}

func TestCheckParent(t *testing.T) {
	parent := t.TempDir()
	s, err := filestore.New(filepath.Join(parent, "sessions"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for mode, want := range map[fs.FileMode]int{0o755: 0, 0o777: 1, 0o775: 1, 0o777 | fs.ModeSticky: 0} {
		if err := os.Chmod(parent, mode); err != nil {
			t.Fatal(err)
		}
		if warnings, err := s.Check(t.Context()); len(warnings) != want || err != nil {
			t.Errorf("with %v above it: %q, error %v; want %d warnings", mode, warnings, err, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, filepath.Join(path, "below")} {
		if _, err := filestore.New(path); err == nil {
			t.Errorf("New(%q) succeeds", path)
		}
	}
	for _, folder := range []string{"rows", "owners", "locks"} {
		dir := filepath.Join(dir, "with "+folder)
		if err := errors.Join(os.Mkdir(dir, 0o700), os.Symlink(t.TempDir(), filepath.Join(dir, folder))); err != nil {
			t.Fatal(err)
		}
		if _, err := filestore.New(dir); err == nil {
			t.Errorf("New of a directory whose %s is a link succeeds", folder)
		}
	}
}

func TestLinks(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s := open(t, dir)
	row := created(t, s, "u1")
	// The links lead to a row that could be read.
	if err := os.Rename(file(dir, row.Row), filepath.Join(outside, row.Row)); err != nil {
		t.Fatal(err)
	}
	shard := filepath.Dir(file(dir, row.Row))
	for _, link := range []struct {
		name  string
		plant func() error
	}{
		{"row", func() error { return os.Symlink(filepath.Join(outside, row.Row), file(dir, row.Row)) }},
		{"shard", func() error { return errors.Join(os.RemoveAll(shard), os.Symlink(outside, shard)) }},
	} {
		t.Run(link.name, func(t *testing.T) {
			if err := link.plant(); err != nil {
				t.Fatal(err)
			}
			_, found, loadErr := s.Load(t.Context(), row.Row)
			outcome, updateErr := s.Update(t.Context(), row.Row, stores.Delta{Set: set("a", "b")})
			_, pruneErr := s.Prune(t.Context(), row.Expires)
			if found || outcome != stores.Gone || loadErr == nil || updateErr == nil || pruneErr == nil {
				t.Errorf("found %v, updated %v, errors %v, %v, %v", found, outcome, loadErr, updateErr, pruneErr)
			}
			other := session("u1")
			other.Row = row.Row[:2] + other.Row[2:]
			if err := s.Create(t.Context(), other); err == nil && link.name == "shard" {
				t.Error("Create through the link succeeds")
			}
			if files, err := os.ReadDir(outside); len(files) != 1 || err != nil {
				t.Errorf("outside there are %v (%v), want the one file", files, err)
			}
		})
	}
}

// TestPipe checks that no call waits for data from a pipe in the place of a file.
func TestPipe(t *testing.T) {
	testCorrupt(t, func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) })
}

// TestFullDisk limits files to 4 KiB, as if the disk were full.
func TestFullDisk(t *testing.T) {
	if !inChild(t) {
		return
	}
	s := open(t, os.Getenv(workEnv))
	row := created(t, s, "u1")
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	full := limit
	full.Cur = 4096
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
	large := strings.Repeat("x", 64*1024)
	if o, err := s.Update(t.Context(), row.Row, stores.Delta{Set: set("color", large)}); err == nil || o == stores.Updated {
		t.Errorf("Update: %v, error %v; want an error", o, err)
	}
	other := session("u1")
	other.Values = values("color", large)
	if err := s.Create(t.Context(), other); err == nil {
		t.Error("Create succeeds")
	}
	if _, found, err := s.Load(t.Context(), other.Row); found || err != nil {
		t.Errorf("Load of what was not created: found %v, error %v", found, err)
	}
	if left := filesBelow(t, os.Getenv(workEnv), ".tmp"); len(left) != 0 {
		t.Errorf("%q is left", left)
	}
	colorIs(t, s, row.Row, "red")
}

// TestReadOnly makes the folders of rows read-only. It needs a user other than root.
func TestReadOnly(t *testing.T) {
	if !inChild(t) {
		return
	}
	dir := os.Getenv(workEnv)
	s := open(t, dir)
	row := created(t, s, "u1")
	const nobody = 65534
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if os.Getuid() == 0 {
			err = errors.Join(err, os.Chown(path, nobody, nobody))
		}
		return err
	})
	shard := filepath.Dir(file(dir, row.Row))
	if err := errors.Join(err, os.Chmod(shard, 0o500)); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := errors.Join(syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			t.Fatal(err)
		}
	}
	outcome, updateErr := s.Update(t.Context(), row.Row, stores.Delta{Set: set("color", "blue")})
	existed, deleteErr := s.Delete(t.Context(), row.Row)
	n, ofErr := s.DeleteSessionsOf(t.Context(), "u1", "")
	pruned, pruneErr := s.Prune(t.Context(), row.Expires)
	for call, err := range map[string]error{"Update": updateErr, "Delete": deleteErr, "DeleteSessionsOf": ofErr, "Prune": pruneErr} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: error %v, want one that wraps fs.ErrPermission", call, err)
		}
	}
	if outcome == stores.Updated || existed || n+pruned != 0 {
		t.Errorf("updated %v, deleted %v, %d and %d", outcome, existed, n, pruned)
	}
	colorIs(t, s, row.Row, "red")
	if rows, err := s.SessionsOf(t.Context(), "u1", 1000); len(rows) != 1 || err != nil {
		t.Errorf("SessionsOf lists %d rows, error %v", len(rows), err)
	}
}

// TestLockObeysContext waits for a lock that is held as by another process.
func TestLockObeysContext(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	row := created(t, s, "")
	for _, name := range []string{row.Row[:2], row.Row[:2] + ".gate"} {
		held, err := os.Open(filepath.Join(dir, "locks", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			// The clock of synctest advances only while all goroutines wait.
			s := open(t, dir)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var group sync.WaitGroup
			for range 3 {
				group.Go(func() {
					_, err := s.Update(ctx, row.Row, stores.Delta{Set: set("color", "blue")})
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Update with %s held: error %v, want context.DeadlineExceeded", name, err)
					}
				})
			}
			group.Wait()
		})
		colorIs(t, s, row.Row, "red")
		held.Close()
	}
	if o, err := s.Update(t.Context(), row.Row, stores.Delta{Set: set("color", "blue")}); o != stores.Updated || err != nil {
		t.Errorf("Update after that: %v, error %v", o, err)
	}
}

// TestPruneObeysContext cancels the context while Prune waits for a lock.
func TestPruneObeysContext(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	row := created(t, s, "")
	held, err := os.Open(filepath.Join(dir, "locks", row.Row[:2]))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if n, err := s.Prune(ctx, row.Expires); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Prune = %d, error %v; want context.DeadlineExceeded", n, err)
		}
	})
}

// TestDirectoryOfAnotherUserIsRefused can only be tried by the superuser.
func TestDirectoryOfAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only the superuser can give a directory away")
	}
	dir := filepath.Join(t.TempDir(), "sessions")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 54321, -1)); err != nil {
		t.Fatal(err)
	}
	if _, err := filestore.New(dir); err == nil || !strings.Contains(err.Error(), "54321") {
		t.Errorf("New in a directory of another user: %v", err)
	}
}
