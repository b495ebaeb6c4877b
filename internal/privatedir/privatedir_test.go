//go:build unix

package privatedir_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/privatedir"
)

func check(t *testing.T, dir string) error {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	return privatedir.Check(dir, info)
}

func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	for mode, ok := range map[os.FileMode]bool{
		0o700: true, 0o500: true, 0o755: false, 0o711: false, 0o720: false, 0o702: false, 0o777: false,
	} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := check(t, dir); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "0700") {
			t.Errorf("%#o: %v", mode, err)
		}
	}
}

func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only the superuser can give a directory away")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 54321, -1); err != nil {
		t.Fatal(err)
	}
	if err := check(t, dir); err == nil || !strings.Contains(err.Error(), "54321") || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory of another user: %v", err)
	}
}
