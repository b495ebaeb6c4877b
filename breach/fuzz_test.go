package breach_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/breach"
)

// FuzzAnswer searches for responses that are misread.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{"", suffix + ":1", suffix + ":0\r\n" + other + ":2", other + ":1\r\r\n", suffix + ":1:1", ":1", "\n:\n", suffix} {
		f.Add(seed)
	}
	text := ""
	client, err := breach.New(breach.Config{HTTPClient: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(text))}, nil
	})}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		text = answer
		known, err := client.Breached(t.Context(), "password")
		if known && (err != nil || !strings.Contains(strings.ToUpper(answer), suffix+":")) {
			t.Errorf("%q: known, %v", answer, err)
		}
		if err == nil && !known && strings.Contains(answer, suffix+":1\r\n") {
			t.Errorf("%q: not known", answer)
		}
		if err == nil && strings.Trim(answer, "0123456789abcdefABCDEF:\r\n") != "" {
			t.Errorf("%q is read as an answer", answer)
		}
	})
}
