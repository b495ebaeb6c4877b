//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package filestore

import (
	"os"
	"syscall"
)

// posix says that permissions keep other users out and that folders are
// flushed.
const posix = true

// openFlags opens a record. A pipe in its place does not wait for a writer.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

// tryLock locks a file and reports false if another holds it.
func tryLock(f *os.File) (bool, error) {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case nil:
			return true, nil
		case syscall.EWOULDBLOCK:
			return false, nil
		case syscall.EINTR:
		default:
			return false, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

func releaseLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
}
