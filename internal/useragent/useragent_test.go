package useragent_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth/internal/useragent"
)

func TestName(t *testing.T) {
	for header, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                         "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                   "Chrome on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15":                   "Safari on macOS",
		"curl/8.5.0": "curl", "Go-http-client/2.0": "Go-http-client", "MyApp/1.0 (Android 15)": "MyApp on Android",
		"": "Unknown device", "Mozilla/5.0": "Unknown device", "<script>/1": "script", "\x00\x1b/1": "Unknown device",
	} {
		if got := useragent.Name(header); got != want {
			t.Errorf("%q is called %q, want %q", header, got, want)
		}
	}
	if got := useragent.Name(strings.Repeat("x", 1000)); len(got) > 60 {
		t.Errorf("a name of %d bytes", len(got))
	}
}
