package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testservers"
)

const password = "correct horse battery staple"

// tables are those of the old application in the words of other databases than SQLite.
var tables = map[string]*strings.Replacer{
	"sqlite": strings.NewReplacer(),
	"postgres": strings.NewReplacer(
		"integer PRIMARY KEY AUTOINCREMENT", "bigserial PRIMARY KEY", "user_id integer", "user_id bigint",
		"email varchar NOT NULL", "email varchar(255) NOT NULL UNIQUE", "datetime", "timestamp(0)", "varchar", "varchar(255)",
	),
	"mysql": strings.NewReplacer(
		"integer PRIMARY KEY AUTOINCREMENT", "bigint unsigned PRIMARY KEY AUTO_INCREMENT",
		"user_id integer", "user_id bigint unsigned",
		"email varchar", "email varchar(255) COLLATE utf8mb4_bin", "datetime", "timestamp NULL", "varchar", "varchar(255)",
	),
}

// desk is a start of the help desk.
type desk struct {
	t      *testing.T
	db     *gorm.DB
	out    string // what the start has written
	server *httptest.Server
}

// key is that of all starts.
var key = ginauth.NewKey()

// start prepares the database and starts the application, as run does.
func start(t *testing.T, db *gorm.DB) *desk {
	t.Helper()
	gin.SetMode(gin.TestMode)
	var out bytes.Buffer
	if err := moveIn(t.Context(), db, &out); err != nil {
		t.Fatal(err)
	}
	r, auth, err := newDesk(t.Context(), db, ginauth.Config{
		Key: key, Hashing: ginauthtest.CheapHashing(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}, &out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(context.Background()) })
	// That the hashes of the tests are cheap is no finding of the application's.
	text := regexp.MustCompile(`(?m)^preflight: Hashing\.InsecureAllowWeakParameters: .*\n`).ReplaceAllString(out.String(), "")
	d := &desk{t, db, text, httptest.NewTLSServer(r)}
	t.Cleanup(d.server.Close)
	return d
}

// browser is a browser at the help desk.
type browser struct {
	*desk
	http *http.Client
}

func (d *desk) browser() *browser {
	jar, _ := cookiejar.New(nil) // never fails
	return &browser{d, &http.Client{Transport: d.server.Client().Transport, Jar: jar}}
}

// do sends a request, requires a status and returns the body.
func (b *browser) do(status int, method, path string, body any) string {
	b.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, bytes.NewReader(data))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		b.t.Fatalf("%s %s: status %d, want %d, %v: %s", method, path, res.StatusCode, status, err, text)
	}
	return string(text)
}

// login logs in at a browser of its own.
func (d *desk) login(status int, email, password string) *browser {
	d.t.Helper()
	b := d.browser()
	b.do(status, "POST", "/login", map[string]string{"email": email, "password": password})
	return b
}

// oldRow returns the columns of a row that the old application knows, and the hash.
func oldRow(t *testing.T, db *gorm.DB, id int) (columns map[string]any, hash string) {
	t.Helper()
	columns = make(map[string]any)
	const known = "id, name, email, email_verified_at, password, remember_token, created_at, updated_at"
	if err := db.Raw("SELECT "+known+" FROM users WHERE id = ?", id).Scan(&columns).Error; err != nil {
		t.Fatal(err)
	}
	hash, _ = columns["password"].(string)
	delete(columns, "password")
	return columns, hash
}

func exec(t *testing.T, db *gorm.DB, statement string, args ...any) {
	t.Helper()
	if err := db.Exec(statement, args...).Error; err != nil {
		t.Fatal(err)
	}
}

// TestHelpDesk moves in, logs old users in, and mends the rows that are wrong.
func TestHelpDesk(t *testing.T) {
	for engine, open := range map[string]func(t *testing.T) *gorm.DB{
		"sqlite": func(t *testing.T) *gorm.DB {
			dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate"
			return testservers.Connect(t, sqlite.Open(dsn))
		},
		"postgres": func(t *testing.T) *gorm.DB { return testservers.Postgres(t) },
		"mysql":    func(t *testing.T) *gorm.DB { return testservers.MySQL(t) },
	} {
		t.Run(engine, func(t *testing.T) {
			db := open(t)
			if err := fill(db, tables[engine].Replace(laravel)); err != nil {
				t.Fatal(err)
			}
			d := start(t, db)
			oldUsers(t, d)
			newUser(t, d)
			mendRows(t, db)
			laterRow(t, db)
		})
	}
}

