package pages_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
)

// shownTexts are the English texts in the sources of the package.
var shownTexts = []struct{ files, text string }{
	{"templates/*.html", `\bT "([^"]*)"`},
	{"templates/*.html", `\bField "[a-z_]+" "([^"]*)"`},
	{"pages.go", `s\.show\("[a-z_]+", "([^"]*)"`},
	{"forms.go", `"([A-Z][^"]*[a-z.])"`},
	{"errors.go", `"([A-Z][^"]*[a-z.])"`},
	{"factor.go", `"([A-Z][a-z][^"]*[a-z.])"`},
	{"passkeys.go", `title: "([^"]*)"`},
	{"view.go", `\bT\("([^"]*)"`},
	{"../features/social/routes.go", `Notice: "([^"]*)"`},
	{"notice.go", `"([A-Z][a-z]+ [^"]*[a-z.])"`},
}

func TestEveryTextIsInEveryLanguage(t *testing.T) {
	catalogues := readCatalogues(t)
	if len(catalogues) != 6 {
		t.Errorf("%d languages", len(catalogues))
	}
	for _, source := range shownTexts {
		files, err := filepath.Glob(source.files)
		if err != nil || len(files) == 0 {
			t.Fatal(source.files, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile(source.text).FindAllStringSubmatch(string(data), -1) {
				for lang, texts := range catalogues {
					if lang != "en" && texts[match[1]] == "" {
						t.Errorf("%s: %q is not in %s.json", file, match[1], lang)
					}
				}
			}
		}
	}
}

func TestLanguagesHaveTheSameTexts(t *testing.T) {
	catalogues := readCatalogues(t)
	blanks := regexp.MustCompile(`\{[a-z]+\}`)
	for lang, texts := range catalogues {
		for english, text := range texts {
			unfilled := slices.ContainsFunc(blanks.FindAllString(text, -1), func(b string) bool { return !strings.Contains(english, b) })
			if strings.TrimSpace(text) == "" || unfilled {
				t.Errorf("%s: %q is %q", lang, english, text)
			}
			for other := range catalogues {
				if other != "en" && catalogues[other][english] == "" {
					t.Errorf("%q is in %s.json and not in %s.json", english, lang, other)
				}
			}
		}
	}
}

func readCatalogues(t *testing.T) map[string]map[string]string {
	t.Helper()
	files, err := filepath.Glob("locales/*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]map[string]string)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var texts map[string]string
		if err := json.Unmarshal(data, &texts); err != nil {
			t.Fatal(file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = texts
	}
	return all
}

// Every fault of a form has a sentence of its own in every language.
func TestFaultsAreTranslated(t *testing.T) {
	a := newApp(t, setup{config: func(c *ginauth.Config) { testapp.Unlimited(c); c.Throttle.Register.Attempts = 0 }})
	known := readCatalogues(t)
	inputs := []string{
		form("name", "", "email", "", "password", ""),
		form("name", strings.Repeat("x", 200), "email", "a@b@c", "password", strings.Repeat("x", 5000)),
		form("name", "Ann", "email", "ann..x@example.com", "password", "aaaaaaaaaaaaaaaaaaaa"),
		form("name", "Ann", "email", "ann@localhost", "password", "passwordpassword"),
		form("name", "Ann", "email", "ann@-x.example", "password", "alice@example.com1"),
		form("name", "Ann", "email", "ann@example.1", "password", testapp.NewPassword),
		form("name", "Ann", "email", testapp.Alice, "password", testapp.NewPassword),
	}
	problem := regexp.MustCompile(`class="problem"[^>]*>([^<]*)<`)
	for lang, texts := range known {
		c := a.Browser()
		c.Header.Set("Accept-Language", lang)
		for _, input := range inputs {
			c.Form("/register", input).WantRedirect(t, "/register")
			page := c.Get("/register").Want(t, 200)
			found := problem.FindAllStringSubmatch(page.Text, -1)
			if len(found) == 0 {
				t.Errorf("%s, %s: no problem in %s", lang, input, page.Text)
			}
			for _, match := range found {
				if !knownSentence(texts, match[1]) {
					t.Errorf("%s: %q is no sentence of the catalogue", lang, match[1])
				}
			}
		}
	}
}

var digits = regexp.MustCompile(`\d+`)

func knownSentence(texts map[string]string, sentence string) bool {
	sentence = digits.ReplaceAllString(strings.ReplaceAll(sentence, "&#39;", "'"), "#")
	for _, text := range texts {
		if digits.ReplaceAllString(strings.ReplaceAll(text, "{n}", "#"), "#") == sentence {
			return true
		}
	}
	return false
}

func TestLanguageOfARequest(t *testing.T) {
	a := newApp(t, setup{})
	for header, want := range map[string]string{
		"": "en", "de": "de", "de-AT,en;q=0.5": "de", "xx": "en", "ja;q=0.8, fr;q=0.9": "fr", "ar-EG": "ar", "es-MX": "es",
		"%%%": "en", strings.Repeat("de,", 500): "de", "*": "en",
	} {
		c := a.Browser()
		c.Header.Set("Accept-Language", header)
		r := c.Get("/login").Want(t, 200)
		if got := r.Header.Get("Content-Language"); got != want || !strings.Contains(r.Text, `<html lang="`+want+`"`) {
			t.Errorf("Accept-Language %.40q: %q, want %q", header, got, want)
		}
		if !slices.ContainsFunc(r.Header.Values("Vary"), func(v string) bool { return strings.Contains(v, "Accept-Language") }) {
			t.Errorf("Vary %q", r.Header.Values("Vary"))
		}
		if (want == "ar") != strings.Contains(r.Text, `dir="rtl"`) {
			t.Errorf("%s has the wrong direction", want)
		}
	}
}

func TestOptionsChangeTheLook(t *testing.T) {
	own := fstest.MapFS{
		"home.html":   {Data: []byte(`{{define "content"}}{{.Data}}{{end}}`)},
		"error.html":  {Data: []byte(`{{define "content"}}own error {{.Status}}{{end}}`)},
		"button.html": {Data: []byte(`{{define "section"}}<p>section {{.Data}} {{.T "Sign in"}}</p>{{end}}`)},
	}
	a := newApp(t, setup{
		options: pages.Options{
			Name: "Blog", Logo: "/logo.svg", Stylesheets: []string{"/own.css"}, Templates: own,
			Links:          []pages.Link{{Text: "Posts", Path: "/posts"}},
			Languages:      []string{"de", "eo"},
			Texts:          map[string]map[string]string{"eo": {"Sign in": "Ensaluti"}, "de": {"Sign in": "Einloggen", "Company": "Firma"}},
			RegisterFields: []pages.Field{{Name: "company", Label: "Company", Autocomplete: "organization", Required: true}},
			Sections:       []pages.Section{{Page: "login", Template: "button.html", Data: func(*gin.Context) (any, error) { return 42, nil }}},
		},
		routes: routes.Options{RegisterFields: []string{"company"}},
		config: func(c *ginauth.Config) {
			c.Account.Prepare = nil
		},
	})
	c := a.Browser()
	page := c.Get("/login").Want(t, 200)
	wants(t, page, "Blog", `<img src="/logo.svg" alt=""`, `href="/own.css"`, `href="/posts"`, "Einloggen", "section 42 Einloggen", `lang="de"`)
	if strings.Index(page.Text, "/own.css") < strings.Index(page.Text, "pages.css") {
		t.Error("the stylesheet of the application comes before that of the package")
	}
	wants(t, c.Get("/register").Want(t, 200), `<label for="company">Firma</label>`, `autocomplete="organization"`)
	wants(t, c.Get("/nowhere").Want(t, 404), "own error 404")
	c.Header.Set("Accept-Language", "eo")
	wants(t, c.Get("/login").Want(t, 200), "Ensaluti", "Password") // English where there is no text
}

func TestMountBelowAGroup(t *testing.T) {
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Pages, c.ErrorHandler, c.BasePath = pages.Config("/auth"), pages.ErrorHandler, "/app"
		c.Mail.VerifyPath, c.Mail.ConfirmPath = "/auth/verify-email", "/auth/confirm-email"
		c.Mail.ResetPath = "/auth/reset-password"
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		group := r.Group("/auth")
		pages.Mount(group, a.Manager, pages.Options{})
		routes.Mount(group, a.Manager, routes.Options{})
	}))
	c := a.Browser()
	page := c.Get("/auth/login").Want(t, 200)
	wants(t, page, `action="/app/auth/login"`, `href="/app/auth/register"`, `href="/app/auth/ginauth/`)
	c.Form("/auth/login", form("email", testapp.Alice, "password", "wrong")).WantRedirect(t, "/app/auth/login")
	wants(t, c.Get("/auth/login").Want(t, 200), "do not match")
	c.Get("/auth/profile").WantRedirect(t, "/app/auth/login")
}

func TestMountRefusesMistakes(t *testing.T) {
	a := newApp(t, setup{})
	for name, mount := range map[string]func(r *gin.Engine){
		"no manager": func(r *gin.Engine) { pages.Mount(r, nil, pages.Options{}) },
		"guard":      func(r *gin.Engine) { pages.Mount(r, a.Manager, pages.Options{SessionGuard: "api"}) },
		"language":   func(r *gin.Engine) { pages.Mount(r, a.Manager, pages.Options{Languages: []string{"tlh"}}) },
		"template": func(r *gin.Engine) {
			pages.Mount(r, a.Manager, pages.Options{Templates: fstest.MapFS{"x.html": {Data: []byte("{{")}}})
		},
		"reset link": func(r *gin.Engine) { pages.Mount(r.Group("/auth"), a.Manager, pages.Options{}) },
		"routes came earlier": func(r *gin.Engine) {
			routes.Mount(r, a.Manager, routes.Options{})
			pages.Mount(r, a.Manager, pages.Options{})
		},
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); name != "template" && (!ok || !strings.HasPrefix(text, "pages: ")) {
					t.Errorf("%s: panic %q", name, text)
				}
			}()
			mount(gin.New())
			t.Errorf("%s: no panic", name)
		}()
	}
}
