package routes_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// client is an HTTP client that keeps cookies and follows no redirects.
type client struct {
	a       *app
	cookies map[string]string
	header  http.Header
	http    *http.Client
}

func (a *app) client() *client {
	return &client{a: a, cookies: map[string]string{}, header: http.Header{}, http: &http.Client{
		Transport:     a.srv.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// browser returns a client that accepts HTML.
func (a *app) browser() *client {
	c := a.client()
	c.header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	return c
}

// bearer returns a client that sends a token and keeps no cookies.
func (a *app) bearer(token string) *client {
	c := a.client()
	c.header.Set("Authorization", "Bearer "+token)
	return c
}

type response struct {
	*http.Response
	body string
}

func (c *client) do(method, path, contentType, body string) *response {
	c.a.Helper()
	req, err := http.NewRequest(method, c.a.srv.URL+path, strings.NewReader(body))
	if err != nil {
		c.a.Fatal(err)
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for name, value := range c.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.a.Errorf("%s %s: %v", method, path, err)
		return &response{&http.Response{Request: req, Header: http.Header{}}, ""}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		c.a.Error(err)
	}
	for _, cookie := range res.Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.cookies, cookie.Name)
		} else {
			c.cookies[cookie.Name] = cookie.Value
		}
	}
	answer := &response{res, string(data)}
	c.a.keepAnswer(path, answer)
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	// Leave out responses that are meant to contain tokens.
	if !bytes.Contains(data, []byte(`"token":`)) && !bytes.Contains(data, []byte(`"access_token":`)) && path != "/form-token" {
		c.a.bodies.Write(data)
	}
	return answer
}

func (c *client) get(path string) *response { c.a.Helper(); return c.do("GET", path, "", "") }

// call sends a JSON body. If v is a string, it is the JSON text itself.
func (c *client) call(method, path string, v any) *response {
	c.a.Helper()
	text, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		if err != nil {
			c.a.Fatal(err)
		}
		text = string(data)
	}
	return c.do(method, path, "application/json", text)
}

func (c *client) post(path string, v any) *response { c.a.Helper(); return c.call("POST", path, v) }

func (c *client) form(path, body string) *response {
	c.a.Helper()
	return c.do("POST", path, "application/x-www-form-urlencoded", body)
}

type fields map[string]any

func (c *client) login(email, password string) *response {
	c.a.Helper()
	return c.post("/login", fields{"email": email, "password": password})
}

func (a *app) loggedIn(email string) *client {
	a.Helper()
	c := a.client()
	c.login(email, pass).want(a, 200)
	return c
}

const sessionCookie = "__Host-ginauth"

// with returns a client that has only one session cookie.
func (a *app) with(session string) *client {
	c := a.client()
	c.cookies[sessionCookie] = session
	return c
}

// want fails the test if the status is not as expected.
func (r *response) want(t testing.TB, status int) *response {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d; body %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	return r
}

// wantField fails the test if the response is not a 422 that names the field.
func (r *response) wantField(t testing.TB, name string) {
	t.Helper()
	r.want(t, 422)
	var body struct{ Code, Field string }
	r.json(t, &body)
	if body.Code != "invalid_input" || body.Field != name {
		t.Errorf("body %s, want a fault of %q", r.body, name)
	}
}

func (r *response) wantRedirect(t testing.TB, to string) {
	t.Helper()
	r.want(t, 303)
	if got := r.Header.Get("Location"); got != to {
		t.Errorf("%s: redirected to %q, want %q", r.Request.URL.Path, got, to)
	}
}

func (r *response) json(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
}

// same fails the test if two responses can be distinguished by status, headers
// (except Date and the values of cookies) or body.
func same(t testing.TB, a, b *response) {
	t.Helper()
	if got, want := fingerprint(a), fingerprint(b); got != want {
		t.Errorf("responses differ:\n%s\n\n%s", got, want)
	}
}

func fingerprint(r *response) string {
	h := r.Header.Clone()
	h.Del("Date")
	for i, line := range h["Set-Cookie"] {
		name, _, _ := strings.Cut(line, "=")
		h["Set-Cookie"][i] = name
	}
	var b strings.Builder
	b.WriteString(strconv.Itoa(r.StatusCode) + "\n")
	_ = h.Write(&b)
	return b.String() + r.body
}
