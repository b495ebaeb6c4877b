package ginauth_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/stores"
)

func TestStoresHoldNoSecret(t *testing.T) { // S11
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NeedsAtRest(t)
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Alice)
		raw, _ := base64.RawURLEncoding.DecodeString(c.Session())
		dump := b.Dump(t)
		if !strings.Contains(dump, hex.EncodeToString(raw[:16])) {
			t.Fatalf("the row is not in what the store holds, %d bytes", len(dump))
		}
		secret := raw[16:]
		for _, text := range []string{
			c.Session(), c.Session()[22:], string(secret), base64.StdEncoding.EncodeToString(secret),
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
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NeedsAtRest(t)
		a := testapp.New(t, b)
		for name, payload := range payloads {
			t.Run(name, func(t *testing.T) {
				c := a.LoggedIn(testapp.Bob)
				b.Overwrite(t, payload)
				answersNobody(t, c)
				if _, err := b.Set.Sessions.Delete(context.Background(), rowOf(t, c)); err != nil {
					t.Fatal(err)
				}
				c.Get("/me").Want401(t)
			})
		}
	})
}

// answersNobody asserts that a session that cannot be right is nobody's, or an
// outage.
func answersNobody(t *testing.T, c *testapp.Client) {
	t.Helper()
	res := c.Get("/me")
	if (res.StatusCode != 401 && res.StatusCode != 503) || strings.Contains(res.Text, "Alice") {
		t.Fatalf("status %d: %s", res.StatusCode, res.Text)
	}
	if res := c.Post("/set?k=a&v=b", nil); res.StatusCode == 500 {
		t.Errorf("a change of it: status 500, %s", res.Text)
	}
}

// rowOf returns the row that a client's session id names.
func rowOf(t *testing.T, c *testapp.Client) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(c.Session())
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
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "there is no row to change, and a changed cookie does not open")
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Bob)
		row, found, err := b.Set.Sessions.Load(context.Background(), rowOf(t, c))
		own, ok := strings.CutSuffix(row.Principals, a.Bob.AuthID())
		if !found || err != nil || !ok {
			t.Fatalf("Bob's login is %q, error %v", row.Principals, err)
		}
		logins := maps.Clone(records)
		for name, id := range ids {
			logins[name] = principalsOf(own[:len("\x02\x03web")], own[len("\x02\x03web\x00"):]+id)
		}
		for name, login := range logins {
			t.Run(name, func(t *testing.T) {
				c := a.LoggedIn(testapp.Bob)
				row, _, err := b.Set.Sessions.Load(context.Background(), rowOf(t, c))
				if err != nil {
					t.Fatal(err)
				}
				delta := stores.Delta{
					Generation: row.Generation,
					Principals: &stores.Principals{Data: string(login), Owners: row.Owners, Generation: row.Generation},
					Rename:     &stores.Rename{Old: row.Digest, New: row.Digest},
				}
				if outcome, err := b.Set.Sessions.Update(context.Background(), row.Row, delta); outcome != stores.Updated || err != nil {
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

// withLogin returns the values of a session with a login.
func withLogin(record []byte) stores.Values {
	return stores.NewValues(map[string][]byte{testapp.LoginKey: record})
}

// loginRecord encodes a login as a session holds it, with a fingerprint of
// nothing.
func loginRecord(id string) []byte {
	return append(append([]byte{1}, make([]byte, 40)...), id...)
}
