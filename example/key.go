package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// applicationKey returns the key of APP_KEY. Without it, a developer gets a key
// that is kept in a file beside the SQLite database: with another key at the next
// start, the authenticator apps of the users would not work any more.
func applicationKey(logger *slog.Logger, source string) (ginauth.Key, error) {
	if key := os.Getenv("APP_KEY"); key != "" {
		return ginauth.Key(key), nil
	}
	if strings.Contains(source, "://") || gin.Mode() == gin.ReleaseMode {
		logger.Warn("APP_KEY is not set: using a temporary key, sessions and authenticator apps end with this process")
		return ginauth.NewKey(), nil
	}
	path := source + ".key"
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		logger.Info("APP_KEY is not set: using a new key, which is kept in " + path)
		data = []byte(ginauth.NewKey())
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("key: %w", err)
	}
	return ginauth.Key(strings.TrimSpace(string(data))), nil
}
