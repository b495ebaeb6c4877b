//go:build unix

package privatedir

import (
	"io/fs"
	"os"
	"syscall"
)

const posix = true

// ownerOf returns the owner of a file, and the user that the program runs as.
func ownerOf(info fs.FileInfo) (owner, own int) {
	own = os.Geteuid()
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), own
	}
	return -1, own // what cannot be found out is not accepted
}
