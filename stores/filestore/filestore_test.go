package filestore_test

import (
	"testing"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/filestore"
	"github.com/ginauth/ginauth/stores/storetest"
)

func TestSessions(t *testing.T) {
	storetest.Sessions(t, func(t *testing.T) stores.Sessions { return open(t, t.TempDir()) })
}

// TestSessionsOfTwoHandles runs the suite on a store whose calls go to two handles in
// turn. The handles share nothing but the files.
func TestSessionsOfTwoHandles(t *testing.T) {
	storetest.Sessions(t, func(t *testing.T) stores.Sessions {
		dir := t.TempDir()
		return &pair{handles: [2]*filestore.Sessions{open(t, dir), open(t, dir)}}
	})
}
