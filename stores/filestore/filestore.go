// Package filestore keeps sessions in the files of one directory. It suits
// applications that run on one machine, in one process or several, and that must not
// lose sessions when they restart.
//
// # Guarantees
//
// A change is on the disk before it is acknowledged. The store writes the record to
// a new file, flushes the file, renames it over the old file, and flushes the folder.
// So whatever happens to the process or the machine, a row is either as before a
// change or as after it, and every acknowledged change is there. A disk that is full,
// read-only or failing causes an error, and the row does not change. A file that is
// not a valid record causes an error that wraps stores.ErrCorrupt. Deleting its row
// removes the file.
//
// Changes of a row are made under a lock that also works between processes. Load
// needs no lock.
//
// # The directory
//
// The directory belongs to the store. Only the user that the application runs as may
// read or write it. It must be on a local disk: a file system that hangs blocks its
// callers, because system calls ignore contexts, and the locks of network file systems
// are not reliable. The directory contains
//
//	rows/ab/      a record, in a file of its own, for each row that begins with ab
//	owners/cd/    an empty file for each owner of each row, named by the digest of
//	              the owner and by the row
//	locks/        a lock for each folder of rows, and one for each folder of owners
//
// Names are checked before they are used as paths. The store opens nothing outside the
// directory, whatever links are planted in it.
//
// # Platforms
//
// The store runs on Linux, the BSDs, macOS and Windows. On Windows it does not check who
// can read the directory, and does not flush folders, because Windows has no call for
// that. On other platforms New returns an error that wraps errors.ErrUnsupported.
package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/ginauth/ginauth/internal/privatedir"
	"github.com/ginauth/ginauth/stores"
)

// Sessions is a stores.Sessions in files. It also implements stores.SessionLimit,
// stores.Pruner, stores.Checker and io.Closer. All processes that use the same
// directory see the same sessions.
type Sessions struct {
	root   *os.Root
	locks  locks // of rows
	trims  locks // of owners who may have too many rows
	closed atomic.Bool
	// rowsMade and ownersMade say which folders this handle has created.
	rowsMade, ownersMade [shards]atomic.Bool
}

var (
	_ stores.Sessions     = (*Sessions)(nil)
	_ stores.SessionLimit = (*Sessions)(nil)
	_ stores.Pruner       = (*Sessions)(nil)
	_ stores.Checker      = (*Sessions)(nil)
)

// New returns the store in a directory. It creates the directory if it does not exist.
// It refuses a directory that another user owns, or to which other users have any access:
// the permissions have to be 0700 or stricter. New starts no goroutine. Prune deletes expired rows. Until then
// they use space, and Load finds them.
func New(dir string) (*Sessions, error) {
	s, err := open(dir)
	if err != nil {
		return nil, wrap(err)
	}
	return s, nil
}

func open(dir string) (_ *Sessions, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s := &Sessions{root: root}
	s.locks.init(root, "")
	s.trims.init(root, "owner-")
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Close())
		}
	}()
	if err := s.private(); err != nil {
		return nil, err
	}
	if err := s.layOut(); err != nil {
		return nil, err
	}
	return s, s.locks.supported()
}

// makeDir creates a directory and its parents durably, so that they exist after a power
// failure.
func makeDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(dir)
	if err := makeDir(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(os.Open(above))
}

// private returns an error if the directory belongs to another user, or others have access to
// it.
func (s *Sessions) private() error {
	info, err := s.root.Stat(".")
	if err != nil {
		return err
	}
	return privatedir.Check(s.root.Name(), info)
}

// layOut creates the folders that always exist. If they are missing later, the disk is
// missing as well, and nobody can say that a row does not exist.
func (s *Sessions) layOut() error {
	folders := []string{"rows", "owners", "locks"}
	for _, folder := range folders {
		if err := s.makeFolder(folder); err != nil {
			return err
		}
	}
	return s.sync(".")
}

// Close closes the directory. Later calls, and perhaps calls that are running, return an
// error that wraps os.ErrClosed. A change that returns this error may have been made or
// not. Close may be called again, and always returns nil.
func (s *Sessions) Close() error {
	s.closed.Store(true)
	return s.root.Close()
}

// Check implements stores.Checker. It checks the permissions of the directory and of its
// parent.
func (s *Sessions) Check(ctx context.Context) (warnings []string, err error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if !posix {
		return []string{"On this platform the session store cannot check who can read its directory."}, nil
	}
	if err := s.private(); err != nil {
		warnings = append(warnings, fmt.Sprintf("Other users can read or change sessions: %v.", err))
	}
	above := filepath.Dir(s.root.Name())
	info, err := os.Stat(above)
	if err != nil {
		return warnings, wrap(err)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		warnings = append(warnings, fmt.Sprintf("Other users can replace the session store: they can write to directory %s.", above))
	}
	return warnings, nil
}

// begin checks, at the beginning of a call, that the context and the store are alive.
func (s *Sessions) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return wrap(err)
	}
	if s.closed.Load() {
		return wrap(os.ErrClosed)
	}
	return nil
}

// wrap adds to an error where it comes from.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ginauth: file store: %w", err)
}
