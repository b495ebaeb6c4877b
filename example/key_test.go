package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/gin-gonic/gin"
)

// The key must be the same at the next start, or no second factor works.
func TestKeyIsKept(t *testing.T) {
	t.Setenv("APP_KEY", "")
	source := filepath.Join(t.TempDir(), "blog.db")
	key := func() string {
		t.Helper()
		key, err := applicationKey(slog.New(slog.DiscardHandler), source)
		if err != nil {
			t.Fatal(err)
		}
		return string(key)
	}
	first := key()
	if again := key(); again != first || first == "" {
		t.Error("another key at the second start")
	}
	info, err := os.Stat(source + ".key")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the key: %v, %v", info, err)
	}
	gin.SetMode(gin.ReleaseMode)
	released := key()
	gin.SetMode(gin.TestMode)
	if released == first {
		t.Error("release mode uses the key of a file")
	}
	t.Setenv("APP_KEY", "of the environment")
	if got := key(); got != "of the environment" {
		t.Error("APP_KEY is not used")
	}
}
