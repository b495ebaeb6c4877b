//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package filestore

import (
	"errors"
	"os"
)

// posix says whether permissions keep other users out and folders can be flushed.
const posix = false

// openFlags are the flags to open a record.
const openFlags = os.O_RDONLY

// tryLock returns an error, because files cannot be locked on this platform.
func tryLock(f *os.File) (bool, error) {
	return false, &os.PathError{Op: "lock", Path: f.Name(), Err: errors.ErrUnsupported}
}

func releaseLock(*os.File) error { return nil }
