package mail_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/mail"
)

var languages = []string{"de", "fr", "es", "ja", "ar"}

// readCatalogues returns the texts by language and English text.
func readCatalogues(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := make(map[string]map[string]string)
	for _, language := range append(languages, "en") {
		data, err := os.ReadFile("locales/" + language + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var texts map[string]string
		if err := json.Unmarshal(data, &texts); err != nil {
			t.Fatal(language, err)
		}
		all[language] = texts
	}
	return all
}

func TestEveryTextIsInEveryLanguage(t *testing.T) {
	catalogues := readCatalogues(t)
	files, err := filepath.Glob("templates/*")
	if err != nil || len(files) < 2*len(mail.Kinds()) {
		t.Fatal(files, err)
	}
	used := []string{"Hello,", "Hello {name},", "name", "username", "phone", "time format"}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`\bT "([^"]*)"`).FindAllStringSubmatch(string(data), -1) {
			used = append(used, match[1])
		}
	}
	blanks := regexp.MustCompile(`\{[a-z]+\}`)
	for _, language := range languages {
		for _, text := range used {
			got := catalogues[language][text]
			want, have := blanks.FindAllString(text, -1), blanks.FindAllString(got, -1)
			slices.Sort(want)
			slices.Sort(have)
			if got == "" || !slices.Equal(want, have) {
				t.Errorf("%s: %q is %q", language, text, got)
			}
		}
		for text := range catalogues[language] {
			if !slices.Contains(used, text) && !strings.HasPrefix(text, "{n} ") {
				t.Errorf("%s: nothing uses %q", language, text)
			}
		}
	}
}

// changes are the values of Data.Field that messages depend on.
var changes = []string{
	"", mail.FactorAdded, mail.FactorRemoved, mail.CodeUsed, mail.CodesReplaced, mail.FactorsReset, mail.PasskeyAdded, mail.PasskeyRemoved,
	mail.IdentityLinked, mail.IdentityUnlinked, "username", "phone",
}

// No kind lacks a language, and no message has two.
func TestEveryKindIsInEveryLanguage(t *testing.T) {
	templates := newTemplates(t, "", nil)
	english := regexp.MustCompile(`\b(you|your|the|was|this|account|Hello|When|Device|address|hour)\b`)
	for _, kind := range mail.Kinds() {
		for _, change := range changes {
			for _, language := range languages {
				in := data()
				in.Field, in.Device = change, "Firefox"
				subject, text, page, err := templates.Render(kind, language+"-XX", in)
				if err != nil {
					t.Fatalf("%s, %s: %v", kind, language, err)
				}
				if !strings.Contains(subject, "Shop") || !strings.Contains(text, "Ann") || !strings.Contains(text, "\n    "+link+"\n") {
					t.Errorf("%s, %s: %q\n%s", kind, language, subject, text)
				}
				plain := strings.ReplaceAll(subject+"\n"+text, link, "")
				if word := english.FindString(plain); word != "" {
					t.Errorf("%s, %s, %q has the English word %q:\n%s", kind, language, change, word, plain)
				}
				dir := "ltr"
				if language == "ar" {
					dir = "rtl"
				}
				if !strings.Contains(page, `<html lang="`+language+`" dir="`+dir+`">`) {
					t.Errorf("%s, %s: %.80s", kind, language, page)
				}
			}
		}
	}
}

func TestDurationsInWords(t *testing.T) {
	templates := newTemplates(t, "", nil)
	for language, want := range map[string]map[time.Duration]string{
		"de": {time.Hour: ": 1 Stunde.", 30 * time.Minute: "30 Minuten"},
		"fr": {time.Minute: ": 1 minute.", 48 * time.Hour: "2 jours"},
		"es": {time.Second: ": 1 segundo.", 2 * time.Hour: "2 horas"},
		"ja": {time.Hour: "1時間", 72 * time.Hour: "3日"},
		"ar": {time.Hour: "ساعة واحدة", 2 * time.Hour: "ساعتين", 3 * time.Hour: "3 ساعات", 11 * time.Hour: "11 ساعة", 100 * time.Hour: "100 ساعة"},
		"pt": {time.Hour: "1 hour", 2 * time.Hour: "2 hours"},
	} {
		for d, words := range want {
			in := data()
			in.Expires = d
			if _, text, _, err := templates.Render(mail.ResetPassword, language, in); err != nil || !strings.Contains(text, words) {
				t.Errorf("%s, %v: no %q, %v in\n%s", language, d, words, err, text)
			}
		}
	}
}

