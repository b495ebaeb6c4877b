package ginauth_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

func TestStoresHoldNoSecret(t *testing.T) { // S11
	eachBackend(t, func(t *testing.T, b *backend) {
		if b.atRest == nil {
			t.Skip("nothing is at rest")
		}
		a := newApp(t, b, nil, nil)
		c := a.loggedIn(aliceEmail)
		raw, _ := base64.RawURLEncoding.DecodeString(c.session())
		dump, err := b.atRest.dump()
		if err != nil || !strings.Contains(dump, hex.EncodeToString(raw[:16])) {
			t.Fatalf("the row is not in what the store holds, %d bytes; error %v", len(dump), err)
		}
		secret := raw[16:]
		for _, text := range []string{
			c.session(), c.session()[22:], string(secret), base64.StdEncoding.EncodeToString(secret),
			base64.RawURLEncoding.EncodeToString(secret), hex.EncodeToString(secret), fmt.Sprint(secret),
		} {
			if strings.Contains(dump, text) {
				t.Error("the store holds the session's secret")
			}
		}
	})
}

func TestCorruptedPayload(t *testing.T) { // S13
	payloads := map[string][]byte{
		"random bytes": []byte("\xff\x00\x17random"), "truncated": {1, 5, 'a'}, "10 MB": make([]byte, 10<<20),
		"wrong type":   withLogin([]byte(`{"id":{"a":1}}`)).Encoded(),
		"login of 1":   withLogin(loginRecord("1")).Encoded(),
		"empty":        {},
		"user in json": stores.NewValues(map[string][]byte{"user": []byte("s1")}).Encoded(),
	}
	eachBackend(t, func(t *testing.T, b *backend) {
		if b.atRest == nil {
			t.Skip("nothing is at rest")
		}
		a := newApp(t, b, nil, nil)
		for name, payload := range payloads {
			t.Run(name, func(t *testing.T) {
				c := a.loggedIn(bobEmail)
				if err := b.atRest.overwrite(payload); err != nil {
					t.Fatal(err)
				}
				answersNobody(t, c)
				if _, err := b.set.Sessions.Delete(context.Background(), rowOf(t, c)); err != nil {
					t.Fatal(err)
				}
				c.get("/me").is401(t)
			})
		}
	})
}

// answersNobody asserts that a session that cannot be right is nobody's, or an
// outage.
func answersNobody(t *testing.T, c *client) {
	t.Helper()
	res := c.get("/me")
	if (res.StatusCode != 401 && res.StatusCode != 503) || strings.Contains(res.body, "Alice") {
		t.Fatalf("status %d: %s", res.StatusCode, res.body)
	}
	if res := c.post("/set?k=a&v=b", nil); res.StatusCode == 500 {
		t.Errorf("a change of it: status 500, %s", res.body)
	}
}

// rowOf returns the row that a client's session id names.
func rowOf(t *testing.T, c *client) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(c.session())
	if err != nil || len(raw) != 48 {
		t.Fatalf("session id of %d bytes, %v", len(raw), err)
	}
	return hex.EncodeToString(raw[:16])
}

// TestLoginOfAnImpossibleUser gives Bob's session a login that he never made:
// all of his own but the user's id, or no login at all.
func TestLoginOfAnImpossibleUser(t *testing.T) { // S14
	ids := map[string]string{
		"empty": "", "zero": "0", "Alice's": "1", "condition": "1=1", "or": "1 OR 1=1", "quoted": "1' OR '1'='1",
		"percent": "%", "long": strings.Repeat("1", 3000), "null": "null", "spaces": " 1 ", "sign": "+1", "hexadecimal": "0x1",
	}
	records := map[string][]byte{
		"no record": {}, "JSON": []byte(`{"id":"1"}`), "a map": []byte(`{"id":{"a":1}}`), "old and unbound": loginRecord("1"),
	}
	eachBackend(t, func(t *testing.T, b *backend) {
		b.notInCookies(t, "there is no row to change, and a changed cookie does not open")
		a := newApp(t, b, nil, nil)
		c := a.loggedIn(bobEmail)
		row, found, err := b.set.Sessions.Load(context.Background(), rowOf(t, c))
		own, ok := strings.CutSuffix(row.Principals, a.bob.AuthID())
		if !found || err != nil || !ok {
			t.Fatalf("Bob's login is %q, error %v", row.Principals, err)
		}
		logins := maps.Clone(records)
		for name, id := range ids {
			logins[name] = principalsOf(own[:len("\x02\x03web")], own[len("\x02\x03web\x00"):]+id)
		}
		for name, login := range logins {
			t.Run(name, func(t *testing.T) {
				c := a.loggedIn(bobEmail)
				row, _, err := b.set.Sessions.Load(context.Background(), rowOf(t, c))
				if err != nil {
					t.Fatal(err)
				}
				delta := stores.Delta{
					Generation: row.Generation,
					Principals: &stores.Principals{Data: string(login), Owners: row.Owners, Generation: row.Generation},
					Rename:     &stores.Rename{Old: row.Digest, New: row.Digest},
				}
				if outcome, err := b.set.Sessions.Update(context.Background(), row.Row, delta); outcome != stores.Updated || err != nil {
					t.Fatalf("%v, error %v", outcome, err)
				}
				answersNobody(t, c)
			})
		}
	})
}

