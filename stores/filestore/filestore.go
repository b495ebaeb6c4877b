// Package filestore keeps sessions in files of one directory. It is right for an
// application that runs on one machine, in one process or several, and must not
// forget its sessions when it restarts.
//
// # What it promises
//
// A change is on the disk before it is acknowledged: the record is written to a
// new file, which is flushed, renamed over the old one, and flushed with its
// folder. So whatever happens to the process or to the machine, a row is what it
// was before a change or what it is after it, and acknowledged changes are
// there. A disk that is full, read-only or failing is an error, and the row stays
// as it was. A file that cannot be read as a record is an error that wraps
// stores.ErrCorrupt; deleting its row removes it.
//
// Changes of a row are made under a lock that also holds between processes.
// Loading takes no lock.
//
// # The directory
//
// The directory belongs to the store, and nobody but the user that the
// application runs as may read or write it. It has to be on a local disk: a
// file system that hangs holds up its callers, because a system call does not
// obey a context, and locks of network file systems cannot be relied on. Below
// it are
//
//	rows/ab/      the records of the rows that begin with ab, one file each
//	owners/cd/    for each row of an owner an empty file, by the digest of both
//	locks/        a lock for each folder of rows
//
// Names are checked before they reach the file system, and nothing outside the
// directory is opened, whatever links are planted in it.
//
// # Platforms
//
// Linux, the BSDs, macOS and Windows. On Windows the store does not check who may
// read the directory, and does not flush folders, which Windows has no call for.
// Elsewhere New returns an error that wraps errors.ErrUnsupported.
package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/ginauth/ginauth/stores"
)

// Sessions is a stores.Sessions in files, and a stores.SessionIndex, a
// stores.Pruner, a stores.Checker and an io.Closer as well. All processes that
// use one directory see the same sessions.
type Sessions struct {
	root   *os.Root
	locks  locks
	closed atomic.Bool
	// rowsMade and ownersMade say which folders this handle has made.
	rowsMade, ownersMade [shards]atomic.Bool
}

var (
	_ stores.Sessions     = (*Sessions)(nil)
	_ stores.SessionIndex = (*Sessions)(nil)
	_ stores.Pruner       = (*Sessions)(nil)
	_ stores.Checker      = (*Sessions)(nil)
)

// New returns the store in a directory, which it creates if there is none. It
// refuses a directory that other users can use in any way: its permissions have
// to be 0700 or less. It starts no goroutine; expired rows are deleted by Prune,
// and until then they take up space and are still found.
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
	s.locks.init(root)
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

// makeDir creates a directory, with those above it, so that it is there after a
// failure of power.
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

// private returns an error if others may use the directory.
func (s *Sessions) private() error {
	info, err := s.root.Stat(".")
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); posix && mode&0o077 != 0 {
		return fmt.Errorf("directory %s is open to other users (%#o): its permissions have to be 0700", s.root.Name(), mode)
	}
	return nil
}

// layOut creates what has to be there always. If it is missing later, the disk
// is, and no row can be said not to exist.
func (s *Sessions) layOut() error {
	folders := []string{"rows", "owners", "locks"}
	for _, folder := range folders {
		if err := s.makeFolder(folder); err != nil {
			return err
		}
	}
	return s.sync(".")
}

// Close closes the directory. Later calls return an error that wraps
// os.ErrClosed, and so may calls that are being made; what they have not
// acknowledged is done or is not. Close may be repeated, and always returns nil.
func (s *Sessions) Close() error {
	s.closed.Store(true)
	return s.root.Close()
}

// Check implements stores.Checker. It looks at the permissions of the directory
// and of the one above it.
func (s *Sessions) Check(ctx context.Context) (warnings []string, err error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	if !posix {
		return []string{"The store of sessions cannot find out who may read its directory on this platform."}, nil
	}
	if err := s.private(); err != nil {
		warnings = append(warnings, fmt.Sprintf("The store of sessions can be read or changed: %v.", err))
	}
	above := filepath.Dir(s.root.Name())
	info, err := os.Stat(above)
	if err != nil {
		return warnings, wrap(err)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		warnings = append(warnings, fmt.Sprintf("The store of sessions can be replaced: directory %s can be written by other users.", above))
	}
	return warnings, nil
}

// begin is the start of each call.
func (s *Sessions) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return wrap(err)
	}
	if s.closed.Load() {
		return wrap(os.ErrClosed)
	}
	return nil
}

// wrap says where an error comes from.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ginauth: file store: %w", err)
}
