package mail_test

import (
	"errors"
	"html"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/ginauth/ginauth/mail"
)

const link = "https://example.com/auth/verify?token=a-b_c&x=1+2%3D"

func data() mail.Data {
	return mail.Data{
		AppName: "Shop", Name: "Ann", Email: "ann@example.com", URL: link, Code: "ABCD-EFGH", Expires: time.Hour,
		At: time.Date(2030, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)), Address: "192.0.2.7", Device: "Firefox on Linux",
	}
}

func newTemplates(t *testing.T, language string, files map[string]string) *mail.Templates {
	t.Helper()
	templates, err := newTemplatesOf(language, files)
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

func newTemplatesOf(language string, files map[string]string) (*mail.Templates, error) {
	options := mail.TemplateOptions{Language: language}
	if files != nil {
		fsys := fstest.MapFS{}
		for name, text := range files {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
		options.FS = fsys
	}
	return mail.NewTemplates(options)
}

func TestEmbeddedTemplates(t *testing.T) {
	templates := newTemplates(t, "", nil)
	for _, kind := range mail.Kinds() {
		t.Run(kind, func(t *testing.T) {
			subject, text, page, err := templates.Render(kind, "en", data())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(subject, "Shop") || !strings.Contains(text, "Hello Ann,\n") || !strings.Contains(page, "Hello Ann,") {
				t.Errorf("%q\n%s\n%s", subject, text, page)
			}
			if !strings.Contains(text, "\n    "+link+"\n") {
				t.Errorf("the link is not in the text:\n%s", text)
			}
			href := regexp.MustCompile(`href="([^"]*)"`).FindStringSubmatch(page)
			if href == nil || html.UnescapeString(href[1]) != link {
				t.Errorf("the link is not in the HTML: %q", href)
			}
			// The HTML must load nothing and contain no scripts.
			if remote := regexp.MustCompile(`(?i)<(img|script|link|iframe|object|form|style)|src=|url\(|@import`).FindString(page); remote != "" {
				t.Errorf("HTML has %q", remote)
			}
			if !strings.Contains(text, "If it was not you") || !strings.Contains(page, "If it was not you") {
				t.Errorf("it does not say what to do:\n%s", text)
			}
			for _, s := range []string{text, page} {
				if strings.Contains(s, "\n\n\n") || strings.Contains(s, "no value") || strings.Contains(s, "ZgotmplZ") || !strings.HasSuffix(s, "\n") {
					t.Errorf("%s", s)
				}
			}
		})
	}
}

func TestOmittedDataIsNotRendered(t *testing.T) {
	templates := newTemplates(t, "", nil)
	for _, kind := range mail.Kinds() {
		d := mail.Data{AppName: "Shop"}
		if kind == mail.LoginCode {
			if _, _, _, err := templates.Render(kind, "", d); !errors.Is(err, mail.ErrTemplate) {
				t.Errorf("%s without a code: %v", kind, err)
			}
			d.Code = "ABCD-EFGH"
		}
		if kind == mail.VerifyEmail || kind == mail.ResetPassword || kind == mail.EmailChange || kind == mail.LoginLink {
			if _, _, _, err := templates.Render(kind, "", d); !errors.Is(err, mail.ErrTemplate) {
				t.Errorf("%s without a link: %v", kind, err)
			}
			d.URL = link
		}
		_, text, page, err := templates.Render(kind, "", d)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text, "Hello,\n") || strings.Contains(text, "\n\n\n") || strings.Contains(text+page, "valid for") ||
			strings.Contains(text+page, "0001") || strings.Contains(text, "address: ") {
			t.Errorf("%s\n%s", text, page)
		}
	}
}

func TestFactsAreShown(t *testing.T) {
	_, text, page, err := newTemplates(t, "", nil).Render(mail.NewDevice, "", data())
	if err != nil {
		t.Fatal(err)
	}
	for _, fact := range []string{"2 January 2030, 02:04 UTC", "192.0.2.7", "Firefox on Linux"} {
		if !strings.Contains(text, fact) || !strings.Contains(page, fact) {
			t.Errorf("%s is missing:\n%s\n%s", fact, text, page)
		}
	}
}

func TestDurations(t *testing.T) {
	templates := newTemplates(t, "", nil)
	for d, want := range map[time.Duration]string{
		time.Second: "1 second", 59 * time.Second: "59 seconds", 90 * time.Second: "1 minute", 30 * time.Minute: "30 minutes",
		time.Hour: "1 hour", 90 * time.Minute: "90 minutes", 24 * time.Hour: "24 hours", 48 * time.Hour: "2 days", 49 * time.Hour: "49 hours",
	} {
		in := data()
		in.Expires = d
		_, text, _, err := templates.Render(mail.ResetPassword, "", in)
		if err != nil || !strings.Contains(text, "valid for "+want+".") {
			t.Errorf("%v, want %s: %v\n%s", d, want, err, text)
		}
	}
}

func of(name string) string { return `{{define "subject"}}` + name + `{{end}}` + name + " {{.URL}}" }

func TestLanguages(t *testing.T) {
	files := map[string]string{
		"verify_email.txt":         of("top"),
		"de/verify_email.txt":      of("de"),
		"de-AT/verify_email.txt":   of("de-at"),
		"zh-Hant/verify_email.txt": of("zh-hant"),
		"de/reset_password.txt":    of("de"),
		"README.md":                "is no template",
	}
	english := "Confirm your email address for Shop"
	for _, c := range []struct{ own, asked, want string }{
		{"", "de", "de"},
		{"", "DE", "de"},
		{"", "de-AT", "de-at"},
		{"", "de_AT", "de-at"},
		{"", "de-CH", "de"},
		{"", "zh-Hant-TW", "zh-hant"},
		{"", "zh", "top"},
		{"", "en", "top"},
		{"", "", "top"},
		{"", "../de", "top"},
		{"", "de,en;q=0.5", "top"},
		{"", strings.Repeat("de-", 1<<16), "top"},
		{"de", "fr", "de"},
		{"de", "", "de"},
		{"de-AT", "", "de-at"},
		{"de-CH", "", "de"},
		{"de", "en", english},
		{"de", "en-GB", english},
	} {
		subject, _, _, err := newTemplates(t, c.own, files).Render(mail.VerifyEmail, c.asked, data())
		if err != nil || subject != c.want {
			t.Errorf("%q asked of %q: %q, want %q, %v", c.asked, c.own, subject, c.want, err)
		}
	}
	templates := newTemplates(t, "", files)
	// A message that is missing in a language is taken as a whole from the next
	// language.
	if subject, _, page, err := templates.Render(mail.ResetPassword, "de", data()); subject != "de" || page != "" || err != nil {
		t.Errorf("%q %q %v", subject, page, err)
	}
	if subject, _, page, err := templates.Render(mail.NewDevice, "de", data()); !strings.HasPrefix(subject, "Neue Anmeldung") || page == "" || err != nil {
		t.Errorf("%q %q %v", subject, page, err)
	}
}

func TestLayouts(t *testing.T) {
	files := map[string]string{
		"layout.html":             `<html lang="{{language}}"><i>Ours</i>{{template "content" .}}`,
		"fr/layout.html":          `<html lang="{{language}}"><i>Le nôtre</i>{{block "content" .}}nothing{{end}}`,
		"de/verify_email.txt":     of("de"),
		"de/verify_email.html":    `{{define "content"}}Hallo {{.URL}}{{end}}`,
		"fr/verify_email.txt":     of("fr"),
		"fr/verify_email.html":    `{{define "content"}}Salut {{.URL}}{{end}}`,
		"pt-BR/verify_email.txt":  of("pt"),
		"pt-BR/verify_email.html": `<html lang="{{language}}"><b>Whole</b> {{.URL}}`,
	}
	for language, want := range map[string]string{
		"en": `<html lang="en"><i>Ours</i><p>Hello Ann`, "de": `<html lang="de"><i>Ours</i>Hallo`,
		"fr": `<html lang="fr"><i>Le nôtre</i>Salut`, "pt-BR": `<html lang="pt-br"><b>Whole</b>`,
	} {
		_, _, page, err := newTemplates(t, "", files).Render(mail.VerifyEmail, language, data())
		if err != nil || !strings.HasPrefix(page, want) {
			t.Errorf("%s: %s %v", language, page, err)
		}
	}
}

func TestBrokenTemplates(t *testing.T) {
	good := of("x")
	for _, c := range []struct {
		name  string
		files map[string]string
		says  []string
	}{
		{"several at once",
			map[string]string{"verify_email.txt": "{{", "de/verify_email.txt": good, "de/reset_password.txt": good + "{{.Nmae}}"},
			[]string{"verify_email.txt", "de/reset_password.txt", "Nmae"}},
		{"no subject", map[string]string{"verify_email.txt": "x {{.URL}}"}, []string{"subject"}},
		{"empty subject", map[string]string{"verify_email.txt": `{{define "subject"}} {{end}}x {{.URL}}`}, []string{"subject", "empty"}},
		{"no text", map[string]string{"new_device.txt": `{{define "subject"}}x{{end}}`}, []string{"empty"}},
		{"HTML without text", map[string]string{"verify_email.html": "x {{.URL}}"}, []string{"verify_email.txt"}},
		{"misspelt name", map[string]string{"verify-email.txt": good}, []string{"verify-email.txt"}},
		{"layout of text", map[string]string{"layout.txt": good}, []string{"layout.txt"}},
		{"not a language", map[string]string{"templates/verify_email.txt": good}, []string{"templates/verify_email.txt", "fs.Sub"}},
		{"too deep", map[string]string{"de/at/verify_email.txt": good}, []string{"de/at/verify_email.txt"}},
		{"nothing", map[string]string{"README.md": "x"}, []string{"no templates"}},
		{"link missing in the text", map[string]string{"reset_password.txt": `{{define "subject"}}x{{end}}x`}, []string{"URL"}},
		{"link missing in the HTML", map[string]string{"reset_password.txt": good, "reset_password.html": "x"}, []string{"URL"}},
		{"unsafe HTML", map[string]string{"reset_password.txt": good, "reset_password.html": `<a href="{{if .Name}}x{{else}}"y{{end}}">{{.URL}}`}, []string{"reset_password.html"}},
		{"misspelt content", map[string]string{"reset_password.txt": good, "reset_password.html": `{{define "contents"}}{{.URL}}{{end}}`}, []string{"reset_password.html"}},
		{"layout without content", map[string]string{"layout.html": `<p>Ours`}, []string{"URL"}},
		{"broken layout", map[string]string{"layout.html": `{{.Oops}}{{template "content" .}}`}, []string{"Oops"}},
		{"only with data", map[string]string{"verify_email.txt": good + "{{if not .Name}}{{.Oops}}{{end}}"}, []string{"Oops"}},
	} {
		_, err := newTemplatesOf("", c.files)
		if !errors.Is(err, mail.ErrTemplate) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %q is not in %v", c.name, says, err)
			}
		}
	}
	if _, err := newTemplatesOf("not a language", nil); !errors.Is(err, mail.ErrTemplate) {
		t.Errorf("language: %v", err)
	}
}

