package mail_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ginauth/ginauth/mail"
)

// TestHostileData renders messages with values that an attacker may have
// chosen.
func TestHostileData(t *testing.T) { // W12, X08
	templates := newTemplates(t, "", map[string]string{
		"verify_email.txt":  `{{define "subject"}}{{.Name}}|{{.AppName}}{{end}}{{.Name}}|{{.Device}}|{{.Address}}|{{.URL}}`,
		"verify_email.html": `<p title="{{.Name}}">{{.Name}}|{{.Device}}<a href="{{.URL}}">x</a>`,
	})
	for _, c := range []struct{ name, in, want string }{
		{"a header", "Ann\r\nBcc: evil", "Ann Bcc: evil"},
		{"a new line", "Ann\u2028\u0085\x00\vB", "Ann B"},
		{"direction", "Ann\u202eB", "Ann B"},
		{"bad UTF-8", "Ann\xff\xfeB", "Ann B"},
		{"white space", "  Ann \t  B ", "Ann B"},
		{"markup", `<b>"Ann"&`, `<b>"Ann"&`},
		{"template", "{{.URL}}", "{{.URL}}"},
		{"initials", "J.R.R. Tolkien", "J.R.R. Tolkien"},
		{"a title", "Dr. Ann B. Cee", "Dr. Ann B. Cee"},
		{"a version", "Firefox/130.0 (X11; Linux x86_64)", "Firefox/130.0 (X11; Linux x86_64)"},
		{"an address", "203.0.113.9", "203.0.113.9"},
		{"a link", "win https://evil", ""},
		{"a domain", "go to evil.com now", ""},
		{"a domain with an ideographic full stop", "evil。com", ""},
		{"a domain in Cyrillic letters", "зло.рф", ""},
		{"a domain that ends in a digit", "evil1.io", ""},
		{"a mail address", "evil@localhost", ""},
		{"a link in several lines", "evil.\ncom x.co", ""},
		{"long", strings.Repeat("ä", 1000), strings.Repeat("ä", 32)},
		{"very long", strings.Repeat("x", 1<<20), strings.Repeat("x", 64)},
	} {
		d := data()
		d.Name, d.Device, d.Address = c.in, c.in, c.in
		subject, text, page, err := templates.Render(mail.VerifyEmail, "", d)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		parts := strings.Split(strings.TrimSpace(text), "|")
		if subject != strings.TrimSpace(c.want+"|Shop") || parts[0] != c.want || parts[2] != c.want || len(parts[1]) > 160 || !utf8.ValidString(text) ||
			!strings.HasPrefix(parts[1], c.want) || parts[1] != c.want && len(c.in) < 100 {
			t.Errorf("%s: %q %q", c.name, subject, text)
		}
		if strings.Contains(page, "<b>") {
			t.Errorf("%s: %s", c.name, page)
		}
		m, err := templates.Message(mail.VerifyEmail, "", mail.Address{Name: c.in, Email: "ann@example.com"}, d)
		if err != nil || m.To.Name != c.want {
			t.Errorf("%s: name is %q, %v", c.name, m.To.Name, err)
		}
	}
}

func TestLinks(t *testing.T) { // W06
	templates := newTemplates(t, "", nil)
	for url, want := range map[string]bool{
		"https://example.com/":                             true,
		"http://localhost:8080/v?t=1":                      true,
		"https://[::1]/v":                                  true,
		link:                                               true,
		"javascript:alert(1)":                              false,
		"javascript://example.com/%0aalert":                false,
		"data:text/html,x":                                 false,
		"//example.com/":                                   false,
		"/verify?token=CANARY":                             false,
		"https:///verify":                                  false,
		"https://:80/":                                     false,
		"https://user:pw@example.com/":                     false,
		"https://example.com/\r\nBcc: e":                   false,
		"https://example.com/ CANARY":                      false,
		"https://example.com/\"CANARY":                     false,
		"https://ex\u00e4mple.com/":                        false,
		"https://example.com/%zzCANARY":                    false,
		"https://example.com:CANARY/":                      false,
		"https://example.com/" + strings.Repeat("x", 2048): false,
	} {
		d := data()
		d.URL = url
		_, _, _, err := templates.Render(mail.VerifyEmail, "", d)
		if (err == nil) != want || err != nil && (!errors.Is(err, mail.ErrTemplate) || strings.Contains(err.Error(), "CANARY")) {
			t.Errorf("%q: %v", url, err)
		}
	}
	for name, change := range map[string]func(d *mail.Data){
		"no AppName":       func(d *mail.Data) { d.AppName = "" },
		"blank AppName":    func(d *mail.Data) { d.AppName = " \r\n" },
		"two addresses":    func(d *mail.Data) { d.Email = "a@x,b@x" },
		"negative Expires": func(d *mail.Data) { d.Expires = -1 },
	} {
		d := data()
		change(&d)
		if _, _, _, err := templates.Render(mail.VerifyEmail, "", d); !errors.Is(err, mail.ErrTemplate) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, _, err := templates.Render("no_such_kind", "", data()); !errors.Is(err, mail.ErrTemplate) {
		t.Errorf("unknown kind: %v", err)
	}
	if m, err := templates.Message(mail.VerifyEmail, "", mail.Address{Email: "a@x,b@x"}, data()); !errors.Is(err, mail.ErrMessage) || m != (mail.Message{}) {
		t.Errorf("message to two: %v", err)
	}
}
