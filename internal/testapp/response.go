package testapp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
)

// Response is a response that has come in.
type Response struct {
	*http.Response
	// Text is the body.
	Text string
}

// Want fails the test unless the status is this one. It returns the response.
func (r *Response) Want(t testing.TB, status int) *Response {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d; body %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.Text)
	}
	return r
}

// Want401 fails the test unless nobody was authenticated, and the response names
// no user: who is privileged is Alice, the first of the users.
func (r *Response) Want401(t testing.TB) {
	t.Helper()
	r.Want(t, 401)
	if strings.Contains(r.Text, "Alice") || strings.Contains(r.Text, Alice) {
		t.Fatalf("a 401 names a user: %s", r.Text)
	}
}

// WantDead fails the test unless a session cookie is refused: with 401, or with 409 for a moment
// after it was replaced.
func (r *Response) WantDead(t testing.TB) {
	t.Helper()
	if r.StatusCode != 409 {
		r.Want401(t)
	}
}

// WantReplaced fails the test unless a session cookie that was replaced moments ago is answered with
// 409, and with 401 once no request can still be on its way. It moves the clock.
func (a *App) WantReplaced(session, path string) {
	a.Helper()
	if res := a.With(session).Get(path).Want(a, 409).WantNoCookies(a); strings.Contains(res.Text, "Alice") {
		a.Errorf("a 409 names a user: %s", res.Text)
	}
	a.Clock.Advance(supersededFor)
	a.With(session).Get(path).Want401(a)
}

// supersededFor is how long a request with a replaced id counts as one that raced.
const supersededFor = 10 * time.Second

// WantBadToken fails the test unless the response is the one that every bad token
// gets.
func (r *Response) WantBadToken(t testing.TB) {
	t.Helper()
	r.Want401(t)
	if got := r.Header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
		t.Errorf("challenge %q", got)
	}
	if want := `{"code":"unauthenticated","message":"Authentication is required."}`; r.Text != want {
		t.Errorf("body %s, want %s", r.Text, want)
	}
}

// WantConfirmation fails the test unless the response asks to confirm the
// password.
func (r *Response) WantConfirmation(t testing.TB) {
	t.Helper()
	if r.Want(t, 403); !strings.Contains(r.Text, `"password_confirmation_required"`) || strings.Contains(r.Text, "Alice") {
		t.Errorf("body %s", r.Text)
	}
}

// WantField fails the test unless the response is a 422 that names this field.
func (r *Response) WantField(t testing.TB, name string) {
	t.Helper()
	r.Want(t, 422)
	var body struct{ Code, Field string }
	r.JSON(t, &body)
	if body.Code != "invalid_input" || body.Field != name {
		t.Errorf("body %s, want a fault of %q", r.Text, name)
	}
}

// WantRedirect fails the test unless the response redirects to this target.
func (r *Response) WantRedirect(t testing.TB, to string) {
	t.Helper()
	r.Want(t, 303)
	if got := r.Header.Get("Location"); got != to {
		t.Errorf("%s: redirected to %q, want %q", r.Request.URL.Path, got, to)
	}
}

// WantNoCookies reports an error if the response sets a cookie. It returns the
// response.
func (r *Response) WantNoCookies(t testing.TB) *Response {
	t.Helper()
	if lines := r.Header["Set-Cookie"]; len(lines) > 0 {
		t.Errorf("%s %s: status %d sets %q", r.Request.Method, r.Request.URL.Path, r.StatusCode, lines)
	}
	return r
}

// SetCookie returns the Set-Cookie line of a cookie, without which the test fails.
func (r *Response) SetCookie(t testing.TB, name string) string {
	t.Helper()
	for _, line := range r.Header["Set-Cookie"] {
		if strings.HasPrefix(line, name+"=") {
			return line
		}
	}
	t.Fatalf("no cookie %s in %q", name, r.Header["Set-Cookie"])
	return ""
}

// JSON decodes the body.
func (r *Response) JSON(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.Text), into); err != nil {
		t.Fatalf("body %q: %v", r.Text, err)
	}
}

// UserName returns the name of the user whom the body shows.
func (r *Response) UserName(t testing.TB) string {
	t.Helper()
	var u struct{ Name string }
	r.JSON(t, &u)
	return u.Name
}

// Tokens returns the tokens that the response hands out, without which the test
// fails.
func (r *Response) Tokens(t testing.TB) ginauth.TokenPair {
	t.Helper()
	var p ginauth.TokenPair
	if r.Want(t, 200).JSON(t, &p); p.AccessToken == "" || p.RefreshToken == "" {
		t.Fatalf("%s: no pair of tokens", r.Request.URL.Path)
	}
	return p
}

// Same reports an error if a client can tell two responses apart: by status,
// headers except Date, names of cookies, or body. What says which they are.
func Same(t testing.TB, got, want *Response, what ...any) {
	t.Helper()
	if g, w := got.visible(), want.visible(); g != w {
		t.Errorf("%sresponses differ:\n%s\n\n%s", fmt.Sprintln(what...), g, w)
	}
}

// visible returns all that a client sees of a response, apart from the date and
// the values of cookies.
func (r *Response) visible() string {
	var lines []string
	for name, values := range r.Header {
		if name == "Date" {
			continue
		}
		values = slices.Clone(values)
		for i := range values {
			if name == "Set-Cookie" {
				values[i], _, _ = strings.Cut(values[i], "=")
			}
		}
		lines = append(lines, fmt.Sprintf("%s: %q", name, values))
	}
	slices.Sort(lines)
	return strconv.Itoa(r.StatusCode) + "\n" + strings.Join(lines, "\n") + "\n" + r.Text
}
