package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
)

var (
	baseURL  string
	database string
)

// TestMain runs the program on a free port. The tests use it over HTTP.
func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	gin.DefaultWriter = io.Discard
	os.Exit(testProgram(m))
}

func testProgram(m *testing.M) int {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	database = filepath.Join(dir, "test.db")

	ctx, stop := context.WithCancel(context.Background())
	output, writer := io.Pipe()
	var log bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0", "-db", database}, writer, &log)
		_ = writer.CloseWithError(fmt.Errorf("the program ended: %w", err))
		ended <- err
	}()
	lines := bufio.NewReader(output)
	first, err := lines.ReadString('\n')
	if err != nil {
		panic(err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	baseURL = strings.TrimPrefix(strings.TrimSpace(first), "listening on ")

	code := m.Run()
	stop()
	if err := <-ended; err != nil {
		fmt.Println("the program ended with an error:", err)
		code = 1
	}
	if strings.Contains(log.String(), "preflight:") {
		fmt.Println("Preflight has findings:\n" + log.String())
		code = 1
	}
	return code
}

// client is a browser. It checks that no response contains a secret of a user.
type client struct {
	t    *testing.T
	http http.Client
}

func newClient(t *testing.T) *client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t, http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

type object = map[string]any

// do sends a request, checks the status and returns the JSON of the response.
func (c *client) do(method, path string, body any, status int) object {
	c.t.Helper()
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, baseURL+path, payload)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != status {
		c.t.Fatalf("%s %s = %d %s, want %d", method, path, res.StatusCode, data, status)
	}
	for _, secret := range secrets(c.t) {
		if strings.Contains(string(data), secret) {
			c.t.Fatalf("the response to %s %s contains the hash or the stamp of a user: %s", method, path, data)
		}
	}
	var answer object
	if len(data) > 0 {
		if err := json.Unmarshal(data, &answer); err != nil {
			c.t.Fatalf("%s %s = %q: %v", method, path, data, err)
		}
	}
	return answer
}

func (c *client) login(email string) {
	c.t.Helper()
	c.do("POST", "/login", object{"email": email, "password": seedPassword}, 200)
}

// me returns the user object that GET /me shows to the client.
func (c *client) me() object {
	c.t.Helper()
	me, _ := c.do("GET", "/me", nil, 200)["user"].(object)
	return me
}

// secrets returns the hashes and stamps of all users in the database.
func secrets(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, u := range rows(t) {
		found = append(found, u.Password, u.SecurityStamp)
	}
	return found
}

// rows returns all users in the database.
func rows(t *testing.T) []User {
	t.Helper()
	db, err := gorm.Open(openSQLite(database), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closeDB(db) }()
	var users []User
	if err := db.Find(&users).Error; err != nil {
		t.Fatal(err)
	}
	return users
}

func row(t *testing.T, email string) User {
	t.Helper()
	for _, u := range rows(t) {
		if u.Email == email {
			return u
		}
	}
	t.Fatalf("no user has the address %s", email)
	return User{}
}

// newEmail returns an unused address.
func newEmail() string { return strings.ToLower(rand.Text()) + "@example.com" }

func (c *client) url() *url.URL {
	u, err := url.Parse(baseURL)
	if err != nil {
		c.t.Fatal(err)
	}
	return u
}

// sessionCookie returns the client's session cookie.
func (c *client) sessionCookie() *http.Cookie {
	c.t.Helper()
	for _, cookie := range c.http.Jar.Cookies(c.url()) {
		if strings.HasPrefix(cookie.Name, "ginauth_") && strings.Count(cookie.Name, "_") == 1 { // and the port
			return cookie
		}
	}
	c.t.Fatal("the client has no session cookie")
	return nil
}

func TestFlow(t *testing.T) {
	c, email := newClient(t), newEmail()
	c.do("GET", "/me", nil, 401)
	c.do("POST", "/register", object{"name": "Carol", "email": email, "password": seedPassword}, 201)
	c.do("GET", "/me", nil, 401) // registering does not log in
	c.login(strings.ToUpper(email))
	if me := c.me(); me["email"] != email || me["name"] != "Carol" {
		t.Fatalf("/me = %v", me)
	}

	post := c.do("POST", "/posts", object{"title": "One", "body": "Text"}, 201)
	path := fmt.Sprintf("/posts/%v", post["id"])
	c.do("PATCH", path, object{"title": "Two"}, 200)
	if p := c.do("GET", path, nil, 200); p["title"] != "Two" || p["body"] != "Text" {
		t.Errorf("after PATCH of the title: %v", p)
	}
	stranger := newClient(t)
	stranger.do("GET", path, nil, 404) // a draft
	stranger.do("PATCH", path, object{"title": "Three"}, 401)
	c.do("POST", path+"/publish", nil, 403) // the address is not verified
	c.do("DELETE", path, nil, 204)
	c.do("GET", path, nil, 404)
	c.do("DELETE", path, nil, 404)

	cookie := c.sessionCookie()
	c.do("POST", "/logout", nil, 204)
	c.do("GET", "/me", nil, 401)
	c.do("POST", "/logout", nil, 204)
	c.http.Jar.SetCookies(c.url(), []*http.Cookie{cookie})
	c.do("GET", "/me", nil, 401) // the old cookie is no longer valid
}

