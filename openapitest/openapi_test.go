package openapitest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/routes"
)

const (
	password = "correct horse battery staple"
	next     = "ocelots juggle nine marbles"
	alice    = "alice@example.com"
)

// outbox is a mailer that hands mails to the test.
type outbox chan mail.Message

func (o outbox) Send(_ context.Context, m mail.Message) error { o <- m; return nil }

// link returns the path of the link in the next mail of a kind.
func (o outbox) link(t *testing.T, kind string) string {
	t.Helper()
	patience := time.After(20 * time.Second)
	for {
		select {
		case m := <-o:
			if m.Kind == kind {
				return strings.TrimPrefix(regexp.MustCompile(`https://app\.example\S+`).FindString(m.Text), "https://app.example")
			}
		case <-patience:
			t.Fatalf("no mail %s", kind)
		}
	}
}

// client sends requests and checks them, and what comes back, against the document.
type client struct {
	t         *testing.T
	http      *http.Client
	url       string
	token     string
	validator validator.Validator
	succeeded map[string]bool
	document  []byte
}

// app starts an application with all routes.
func app(t *testing.T) (*client, outbox) {
	t.Helper()
	gin.SetMode(gin.TestMode)
	mails := make(outbox, 100)
	auth, err := ginauth.New(ginauth.Config{
		Users: new(ginauthtest.Users), Hashing: ginauthtest.CheapHashing(), Logger: slog.New(slog.DiscardHandler),
		Mail:     ginauth.MailConfig{Mailer: mails, BaseURL: "https://app.example"},
		Throttle: ginauth.ThrottleConfig{InsecureDisable: true},
		Account:  ginauth.AccountConfig{MailPerMinute: 1000, MailPerHour: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := gin.New()
	r.Use(auth.StartSession())
	routes.Mount(r, auth, routes.Options{})
	server := httptest.NewTLSServer(r)
	t.Cleanup(func() { server.Close(); _ = auth.Close(context.Background()) })
	c := &client{t: t, http: server.Client(), url: server.URL, succeeded: map[string]bool{}}
	if c.http.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	document, err := libopenapi.NewDocument(routes.OpenAPI(r, auth, routes.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var faults []error
	if c.validator, faults = validator.NewValidator(document); len(faults) > 0 {
		t.Fatal(faults)
	}
	return c, mails
}

// do sends a request and returns the JSON of the response.
func (c *client) do(method, path string, body any, want int) (answer map[string]any) {
	c.t.Helper()
	var payload []byte
	if body != nil {
		payload, _ = json.Marshal(body)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader(payload))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		c.t.Fatalf("%s %s: %d %s, %v, want %d", method, path, res.StatusCode, data, err, want)
	}
	c.check(req, res, payload, data)
	if len(data) > 0 {
		if err := json.Unmarshal(data, &answer); err != nil {
			c.t.Fatal(err)
		}
	}
	return answer
}

// check compares a request and its response with the document.
func (c *client) check(req *http.Request, res *http.Response, payload, data []byte) {
	c.t.Helper()
	res.Body = io.NopCloser(bytes.NewReader(data))
	_, faults := c.validator.ValidateHttpResponse(req, res)
	if len(payload) > 0 && res.StatusCode < 300 {
		req.Body = io.NopCloser(bytes.NewReader(payload))
		_, more := c.validator.GetRequestBodyValidator().ValidateRequestBody(req)
		faults = append(faults, more...)
	}
	for _, fault := range faults {
		c.t.Errorf("%s %s, %d: %s: %s: %+v\n%s", req.Method, req.URL.Path, res.StatusCode, fault.Message, fault.Reason, fault.SchemaValidationErrors, data)
	}
	if res.StatusCode < 300 {
		c.succeeded[req.Method+" "+shape(req.URL.Path)] = true
	}
}

// shape returns a path without what is of one request.
func shape(path string) string {
	for _, prefix := range []string{"/verify-email/", "/confirm-email/", "/devices/", "/tokens/"} {
		if strings.HasPrefix(path, prefix) && path != "/verify-email/resend" {
			return prefix
		}
	}
	return path
}

type object = map[string]any

func TestDocumentIsValid(t *testing.T) {
	c, _ := app(t)
	if ok, faults := c.validator.ValidateDocument(); !ok {
		for _, fault := range faults {
			t.Errorf("%s: %s: %+v", fault.Message, fault.Reason, fault.SchemaValidationErrors)
		}
	}
}

// TestResponsesAreAsDescribed sends every request of the document, and some that fail.
func TestResponsesAreAsDescribed(t *testing.T) {
	c, mails := app(t)
	c.session(mails)
	c.tokens()
	for _, route := range []routes.Route{
		routes.Register, routes.Login, routes.Logout, routes.Me, routes.ChangePassword, routes.ConfirmPassword, routes.PasswordConfirmed,
		routes.ForgotPassword, routes.ResetPassword, routes.ShowVerifyEmail, routes.VerifyEmail, routes.ResendVerification, routes.ChangeEmail,
		routes.ShowConfirmEmail, routes.ConfirmEmail, routes.Devices, routes.RevokeDevice, routes.LogoutDevices, routes.IssueTokens,
		routes.RefreshTokens, routes.RevokeToken, routes.PersonalTokens, routes.CreateToken, routes.DeleteToken, routes.JWKS,
	} {
		method, path, _ := strings.Cut(string(route), " ")
		if !c.succeeded[method+" "+shape(path)] {
			t.Errorf("%s was not tried", route)
		}
	}
}

// session goes through what a user with a session does.
func (c *client) session(mails outbox) {
	t := c.t
	c.do("POST", "/register", object{"name": "Alice", "email": "x", "password": "short"}, 422)
	c.do("POST", "/register", object{"name": "Alice", "email": alice, "password": password}, 201)
	link := mails.link(t, mail.VerifyEmail)
	c.do("POST", "/verify-email/1/2", nil, 403)
	c.do("GET", link, nil, 200)
	c.do("POST", "/verify-email/resend", object{"email": alice}, 202)
	c.do("GET", "/me", nil, 401)
	c.do("POST", "/login", object{"email": alice, "password": "wrong"}, 401)
	c.do("POST", "/login", object{"email": alice, "password": password, "remember": true}, 200)
	c.do("POST", link, object{"password": password}, 200)
	c.do("GET", "/me", nil, 200)
	c.do("GET", "/confirm-password", nil, 200)
	c.do("POST", "/confirm-password", object{"password": password}, 204)
	c.do("POST", "/confirm-password", object{"password": "wrong"}, 422)
	c.do("PUT", "/email", object{"email": "new@example.com"}, 202)
	change := mails.link(t, mail.EmailChange)
	c.do("GET", change, nil, 200)
	c.do("POST", change, nil, 200)
	c.do("PUT", "/password", object{"current_password": password, "password": next}, 204)
	c.do("GET", "/devices", nil, 200)
	c.do("DELETE", "/devices/nowhere", nil, 404)
	made := c.do("POST", "/tokens", object{"name": "deploy", "abilities": []string{"read"}, "expires_in": 3600}, 201)
	c.do("GET", "/tokens", nil, 200)
	c.do("DELETE", fmt.Sprint("/tokens/", made["id"]), nil, 204)
	c.do("GET", "/tokens", nil, 200)
	c.do("DELETE", "/devices", object{"password": next}, 204)
	for _, device := range c.do("GET", "/devices", nil, 200)["devices"].([]any) {
		c.do("DELETE", "/devices/"+url.PathEscape(device.(object)["id"].(string)), nil, 204)
	}
	c.do("POST", "/logout", nil, 204)
	c.do("POST", "/forgot-password", object{"email": "new@example.com"}, 202)
	_, token, _ := strings.Cut(mails.link(t, mail.ResetPassword), "&token=")
	c.do("POST", "/reset-password", object{"email": "new@example.com", "token": "gpr_x", "password": password}, 422)
	c.do("POST", "/reset-password", object{"email": "new@example.com", "token": token, "password": password}, 204)
}

// tokens goes through what a program with tokens does.
func (c *client) tokens() {
	c.do("GET", "/.well-known/jwks.json", nil, 200)
	pair := c.do("POST", "/token", object{"email": "new@example.com", "password": password, "device_token": ""}, 200)
	c.token, _ = pair["access_token"].(string)
	c.do("GET", "/me", nil, 200)
	changed := c.do("PUT", "/password", object{"current_password": password, "password": next}, 200)
	c.token = ""
	fresh := c.do("POST", "/token/refresh", object{"refresh_token": changed["refresh_token"]}, 200)
	c.do("POST", "/token/refresh", object{"refresh_token": "x"}, 401)
	c.do("POST", "/token/revoke", object{"token": fresh["refresh_token"]}, 204)
	c.do("POST", "/token/revoke", object{"token": 7}, 422)
}
