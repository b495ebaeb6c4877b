//go:build !unix

package privatedir

import "io/fs"

const posix = false

func ownerOf(fs.FileInfo) (owner, own int) { return 0, 0 }
