package pages

import (
	"embed"
	"errors"
	"html/template"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:embed templates/*.html
var embedded embed.FS

// templates are the templates of a site.
type templates struct {
	files map[string]templateFile
	// byLanguage are the pages, each with the layout around it, by pageIn. They are parsed when they are first asked for.
	byLanguage sync.Map
}

// templateFile is the source of a template.
type templateFile struct {
	text    string
	builtIn bool // of the package, and not of the application
}

type pageIn struct{ page, lang string }

// newTemplates reads the templates of the package and those of the application, which come first. It panics if one is
// not valid.
func newTemplates(own fs.FS) *templates {
	builtIn, err := fs.Sub(embedded, "templates")
	if err != nil {
		panic(err) // they are part of the program
	}
	t := &templates{files: make(map[string]templateFile)}
	for _, source := range []fs.FS{builtIn, own} {
		if source == nil {
			continue
		}
		names, err := fs.Glob(source, "*.html")
		for _, name := range names {
			data, failure := fs.ReadFile(source, name)
			t.files[name], err = templateFile{string(data), source == builtIn}, errors.Join(err, failure)
		}
		if err != nil {
			panic("pages: Options.Templates: " + err.Error())
		}
	}
	for name := range t.files {
		t.parse(name, func(file templateFile) string { return file.text })
	}
	return t
}

// parse returns a page in the layout, from the sources that read returns. It panics if they are not valid.
func (t *templates) parse(name string, read func(templateFile) string) *template.Template {
	page := template.Must(template.New("layout").Parse(read(t.files["layout.html"])))
	template.Must(page.New("parts").Parse(read(t.files["parts.html"])))
	if name == "layout.html" || name == "parts.html" {
		return page
	}
	return template.Must(page.New(name).Parse(read(t.files[name])))
}

// in returns a page in a language, or nil if there is no such page.
func (t *templates) in(s *site, page, lang string) *template.Template {
	key := pageIn{page, lang}
	if known, ok := t.byLanguage.Load(key); ok {
		return known.(*template.Template)
	}
	if _, ok := t.files[page+".html"]; !ok {
		return nil
	}
	parsed := t.parse(page+".html", func(file templateFile) string { return s.constant(file, lang) })
	known, _ := t.byLanguage.LoadOrStore(key, parsed)
	return known.(*template.Template)
}

// calls are calls of methods of the View whose result depends on nothing but the language: as a whole action, and as an
// argument.
var calls = regexp.MustCompile(`(\{\{-? ?|\()\$?\.(T|Path) ("[^"\\]*")( ?-?\}\}|\))`)

// constant returns the source of a template in which such calls are replaced by their results, as strings that the
// template escapes. Calls of methods take most of the time of a page. Templates of the application stay as they are:
// there, the dot may be something else.
func (s *site) constant(file templateFile, lang string) string {
	if !file.builtIn {
		return file.text
	}
	return calls.ReplaceAllStringFunc(file.text, func(call string) string {
		part := calls.FindStringSubmatch(call)
		text := strings.Trim(part[3], `"`)
		if part[2] == "T" {
			text = s.texts.text(lang, text)
		} else {
			text = s.path(text)
		}
		return part[1] + strconv.Quote(text) + part[4]
	})
}