// oldUsers log in with their old passwords, whose hashes are replaced, and find their tickets.
func oldUsers(t *testing.T, d *desk) {
	if !strings.HasPrefix(d.out, "users: 5, of which 5 were completed\n") ||
		strings.Count(d.out, "cannot log in: the email") != 3 || strings.Count(d.out, "preflight: Users: ") != 1 ||
		strings.Count(d.out, "\n") != 5 {
		t.Errorf("the first start:\n%s", d.out)
	}
	for id, user := range map[int]struct{ email, ticket string }{
		1: {"ann@example.com", "printer"}, 2: {"bob@example.com", "key"},
	} {
		before, old := oldRow(t, d.db, id)
		d.login(401, user.email, "wrong")
		tickets := d.login(200, user.email, password).do(200, "GET", "/tickets", nil)
		if !strings.Contains(tickets, user.ticket) || strings.Count(tickets, "subject") != 1 {
			t.Errorf("tickets of %s: %s", user.email, tickets)
		}
		after, hash := oldRow(t, d.db, id)
		if hash == old || !strings.HasPrefix(hash, "$argon2id$") {
			t.Errorf("the hash of %s is %q after the login", user.email, hash)
		}
		if !maps.Equal(fmtAll(before), fmtAll(after)) {
			t.Errorf("a row has changed from %v to %v", before, after)
		}
		d.login(200, user.email, password) // with the new hash
	}
	for _, email := range []string{"eve@example.com", "EVE@example.com"} {
		d.login(401, email, password)
	}
}

// fmtAll makes values comparable.
func fmtAll(columns map[string]any) map[string]string {
	texts := make(map[string]string)
	for name, value := range columns {
		texts[name] = fmt.Sprint(value)
	}
	return texts
}

func newUser(t *testing.T, d *desk) {
	in := map[string]string{"name": "Zoe", "email": "zoe@example.com", "password": password}
	d.browser().do(201, "POST", "/register", in)
	if tickets := d.login(200, "zoe@example.com", password).do(200, "GET", "/tickets", nil); tickets != "[]" {
		t.Errorf("tickets of a new user: %s", tickets)
	}
	in["email"] = "BOB@example.com"
	d.browser().do(422, "POST", "/register", in)
}

// mendRows corrects the rows that the first start has named, and starts again, twice.
func mendRows(t *testing.T, db *gorm.DB) {
	exec(t, db, "UPDATE users SET email = 'adam@example.com' WHERE id = 4")
	exec(t, db, "DELETE FROM users WHERE id = 5")
	d := start(t, db)
	if d.out != "users: 5, of which 2 were completed\n" {
		t.Errorf("the second start:\n%s", d.out)
	}
	for _, email := range []string{"eve@example.com", "adam@example.com"} {
		d.login(200, email, password)
	}
	if d := start(t, db); d.out != "users: 5, of which 0 were completed\n" {
		t.Errorf("the third start:\n%s", d.out)
	}
}

// laterRow is a user whom the old application adds while both run.
func laterRow(t *testing.T, db *gorm.DB) {
	_, hash := oldRow(t, db, 4) // of the same password
	d := start(t, db)
	exec(t, db, "INSERT INTO users (name, email, password) VALUES ('Lea', 'lea@example.com', ?)", hash)
	d.login(401, "lea@example.com", password)
	d = start(t, db)
	if d.out != "users: 6, of which 1 were completed\n" {
		t.Errorf("the start after a later row:\n%s", d.out)
	}
	d.login(200, "lea@example.com", password)
}

// TestRun runs the program, with a new file and then with the same.
func TestRun(t *testing.T) {
	args := []string{"-addr", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "helpdesk.db")}
	for _, want := range []string{"users: 5, of which 5 were completed", "users: 5, of which 0 were completed"} {
		ctx, stop := context.WithCancel(t.Context())
		out, in := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, args, in) }()
		lines := bufio.NewReader(out)
		first, err := lines.ReadString('\n')
		if err != nil || strings.TrimSpace(first) != want {
			t.Errorf("it writes %q, want %q: %v", first, want, err)
		}
		address := ""
		for address == "" {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			_, address, _ = strings.Cut(strings.TrimSpace(line), "listening on ")
		}
		login := strings.NewReader(`{"email":"ann@example.com","password":"` + password + `"}`)
		res, err := http.Post(address+"/login", "application/json", login)
		if err != nil || res.StatusCode != 200 {
			t.Errorf("a login: %v, %v", res, err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
