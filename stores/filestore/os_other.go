//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package filestore

import (
	"errors"
	"os"
)

// posix says that permissions keep other users out and that folders are
// flushed.
const posix = false

// openFlags opens a record.
const openFlags = os.O_RDONLY

// tryLock returns an error: files cannot be locked here.
func tryLock(f *os.File) (bool, error) {
	return false, &os.PathError{Op: "lock", Path: f.Name(), Err: errors.ErrUnsupported}
}

func releaseLock(*os.File) error { return nil }