func TestOthersPosts(t *testing.T) {
	alice, bob := newClient(t), newClient(t)
	alice.login("alice@example.com")
	bob.login("bob@example.com")

	post := alice.do("POST", "/posts", object{"title": "Mine", "body": ""}, 201)
	path := fmt.Sprintf("/posts/%v", post["id"])
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		bob.do(method, path, nil, 404) // hides the draft
	}
	alice.do("POST", path+"/publish", nil, 200)
	bob.do("GET", path, nil, 200)
	newClient(t).do("GET", path, nil, 200)
	bob.do("PATCH", path, object{"title": "Bob's"}, 403)
	bob.do("DELETE", path, nil, 403)
	bob.do("POST", path+"/publish", nil, 403)
	if p := alice.do("GET", path, nil, 200); p["title"] != "Mine" {
		t.Errorf("after the attempts of another user: %v", p)
	}
	for _, id := range []string{"0", "-1", "01", "999999", "1%20OR%201=1", "x"} {
		alice.do("PATCH", "/posts/"+id, object{"title": "x"}, 404)
	}
	alice.do("DELETE", path, nil, 204)
}

func TestListShowsOwnDrafts(t *testing.T) {
	titles := func(c *client) string {
		var list []string
		for _, p := range c.do("GET", "/posts", nil, 200)["posts"].([]any) {
			list = append(list, fmt.Sprint(p.(object)["title"]))
		}
		return strings.Join(list, ",")
	}
	bob := newClient(t)
	bob.login("bob@example.com")
	if list := titles(bob); !strings.Contains(list, "A draft") || !strings.Contains(list, "Welcome") {
		t.Errorf("Bob sees %s", list)
	}
	if list := titles(newClient(t)); strings.Contains(list, "A draft") || !strings.Contains(list, "Welcome") {
		t.Errorf("a guest sees %s", list)
	}
}

func TestAdmin(t *testing.T) {
	alice, admin := newClient(t), newClient(t)
	alice.login("alice@example.com")
	admin.login("admin@example.com")
	newClient(t).do("GET", "/admin", nil, 401)
	alice.do("GET", "/admin", nil, 403)
	admin.do("GET", "/admin", nil, 200)
}

// TestClientCannotSetInternalFields sends fields that clients must not set.
func TestClientCannotSetInternalFields(t *testing.T) {
	c, email := newClient(t), newEmail()
	c.do("POST", "/register", object{
		"name": "Mallory", "email": email, "password": seedPassword,
		"id": 777, "is_admin": true, "admin": true,
		"email_verified_at": "2020-01-01T00:00:00Z", "EmailVerifiedAt": "2020-01-01T00:00:00Z",
		"security_stamp": "chosen", "SecurityStamp": "chosen",
		"password_hash": "chosen", "created_at": "2020-01-01T00:00:00Z", "User": object{"ID": 777, "Admin": true},
	}, 201)
	u := row(t, email)
	if u.ID == 777 || u.Admin || u.EmailVerifiedAt != nil || u.SecurityStamp == "chosen" ||
		!strings.HasPrefix(u.Password, "$argon2id$") || u.CreatedAt.Year() == 2020 {
		t.Errorf("the row is %+v", u)
	}
	c.login(email)
	c.do("GET", "/admin", nil, 403)
	post := c.do("POST", "/posts", object{"title": "x", "body": "", "author_id": 1, "id": 1, "published_at": "2020-01-01T00:00:00Z"}, 201)
	if post["author_id"] != float64(u.ID) || post["id"] == float64(1) || post["published_at"] != nil {
		t.Errorf("the post is %v", post)
	}
}

func TestRegisterRefusesInvalidInput(t *testing.T) {
	c, email := newClient(t), newEmail()
	valid := func() object { return object{"name": "Dave", "email": email, "password": seedPassword} }
	c.do("POST", "/register", valid(), 201)
	for name, test := range map[string]struct {
		field string
		value any
	}{
		"taken":               {"email", email},
		"taken, other case":   {"email", strings.ToUpper(email)},
		"no address":          {"email", "dave"},
		"no email":            {"email", ""},
		"address and name":    {"email", "Dave <dave@example.com>"},
		"email not a text":    {"email", 7},
		"no name":             {"name", " "},
		"long name":           {"name", strings.Repeat("x", 101)},
		"short password":      {"password", strings.Repeat("é", 14)},
		"password too long":   {"password", strings.Repeat("x", 5000)},
		"password not a text": {"password", []string{"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			body := valid()
			body["email"] = newEmail()
			body[test.field] = test.value
			if answer := c.do("POST", "/register", body, 422); answer["field"] != test.field {
				t.Errorf("response %v, want an error of field %s", answer, test.field)
			}
		})
	}
}

func TestLoginRefusesUnknownUserAndWrongPassword(t *testing.T) {
	c, email := newClient(t), newEmail()
	wrong := c.do("POST", "/login", object{"email": "alice@example.com", "password": "wrong"}, 401)
	nobody := c.do("POST", "/login", object{"email": email, "password": "wrong"}, 401)
	if fmt.Sprint(wrong) != fmt.Sprint(nobody) {
		t.Errorf("the response to a wrong password is %v, to an unknown address %v", wrong, nobody)
	}
	for range 4 {
		c.do("POST", "/login", object{"email": email, "password": "wrong"}, 401)
	}
	c.do("POST", "/login", object{"email": email, "password": "wrong"}, 429)
}
