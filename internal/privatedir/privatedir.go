// Package privatedir checks that a directory belongs to the user that the program runs as, and
// to nobody else.
package privatedir

import (
	"fmt"
	"io/fs"
)

// Check returns an error if other users have any access to a directory, or if another user owns
// it. An owner can change permissions and replace files at any time, also those that a program
// of the superuser writes. It checks nothing on platforms without such permissions, as Windows.
func Check(name string, info fs.FileInfo) error {
	if !posix {
		return nil
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("other users have access to directory %s (%#o): set its permissions to 0700", name, mode)
	}
	if owner, own := ownerOf(info); owner != own {
		return fmt.Errorf("directory %s belongs to user %d, and the program runs as user %d: change the owner or use another directory",
			name, owner, own)
	}
	return nil
}
