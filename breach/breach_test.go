package breach_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/breach"
)

// The SHA-1 of "password", split as in the range API, and the suffix of another
// hash.
const (
	prefix = "5BAA6"
	suffix = "1E4C9B93F3F0682250B6CF8331B7EE68FD8"
	other  = "0018A45C4D1DEF81644B54AB7F969B88D65"
)

// ask checks "password" with a server that runs the handler.
func ask(t *testing.T, handler http.HandlerFunc, c breach.Config) (bool, error) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	if c.HTTPClient == nil {
		c.HTTPClient = server.Client()
	}
	c.BaseURL = server.URL + c.BaseURL
	client, err := breach.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client.Breached(t.Context(), "password")
}

func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestBreached(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		want         bool
	}{
		{"listed", other + ":3\r\n" + suffix + ":10434004\r\n", true},
		{"listed last, no line break", other + ":3\r\n" + suffix + ":1", true},
		{"listed first", suffix + ":1\r\n" + other + ":3", true},
		{"lower case", strings.ToLower(suffix) + ":7\n", true},
		{"not listed", other + ":3\r\n", false},
		{"padding", other + ":3\r\n" + suffix + ":0\r\n", false},
		{"long padding", other + ":3\r\n" + suffix + ":000\r\n", false},
		{"padding and listed", suffix + ":0\r\n" + suffix + ":10\r\n", true},
		{"empty lines", "\r\n" + suffix + ":1\r\n\r\n", true},
		{"differs in the last digit", suffix[:34] + "9:5\r\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := ask(t, answer(tt.answer), breach.Config{}); err != nil || got != tt.want {
				t.Errorf("Breached = %t, %v; want %t", got, err, tt.want)
			}
		})
	}
}

// Responses that must be an error and not mean "not breached".
func TestUnusableResponseIsUnavailable(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"nothing", answer("")},
		{"line breaks", answer("\r\n\r\n")},
		{"a page", answer("<!DOCTYPE html><title>Log in to the network</title>")},
		{"a page after an entry", answer(suffix + ":1\r\n<html>\r\n")},
		{"whole hash", answer(prefix + suffix + ":1\r\n")},
		{"no hexadecimal digits", answer(strings.Repeat("g", 35) + ":1\r\n")},
		{"no count", answer(suffix + "\r\n")},
		{"empty count", answer(suffix + ":\r\n")},
		{"negative count", answer(suffix + ":-1\r\n")},
		{"endless count", answer(suffix + ":" + strings.Repeat("1", 20) + "\r\n")},
		{"over the limit", answer(other + ":1" + strings.Repeat("\n", 1<<20))},
		{"not found", http.NotFound},
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }},
		{"too many requests", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, other+":1\r\n")
		}},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, other+":1\r\n")
		}},
		{"connection dropped", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ask(t, tt.handler, breach.Config{})
			if got || !errors.Is(err, breach.ErrUnavailable) {
				t.Fatalf("Breached = %t, %v", got, err)
			}
			checkNothingLeaks(t, err)
		})
	}
}

// checkNothingLeaks fails the test if err contains the password or digits of
// its hash.
func checkNothingLeaks(t *testing.T, err error) {
	t.Helper()
	text := strings.ToUpper(fmt.Sprintf("%v %+v", err, err))
	if strings.Contains(text, prefix) || strings.Contains(text, suffix[:8]) || strings.Contains(text, "PASSWORD") {
		t.Errorf("the error reveals the password or its hash: %v", err)
	}
}

func TestResponseBelowLimitIsRead(t *testing.T) {
	line := other + ":1\r\n"
	lines := (1 << 20) / len(line)
	if _, err := ask(t, answer(strings.Repeat(line, lines)), breach.Config{}); err != nil {
		t.Errorf("a response just below the limit: %v", err)
	}
}