func TestTextsOfTheApplication(t *testing.T) {
	templates, err := mail.NewTemplates(mail.TemplateOptions{Language: "de", Texts: map[string]map[string]string{
		"de": {"Hello {name},": "Hallo {name}!"}, "pt_BR": {"Hello {name},": "Olá {name},"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	in := data()
	in.Name = "{app} <b>"
	for language, want := range map[string]string{"": "Hallo {app} <b>!\n", "de-AT": "Hallo {app} <b>!\n", "pt-br": "Olá {app} <b>,\n", "en": "Hello {app} <b>,\n"} {
		_, text, page, err := templates.Render(mail.VerifyEmail, language, in)
		if err != nil || !strings.HasPrefix(text, want) || strings.Contains(page, "<b>") {
			t.Errorf("%q: %v\n%s\n%s", language, err, text, page)
		}
	}
	if _, err := mail.NewTemplates(mail.TemplateOptions{Texts: map[string]map[string]string{"German": nil, "../x": nil}}); err == nil {
		t.Error("a language that is none")
	}
}

// Files without a layout are in that of the package, and a layout is around the built-in messages of all languages.
func TestLayoutsOfLanguages(t *testing.T) {
	content := `{{define "content"}}{{hello .Name}} {{T "Log in"}} {{when .At}} {{.URL}}{{end}}`
	templates := newTemplates(t, "", map[string]string{"he/verify_email.txt": of("he"), "he/verify_email.html": content})
	if _, _, page, err := templates.Render(mail.VerifyEmail, "he", data()); err != nil ||
		!strings.Contains(page, `<html lang="he" dir="rtl">`) || !strings.Contains(page, "Hello Ann, Log in 2 January 2030, 02:04 UTC") {
		t.Errorf("%v: %s", err, page)
	}
	templates = newTemplates(t, "", map[string]string{"layout.html": `<p>frame</p>{{template "content" .}}`})
	for _, language := range append(languages, "en") {
		if _, _, page, err := templates.Render(mail.VerifyEmail, language, data()); err != nil || !strings.HasPrefix(page, "<p>frame</p>") {
			t.Errorf("%s: %v: %s", language, err, page)
		}
	}
	if got := templates.Match("ja"); got != "ja" { // the application has no messages of its own
		t.Errorf("a browser gets %q", got)
	}
}

func TestMatch(t *testing.T) {
	own := map[string]string{"verify_email.txt": of("top"), "pt-BR/verify_email.txt": of("pt")}
	for _, c := range []struct {
		files          map[string]string
		language, asks string
		want           string
	}{
		{nil, "", "de-AT,de;q=0.9,en;q=0.8", "de"},
		{nil, "", "ja", "ja"},
		{nil, "", "ko", "en"},
		{nil, "", "ko,ar;q=0.5", "ar"},
		{nil, "", "de;q=0.5,es-MX;q=0.7,fr;q=0", "es"},
		{nil, "", "fr;q=x, ja ;q=0.1", "ja"},
		{nil, "", "", "en"},
		{nil, "", "\xff;;q=", "en"},
		{nil, "", strings.Repeat("x-", 1<<16), "en"},
		{nil, "", strings.Repeat("ko,", 90) + strings.Repeat("de,", 80), "en"}, // the header is not read to its end
		{nil, "fr", "ko", "fr"},
		{own, "", "de", "en"}, // the application is in English and Portuguese
		{own, "", "pt", "pt-br"},
		{own, "", "pt-PT,en;q=0.9", "pt-br"},
	} {
		if got := newTemplates(t, c.language, c.files).Match(c.asks); got != c.want {
			t.Errorf("%v asked of %v, default %q: %q, want %q", c.asks[:min(len(c.asks), 40)], slices.Collect(maps.Keys(c.files)), c.language, got, c.want)
		}
	}
}