// principalsOf encodes one login as a session holds it: what comes before the record's length,
// and the record.
func principalsOf(before, record string) []byte {
	return append(binary.AppendUvarint([]byte(before), uint64(len(record))), record...)
}

// loginKey is where a session keeps the login of the guard "web".
const loginKey = "_ginauth.login.web"

// withLogin returns the values of a session with a login.
func withLogin(record []byte) stores.Values {
	return stores.NewValues(map[string][]byte{loginKey: record})
}

// loginRecord encodes a login as a session holds it, with a fingerprint of
// nothing.
func loginRecord(id string) []byte {
	return append(append([]byte{1}, make([]byte, 40)...), id...)
}

// atRest looks at what a store keeps, past the store.
type atRest interface {
	// dump returns all that the store keeps of sessions, names and values.
	dump() (string, error)
	// overwrite replaces the values of every session, or all there is of it.
	overwrite(payload []byte) error
	// wrongTypes are what can be of another type.
	wrongTypes(t *testing.T) []wrongType
}

// rowsAtRest is the table of sessions.
type rowsAtRest struct{ db *gorm.DB }

func (r rowsAtRest) dump() (string, error) {
	var rows []models.Session
	err := r.db.Find(&rows).Error
	text := ""
	for _, row := range rows {
		text += fmt.Sprintf("%+v %s %s\n", row, row.Digest, row.Payload)
	}
	return text, err
}

func (r rowsAtRest) overwrite(payload []byte) error {
	result := r.db.Model(&models.Session{}).Where("1 = 1").Updates(map[string]any{"payload": payload, "principals": payload[:min(len(payload), stores.MaxPrincipals)]})
	if result.Error == nil && result.RowsAffected == 0 {
		return errors.New("there is no session")
	}
	return result.Error
}

// filesAtRest is the directory of a file store.
type filesAtRest string

func (dir filesAtRest) dump() (string, error) {
	text := ""
	err := dir.each("", func(path string, content []byte) error {
		text += path + " " + string(content) + "\n"
		return nil
	})
	return text, err
}

func (dir filesAtRest) overwrite(payload []byte) error {
	return dir.each("rows", func(path string, _ []byte) error { return os.WriteFile(path, payload, 0o600) })
}

// each calls f for each file below a folder.
func (dir filesAtRest) each(folder string, f func(path string, content []byte) error) error {
	files := 0
	err := filepath.WalkDir(filepath.Join(string(dir), folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		return f(path, content)
	})
	if err == nil && files == 0 {
		return errors.New("there is no file")
	}
	return err
}

// keysAtRest is what a Redis server holds under a prefix.
type keysAtRest struct {
	t      *testing.T
	client *redis.Client
	prefix string
}

func (r keysAtRest) dump() (string, error) {
	text := ""
	for _, key := range testservers.RedisKeys(r.t, r.client, r.prefix) {
		var value any
		var err error
		switch kind := r.client.Type(context.Background(), key).Val(); kind {
		case "hash":
			value, err = r.client.HGetAll(context.Background(), key).Result()
		case "string":
			value, err = r.client.Get(context.Background(), key).Result()
		case "zset":
			value, err = r.client.ZRange(context.Background(), key, 0, -1).Result()
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

// overwrite replaces the value of the key that holds the login: each key of a
// session is a field of its own.
func (r keysAtRest) overwrite(payload []byte) error {
	keys := testservers.RedisKeys(r.t, r.client, r.prefix+"s:")
	if len(keys) == 0 {
		return errors.New("there is no session")
	}
	for _, key := range keys {
		if err := r.client.HSet(context.Background(), key, "principals", payload).Err(); err != nil {
			return err
		}
	}
	return nil
}
