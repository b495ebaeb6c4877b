package ginauth_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testservers"
	"github.com/ginauth/ginauth/mail"
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
	eachBackend(t, func(t *testing.T, b *backend) {
		if b.atRest == nil {
			t.Skip("holds values of one type each")
		}
		box := new(ginauthtest.Mailbox)
		a := newApp(t, b, func(c *ginauth.Config) {
			limit := ginauth.Limit{Attempts: 1000, Per: time.Minute}
			c.Throttle.Account, c.Throttle.AccountAddress, c.Throttle.Address = limit, limit, limit
			c.Mail = ginauth.MailConfig{Mailer: box, BaseURL: "https://app.example"}
		}, func(a *app, r *gin.Engine) {
			accountRoutes(a, r)
			r.POST("/reset", func(c *gin.Context) {
				answer(c, nil, a.m.Broker("web").Reset(c.Request.Context(), ginauth.PasswordReset{
					Email: bobEmail, Token: c.Query("token"), Password: "a new and quite unlikely phrase",
				}))
			})
		})
		requests := a.asking(box)
		bodies := map[string]bool{}
		for _, cell := range b.atRest.wrongTypes(t) {
			restore := cell.spoil()
			for _, name := range cell.asked {
				ask, ok := requests[name]
				if !ok {
					t.Fatalf("there is no request %q", name)
				}
				res := ask.by.outage(fmt.Sprintf("%s of another type, %s", cell.what, name), ask.request, ask.body, 5500*time.Millisecond)
				bodies[res.body] = true
			}
			restore()
			a.recovers(cell.what, requests["GET /me"].by.session())
		}
		if len(bodies) != 1 {
			t.Errorf("outages have %d bodies", len(bodies))
		}
		// None of it has changed anything, or else a token used up then would be
		// taken for a stolen one now.
		a.clock.advance(time.Minute)
		for name, ask := range requests {
			method, path, _ := strings.Cut(ask.request, " ")
			if res := ask.by.do(method, path, "application/json", ask.body); res.StatusCode >= 300 {
				t.Errorf("%s afterwards: status %d, body %s", name, res.StatusCode, res.body)
			}
		}
	})
}

// asking is a request by somebody.
type asking struct {
	by            *client
	request, body string
}

// asking returns requests that each need something of a store, by name. What
// their clients hold is Alice's, but for the reset, which is Bob's.
func (a *app) asking(box *ginauthtest.Mailbox) map[string]asking {
	a.Helper()
	session, remembered, tokens := a.loggedIn(aliceEmail), a.remembered(aliceEmail).only(rememberCookie), a.apiLogin(aliceEmail)
	personal := a.bearing(a.personal(session, "read").Token)
	if err := a.m.Broker("web").SendResetLink(context.Background(), bobEmail); err != nil {
		a.Fatal(err)
	}
	credentials := fmt.Sprintf(`{"email":%q,"password":%q}`, aliceEmail, goodPass)
	all := map[string]asking{
		"remembered":     {remembered, "GET /me", ""},
		"refresh":        {a.client(), "POST /api/refresh", fmt.Sprintf(`{"refresh_token":%q}`, tokens.Refresh)},
		"access token":   {a.bearing(tokens.Access), "GET /api/me", ""},
		"personal token": {personal, "GET /token/me", ""},
		"remember":       {a.client(), "POST /remember", credentials},
		"reset":          {a.client(), "POST /reset?token=" + box.Token(a, mail.ResetPassword), ""},
		"revoke token":   {session, "DELETE /tokens/" + a.personal(session, "read").ID, ""},
		"end tokens":     {a.bearing(a.apiLogin(aliceEmail).Access), "POST /api/logout", ""},
	}
	for _, request := range []string{"POST /login", "POST /api/login"} {
		all[request] = asking{a.client(), request, credentials}
	}
	for _, request := range []string{"GET /me", "GET /all", "POST /set?k=a&v=b", "GET /devices", "GET /tokens"} {
		all[request] = asking{session, request, ""}
	}
	all["logout"] = asking{a.loggedIn(aliceEmail), "POST /logout", ""}
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

// wrongTypes are columns in whose place there is one of text. Which types convert
// into which depends on the database, so these are such as nothing converts to.
func (r rowsAtRest) wrongTypes(t *testing.T) []wrongType {
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
			return r.replaceColumn(t, column.table, column.name)
		}})
	}
	return cells
}

// replaceColumn puts a column of text in the place of another one.
func (r rowsAtRest) replaceColumn(t *testing.T, table, name string) (restore func()) {
	t.Helper()
	execute := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if err := r.db.Exec(strings.NewReplacer("{table}", table, "{name}", name).Replace(statement)).Error; err != nil {
				t.Fatal(err)
			}
		}
		r.forgetPlans(t)
	}
	execute("ALTER TABLE {table} RENAME COLUMN {name} TO was_{name}", "ALTER TABLE {table} ADD COLUMN {name} VARCHAR(9) DEFAULT 'x'")
	return func() {
		execute("ALTER TABLE {table} DROP COLUMN {name}", "ALTER TABLE {table} RENAME COLUMN was_{name} TO {name}")
	}
}

// forgetPlans closes connections: each keeps plans of statements, which fail once
// after a change of the table.
func (r rowsAtRest) forgetPlans(t *testing.T) {
	t.Helper()
	pool, err := r.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxIdleConns(-1)
	pool.SetMaxIdleConns(testservers.Connections)
}

// wrongTypes are lists in the place of other keys: nothing is kept in lists.
func (r keysAtRest) wrongTypes(t *testing.T) []wrongType {
	t.Helper()
	return []wrongType{
		{"sessions", needSession, func() func() { return r.replaceKeys(t, "s:") }},
		{"sessions of an owner", []string{"POST /login", "GET /devices"}, func() func() { return r.replaceKeys(t, "so:") }},
		{"families", append([]string{"GET /devices", "GET /tokens"}, withReset(needFamily)...), func() func() { return r.replaceKeys(t, "t:") }},
		{"members of a family", []string{"remembered", "refresh"}, func() func() { return r.replaceKeys(t, "e:") }},
		{"families of an owner", []string{"POST /api/login", "remember", "GET /devices", "GET /tokens"},
			func() func() { return r.replaceKeys(t, "to:") }},
		{"windows", needLimiter, func() func() { return r.replaceKeys(t, "w:") }},
	}
}

// replaceKeys puts lists in the place of keys.
func (r keysAtRest) replaceKeys(t *testing.T, kind string) (restore func()) {
	t.Helper()
	keys := testservers.RedisKeys(t, r.client, r.prefix+kind)
	if len(keys) == 0 {
		t.Fatalf("there is no key %s…", kind)
	}
	do := func(commands func(ctx context.Context, pipe redis.Pipeliner, key, kept string)) {
		t.Helper()
		pipe := r.client.Pipeline()
		for _, key := range keys {
			commands(context.Background(), pipe, key, r.prefix+"kept:"+key)
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

// wrongTypes is a folder in the place of each file.
func (dir filesAtRest) wrongTypes(t *testing.T) []wrongType {
	t.Helper()
	return []wrongType{{"files", needSession, func() func() {
		var paths []string
		err := dir.each("rows", func(path string, _ []byte) error { paths = append(paths, path); return nil })
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
