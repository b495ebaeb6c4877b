package testapp

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// NeedsAtRest skips a test where nothing is kept outside the process.
func (b *Backend) NeedsAtRest(t testing.TB) {
	t.Helper()
	if b.DB == nil && b.Redis == nil && b.Dir == "" {
		t.Skip("nothing is at rest")
	}
}

// Dump returns all that the store keeps of sessions, names and values. It looks
// past the store.
func (b *Backend) Dump(t testing.TB) string {
	t.Helper()
	var text string
	var err error
	switch {
	case b.DB != nil:
		var rows []models.Session
		err = b.DB.Find(&rows).Error
		for _, row := range rows {
			text += fmt.Sprintf("%+v %s %s\n", row, row.Digest, row.Payload)
		}
	case b.Redis != nil:
		text, err = b.dumpKeys(t)
	case b.Dir != "":
		err = b.EachFile("", func(path string, content []byte) error {
			text += path + " " + string(content) + "\n"
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (b *Backend) dumpKeys(t testing.TB) (text string, err error) {
	t.Helper()
	ctx := context.Background()
	for _, key := range testservers.RedisKeys(t, b.Redis, b.Prefix) {
		var value any
		switch kind := b.Redis.Type(ctx, key).Val(); kind {
		case "hash":
			value, err = b.Redis.HGetAll(ctx, key).Result()
		case "string":
			value, err = b.Redis.Get(ctx, key).Result()
		case "zset":
			value, err = b.Redis.ZRange(ctx, key, 0, -1).Result()
		default:
			err = fmt.Errorf("a key of type %s", kind)
		}
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("%s %v\n", key, value)
	}
	return text, nil
}

// Overwrite replaces the values and the logins of every session, or all that is
// stored of it. In Redis, where each value is a field, it replaces the logins.
func (b *Backend) Overwrite(t testing.TB, payload []byte) {
	t.Helper()
	n, err := 0, error(nil)
	switch {
	case b.DB != nil:
		result := b.DB.Model(&models.Session{}).Where("1 = 1").Updates(map[string]any{
			"payload": payload, "principals": payload[:min(len(payload), stores.MaxPrincipals)],
		})
		n, err = int(result.RowsAffected), result.Error
	case b.Redis != nil:
		for _, key := range testservers.RedisKeys(t, b.Redis, b.Prefix+"s2:") {
			made, failed := b.Redis.HSet(context.Background(), key, "p", payload).Result()
			if err = errors.Join(err, failed); made > 0 {
				t.Fatal("rows have no field with principals")
			}
			n++
		}
	case b.Dir != "":
		err = b.EachFile("rows", func(path string, _ []byte) error {
			n++
			return os.WriteFile(path, payload, 0o600)
		})
	}
	if err != nil || n == 0 {
		t.Fatalf("%d sessions overwritten, error %v", n, err)
	}
}

// EachFile calls f for each file below a folder of Dir.
func (b *Backend) EachFile(folder string, f func(path string, content []byte) error) error {
	return filepath.WalkDir(filepath.Join(b.Dir, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return f(path, content)
	})
}

// RowOf returns the row that a client's session id names.
func RowOf(t testing.TB, c *Client) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(c.Session())
	if err != nil || len(raw) != 48 {
		t.Fatalf("session id of %d bytes, %v", len(raw), err)
	}
	return hex.EncodeToString(raw[:16])
}
