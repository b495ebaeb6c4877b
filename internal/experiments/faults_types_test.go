package experiments_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/internal/testservers"
)

// wrongType makes something that a store keeps be of another type.
type wrongType struct {
	what string
	// asked names the requests that need it, as in asking.
	asked []string
	// spoil does it, and returns what puts it right.
	spoil func() (restore func())
}

// TestWrongTypes puts values of another type where the stores look: a key of
// Redis that is a list, a column of text among numbers, a folder in the place of
// a file. A store in memory has none.
func TestWrongTypes(t *testing.T) { // EXP-15, F01–F05, S13
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NeedsAtRest(t)
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
			limit := ginauth.Limit{Attempts: 1000, Per: time.Minute}
			c.Throttle.Account, c.Throttle.AccountAddress, c.Throttle.Address = limit, limit, limit
		}))
		requests := requestsOf(a)
		bodies := map[string]bool{}
		for _, cell := range wrongTypes(t, b) {
			restore := cell.spoil()
			for _, name := range cell.asked {
				ask, ok := requests[name]
				if !ok {
					t.Fatalf("there is no request %q", name)
				}
				res := outage(t, ask.by, fmt.Sprintf("%s of another type, %s", cell.what, name), ask.request, ask.body, 5500*time.Millisecond)
				bodies[res.Text] = true
			}
			restore()
			recovers(a, cell.what, requests["GET /me"].by.Session())
		}
		if len(bodies) != 1 {
			t.Errorf("outages have %d bodies", len(bodies))
		}
		// None of it has changed anything, or else a token used up then would be
		// taken for a stolen one now.
		a.Clock.Advance(time.Minute)
		for name, ask := range requests {
			method, path, _ := strings.Cut(ask.request, " ")
			if res := ask.by.Do(method, path, "application/json", ask.body); res.StatusCode >= 300 {
				t.Errorf("%s afterwards: status %d, body %s", name, res.StatusCode, res.Text)
			}
		}
	})
}

// asking is a request by somebody.
type asking struct {
	by            *testapp.Client
	request, body string
}

// requestsOf returns requests that each need something of a store, by name. What
// their clients hold is Alice's, but for the reset, which is Bob's.
func requestsOf(a *testapp.App) map[string]asking {
	a.Helper()
	session, remembered, tokens := a.LoggedIn(testapp.Alice), a.Remembered(testapp.Alice).Only(testapp.RememberCookie), a.IssueTokens(testapp.Alice)
	personal := a.Bearer(session.Personal("read").Text)
	credentials := fmt.Sprintf(`{"email":%q,"password":%q}`, testapp.Alice, testapp.Password)
	all := map[string]asking{
		"remembered":     {remembered, "GET /me", ""},
		"refresh":        {a.Client(), "POST /api/refresh", fmt.Sprintf(`{"refresh_token":%q}`, tokens.RefreshToken)},
		"access token":   {a.Bearer(tokens.AccessToken), "GET /api/me", ""},
		"personal token": {personal, "GET /token/me", ""},
		"remember":       {a.Client(), "POST /remember", credentials},
		"reset":          {a.Client(), "POST /reset", fmt.Sprintf(`{"Email":%q,"Token":%q,"Password":%q}`, testapp.Bob, a.ResetToken(testapp.Bob), testapp.NewPassword)},
		"revoke token":   {session, "DELETE /tokens/" + session.Personal("read").ID, ""},
		"end tokens":     {a.Bearer(a.IssueTokens(testapp.Alice).AccessToken), "POST /api/logout", ""},
	}
	for _, request := range []string{"POST /login", "POST /api/login"} {
		all[request] = asking{a.Client(), request, credentials}
	}
	for _, request := range []string{"GET /me", "GET /all", "POST /set?k=a&v=b", "GET /devices", "GET /tokens"} {
		all[request] = asking{session, request, ""}
	}
	all["logout"] = asking{a.LoggedIn(testapp.Alice), "POST /logout", ""}
	return all
}

var (
	needSession = []string{"GET /me", "GET /all", "POST /set?k=a&v=b", "GET /devices", "logout"}
	needLimiter = []string{"POST /login", "POST /api/login", "remember"}
	needFamily  = []string{"remembered", "refresh", "access token", "personal token", "revoke token", "end tokens"}
	needToken   = []string{"remembered", "refresh", "personal token", "revoke token"}
	needTokens  = append([]string{"GET /devices"}, needToken...)
	needUser    = []string{"GET /me", "POST /login", "POST /api/login", "remembered", "refresh", "access token", "personal token", "end tokens"}
)

// withReset adds a reset to requests. It is let in five times.
func withReset(requests []string) []string { return append([]string{"reset"}, requests...) }

// wrongTypes are what can be of another type at rest.
func wrongTypes(t *testing.T, b *testapp.Backend) []wrongType {
	t.Helper()
	switch {
	case b.DB != nil:
		return wrongColumns(t, b)
	case b.Redis != nil:
		return wrongKeys(t, b)
	}
	return wrongFiles(t, b)
}