func TestRequestSendsOnlyPrefix(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got *http.Request
	var body []byte
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, other+":1\r\n")
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(u, []*http.Cookie{{Name: "id", Value: "x"}})
	theirs := server.Client()
	theirs.Jar = jar
	client, err := breach.New(breach.Config{BaseURL: server.URL + "/mirror/", HTTPClient: theirs})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Breached(t.Context(), "password"); err != nil {
		t.Fatal(err)
	}
	if got.Method != "GET" || got.RequestURI != "/mirror/range/"+prefix || len(body) != 0 {
		t.Errorf("%s %s with a body of %d bytes", got.Method, got.RequestURI, len(body))
	}
	if got.Header.Get("Add-Padding") != "true" || got.UserAgent() != "ginauth" || got.Header.Get("Cookie") != "" {
		t.Errorf("headers %v", got.Header)
	}
	for name, values := range got.Header {
		if strings.Contains(strings.ToUpper(fmt.Sprint(name, values)), suffix[:8]) {
			t.Errorf("header %s reveals more of the hash", name)
		}
	}
	if theirs.Jar == nil || theirs.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	t.Cleanup(elsewhere.Close)
	got, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusFound)
	}, breach.Config{})
	if got || !errors.Is(err, breach.ErrUnavailable) || followed {
		t.Errorf("Breached = %t, %v; followed: %t", got, err, followed)
	}
	checkNothingLeaks(t, err)
}

func TestTimeout(t *testing.T) {
	got, err := ask(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, breach.Config{Timeout: time.Millisecond})
	if got || !errors.Is(err, breach.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Breached = %t, %v", got, err)
	}
	checkNothingLeaks(t, err)
}

func TestTimeoutIncludesBody(t *testing.T) {
	got, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, other+":1\r\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, breach.Config{Timeout: 200 * time.Millisecond})
	if got || !errors.Is(err, breach.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Breached = %t, %v", got, err)
	}
}

// transport is an http.RoundTripper without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDefaults(t *testing.T) {
	var asked string
	var left time.Duration
	client, err := breach.New(breach.Config{HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		asked = r.URL.String()
		deadline, _ := r.Context().Deadline()
		left = time.Until(deadline)
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: errors.New("no route")}
	})}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Breached(t.Context(), "password")
	if asked != "https://api.pwnedpasswords.com/range/"+prefix || left <= 0 || left > time.Second {
		t.Errorf("asked %s with %v left", asked, left)
	}
	if !errors.Is(err, breach.ErrUnavailable) || !strings.Contains(err.Error(), "no route") {
		t.Error(err)
	}
	checkNothingLeaks(t, err)
}

func TestCanceled(t *testing.T) {
	client, err := breach.New(breach.Config{HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		return nil, r.Context().Err()
	})}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Breached(ctx, "password"); !errors.Is(err, breach.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	for _, base := range []string{"", "https://mirror.example", "https://mirror.example/pwned/", "http://localhost:8080", "http://127.0.0.1", "http://[::1]:80"} {
		if _, err := breach.New(breach.Config{BaseURL: base}); err != nil {
			t.Errorf("%q: %v", base, err)
		}
	}
	for _, base := range []string{
		"http://mirror.example", "http://127.0.0.1.example", "mirror.example", "//mirror.example", "https://", "https:///range", "ftp://localhost",
		"https://user:pw@mirror.example", "https://mirror.example?x=1", "https://mirror.example/#x", "https://mirror.example\n", "%",
	} {
		if client, err := breach.New(breach.Config{BaseURL: base}); client != nil || !errors.Is(err, breach.ErrConfig) {
			t.Errorf("%q is accepted: %v", base, err)
		}
	}
	for _, timeout := range []time.Duration{-1, 31 * time.Second} {
		_, err := breach.New(breach.Config{BaseURL: "x", Timeout: timeout})
		if err == nil || !strings.Contains(err.Error(), "Timeout") || !strings.Contains(err.Error(), "BaseURL") {
			t.Errorf("%v: %v", timeout, err)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, prefix) {
			_, _ = io.WriteString(w, suffix+":1\r\n")
			return
		}
		_, _ = io.WriteString(w, other+":1\r\n")
	}))
	t.Cleanup(server.Close)
	client, err := breach.New(breach.Config{BaseURL: server.URL, HTTPClient: server.Client(), Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 32 {
		wg.Go(func() {
			<-start
			password := map[bool]string{true: "password", false: "gkwvmzqx"}[i%2 == 0]
			if got, err := client.Breached(context.Background(), password); err != nil || got != (i%2 == 0) {
				t.Errorf("%d: %t, %v", i, got, err)
			}
		})
	}
	close(start)
	wg.Wait()
}