func TestSubjectIsOneShortLine(t *testing.T) {
	templates := newTemplates(t, "", map[string]string{
		"new_device.txt": "{{define \"subject\"}}\n one\r\n two\t" + strings.Repeat("ä", 200) + "{{end}}text",
	})
	m, err := templates.Message(mail.NewDevice, "", mail.Address{Email: "ann@example.com"}, data())
	if err != nil || !strings.HasPrefix(m.Subject, "one two ä") || len(m.Subject) > 150 || !utf8.ValidString(m.Subject) || m.HTML != "" {
		t.Errorf("%q %v", m.Subject, err)
	}
}

func BenchmarkMessage(b *testing.B) {
	templates, err := mail.NewTemplates(mail.TemplateOptions{})
	if err != nil {
		b.Fatal(err)
	}
	d, to := data(), mail.Address{Name: "Ann", Email: "ann@example.com"}
	for b.Loop() {
		if _, err := templates.Message(mail.ResetPassword, "de", to, d); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTextsSayWhichAddress looks for "address" alone, which may be an IP address or an email
// address.
func TestTextsSayWhichAddress(t *testing.T) {
	for _, kind := range []string{
		mail.VerifyEmail, mail.ResetPassword, mail.EmailChange, mail.EmailChanged, mail.PasswordChanged, mail.NewDevice,
		mail.AlreadyRegistered, mail.RegistrationFailed,
	} {
		subject, text, page, err := newTemplates(t, "", nil).Render(kind, "", data())
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{subject, text, page} {
			words := strings.Fields(part)
			for i, word := range words {
				before := ""
				if i > 0 {
					before = strings.ToLower(words[i-1])
				}
				if strings.HasPrefix(strings.ToLower(word), "address") && !strings.HasSuffix(before, "email") && !strings.HasSuffix(before, "ip") {
					t.Errorf("%s: %q before %q", kind, before, word)
				}
			}
		}
	}
}