// wrongColumns are columns in whose place there is one of text. Which types convert
// into which depends on the database, so these are such as nothing converts to.
func wrongColumns(t *testing.T, b *testapp.Backend) []wrongType {
	t.Helper()
	var cells []wrongType
	for _, column := range []struct {
		table, name string
		asked       []string
	}{
		{"auth_sessions", "expires", needSession},
		{"auth_sessions", "digest", needSession},
		{"auth_sessions", "payload", needSession},
		{"auth_token_families", "expires", withReset(needFamily)},
		{"auth_token_families", "revoked", withReset(needToken)},
		{"auth_tokens", "expires", needTokens},
		{"auth_tokens", "consumed", withReset(needToken)},
		{"auth_tokens", "digest", needTokens},
		{"auth_tokens", "abilities", needTokens},
		{"auth_attempts", "taken", needLimiter},
		{"auth_attempts", "expires", needLimiter},
		{"users", "email_verified_at", needUser},
		{"users", "disabled_at", withReset(needUser)},
	} {
		cells = append(cells, wrongType{"column " + column.table + "." + column.name, column.asked, func() func() {
			return replaceColumn(t, b.DB, column.table, column.name)
		}})
	}
	return cells
}

// replaceColumn puts a column of text in the place of another one.
func replaceColumn(t *testing.T, db *gorm.DB, table, name string) (restore func()) {
	t.Helper()
	execute := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if err := db.Exec(strings.NewReplacer("{table}", table, "{name}", name).Replace(statement)).Error; err != nil {
				t.Fatal(err)
			}
		}
		forgetPlans(t, db)
	}
	execute("ALTER TABLE {table} RENAME COLUMN {name} TO was_{name}", "ALTER TABLE {table} ADD COLUMN {name} VARCHAR(9) DEFAULT 'x'")
	return func() {
		execute("ALTER TABLE {table} DROP COLUMN {name}", "ALTER TABLE {table} RENAME COLUMN was_{name} TO {name}")
	}
}

// forgetPlans closes connections: each keeps plans of statements, which fail once
// after a change of the table.
func forgetPlans(t *testing.T, db *gorm.DB) {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxIdleConns(-1)
	pool.SetMaxIdleConns(testservers.Connections)
}

// wrongKeys are lists in the place of other keys: nothing is kept in lists.
func wrongKeys(t *testing.T, b *testapp.Backend) []wrongType {
	t.Helper()
	return []wrongType{
		{"sessions", needSession, func() func() { return replaceKeys(t, b, "s2:") }},
		{"sessions of an owner", []string{"POST /login", "GET /devices"}, func() func() { return replaceKeys(t, b, "so:") }},
		{"families", append([]string{"GET /devices", "GET /tokens"}, withReset(needFamily)...), func() func() { return replaceKeys(t, b, "t:") }},
		{"members of a family", []string{"remembered", "refresh"}, func() func() { return replaceKeys(t, b, "e:") }},
		{"families of an owner", []string{"POST /api/login", "remember", "GET /devices", "GET /tokens"},
			func() func() { return replaceKeys(t, b, "to:") }},
		{"windows", needLimiter, func() func() { return replaceKeys(t, b, "w:") }},
	}
}

// replaceKeys puts lists in the place of keys.
func replaceKeys(t *testing.T, b *testapp.Backend, kind string) (restore func()) {
	t.Helper()
	keys := testservers.RedisKeys(t, b.Redis, b.Prefix+kind)
	if len(keys) == 0 {
		t.Fatalf("there is no key %s…", kind)
	}
	do := func(commands func(ctx context.Context, pipe redis.Pipeliner, key, kept string)) {
		t.Helper()
		pipe := b.Redis.Pipeline()
		for _, key := range keys {
			commands(context.Background(), pipe, key, b.Prefix+"kept:"+key)
		}
		if _, err := pipe.Exec(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	do(func(ctx context.Context, pipe redis.Pipeliner, key, kept string) {
		pipe.Rename(ctx, key, kept)
		pipe.RPush(ctx, key, "x")
	})
	return func() {
		do(func(ctx context.Context, pipe redis.Pipeliner, key, kept string) { pipe.Rename(ctx, kept, key) })
	}
}

// wrongFiles is a folder in the place of each file.
func wrongFiles(t *testing.T, b *testapp.Backend) []wrongType {
	t.Helper()
	return []wrongType{{"files", needSession, func() func() {
		var paths []string
		err := b.EachFile("rows", func(path string, _ []byte) error { paths = append(paths, path); return nil })
		kept := t.TempDir()
		for _, path := range paths {
			err = errors.Join(err, os.Rename(path, filepath.Join(kept, filepath.Base(path))), os.Mkdir(path, 0o700))
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			for _, path := range paths {
				if err := errors.Join(os.Remove(path), os.Rename(filepath.Join(kept, filepath.Base(path)), path)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}}}
}
