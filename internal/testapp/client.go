package testapp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// Client is a browser, more or less: it keeps cookies, and follows no redirects.
// One client sends one request after the other; for requests at once there is
// one client each.
type Client struct {
	// Cookies are what servers have set, by name.
	Cookies map[string]string
	// Header is sent with every request.
	Header http.Header

	t    testing.TB
	url  string
	http *http.Client
	app  *App // or nil
}

// NewClient returns a client of a server that need not be an App's. Transport is
// kept by all clients of the server, whose connections it has.
func NewClient(t testing.TB, url string, transport http.RoundTripper) *Client {
	return &Client{
		Cookies: map[string]string{}, Header: http.Header{}, t: t, url: url,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Client returns a client without cookies.
func (a *App) Client() *Client {
	c := NewClient(a, a.Server.URL, a.Server.Client().Transport)
	c.app = a
	return c
}

// Browser returns a client that asks for HTML.
func (a *App) Browser() *Client {
	c := a.Client()
	c.Header.Set("Accept", BrowserAccept)
	return c
}

// Bearer returns a client that sends a token and keeps no cookies of before.
func (a *App) Bearer(token string) *Client {
	c := a.Client()
	c.Header.Set("Authorization", "Bearer "+token)
	return c
}

// BasicAuth returns a client that sends a name and a password with every request.
func (a *App) BasicAuth(name, password string) *Client {
	c := a.Client()
	c.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(name+":"+password)))
	return c
}

// With returns a client that has this session cookie and no other cookie.
func (a *App) With(session string) *Client { return a.Client().With(session) }

// WithCookie returns a client that has this cookie and no other.
func (a *App) WithCookie(name, value string) *Client {
	c := a.Client()
	c.Cookies[name] = value
	return c
}

// WithRemember returns a client that has this remember-me cookie and no other
// cookie.
func (a *App) WithRemember(value string) *Client { return a.WithCookie(RememberCookie, value) }

// LoggedIn returns a client of Alice or Bob, who has logged in.
func (a *App) LoggedIn(email string) *Client {
	a.Helper()
	c := a.Client()
	c.LogIn(email, Password).Want(a, 200)
	return c
}

// Remembered returns a client of Alice or Bob, who has logged in and is
// remembered.
func (a *App) Remembered(email string) *Client {
	a.Helper()
	c := a.Client()
	c.Post("/remember", Credentials(email, Password)).Want(a, 204)
	if c.Cookies[RememberCookie] == "" {
		a.Fatal("the device is not remembered")
	}
	return c
}

// fresh returns another client of the same server, without cookies or headers.
func (c *Client) fresh() *Client {
	other := *c
	other.Cookies, other.Header = map[string]string{}, http.Header{}
	return &other
}

// With returns another client that has this session cookie, if it is not "", and
// no other cookie.
func (c *Client) With(session string) *Client {
	other := c.fresh()
	if session != "" {
		other.Cookies[SessionCookie] = session
	}
	return other
}

// Only returns another client that has one of the cookies of c and no other.
func (c *Client) Only(name string) *Client {
	other := c.fresh()
	other.Cookies[name] = c.Cookies[name]
	return other
}

// Copy returns another client with all cookies of c.
func (c *Client) Copy() *Client {
	other := c.fresh()
	maps.Copy(other.Cookies, c.Cookies)
	return other
}

// Session returns the session cookie, or "".
func (c *Client) Session() string { return c.Cookies[SessionCookie] }

// Remember returns the remember-me cookie, or "".
func (c *Client) Remember() string { return c.Cookies[RememberCookie] }

// As sets the client's User-Agent header.
func (c *Client) As(userAgent string) *Client { c.Header.Set("User-Agent", userAgent); return c }

// From sets the client's address, where AddressFromHeader is part of the
// configuration.
func (c *Client) From(ip string) *Client { c.Header.Set(addressHeader, ip); return c }

// Try sends a request and returns the error of the transport, if any.
func (c *Client) Try(ctx context.Context, method, path, contentType, body string) (*Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range c.Header {
		req.Header[name] = values
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	var cookies []string
	for name, value := range c.Cookies {
		cookies = append(cookies, name+"="+value)
	}
	if len(cookies) > 0 && req.Header.Get("Cookie") == "" {
		req.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	for _, cookie := range res.Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.Cookies, cookie.Name)
		} else {
			c.Cookies[cookie.Name] = cookie.Value
		}
	}
	answer := &Response{res, string(data)}
	if c.app != nil && c.app.settings.leaks != nil {
		c.app.settings.leaks.response(answer)
	}
	return answer, nil
}

// TryPost is Try with a body in JSON, see Call.
func (c *Client) TryPost(path string, body any) (*Response, error) {
	return c.Try(context.Background(), http.MethodPost, path, "application/json", c.json(body))
}

// Do sends a request. An error of the transport is an error of the test, and the
// response then has status 0: it may be called by any goroutine.
func (c *Client) Do(method, path, contentType, body string) *Response {
	c.t.Helper()
	res, err := c.Try(context.Background(), method, path, contentType, body)
	if err != nil {
		c.t.Errorf("%s %s: %v", method, path, err)
		req, _ := http.NewRequest(method, c.url+path, nil)
		return &Response{&http.Response{Request: req, Header: http.Header{}}, ""}
	}
	return res
}

// Get sends a GET request.
func (c *Client) Get(path string) *Response { c.t.Helper(); return c.Do(http.MethodGet, path, "", "") }

// Delete sends a DELETE request without a body.
func (c *Client) Delete(path string) *Response {
	c.t.Helper()
	return c.Do(http.MethodDelete, path, "", "")
}

// Call sends a body in JSON: body is a value, or a string that is JSON already.
func (c *Client) Call(method, path string, body any) *Response {
	c.t.Helper()
	return c.Do(method, path, "application/json", c.json(body))
}

// Post is Call with POST.
func (c *Client) Post(path string, body any) *Response {
	c.t.Helper()
	return c.Call(http.MethodPost, path, body)
}

func (c *Client) json(body any) string {
	c.t.Helper()
	if text, ok := body.(string); ok {
		return text
	}
	data, err := json.Marshal(body)
	if err != nil {
		c.t.Error(err)
	}
	return string(data)
}

// Form posts a form, as in "a=1&b=2".
func (c *Client) Form(path, body string) *Response {
	c.t.Helper()
	return c.Do(http.MethodPost, path, "application/x-www-form-urlencoded", body)
}

// Start sends a request without a body on a goroutine of its own, and returns
// where its response comes from. A Hold says when it has arrived.
func (c *Client) Start(method, path string) <-chan *Response {
	result := make(chan *Response, 1)
	go func() { result <- c.Do(method, path, "", "") }()
	return result
}

// LogIn posts an address and a password to /login.
func (c *Client) LogIn(email, password string) *Response {
	c.t.Helper()
	return c.Post("/login", Credentials(email, password))
}
