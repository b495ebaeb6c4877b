package mail

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"
)

const (
	english     = "en"
	layoutName  = "layout"
	contentName = "content"
	subjectName = "subject"
)

// languageTag matches the name of a directory: a language of two or three
// letters and subtags, such as script and region (RFC 5646).
var languageTag = regexp.MustCompile(`^[a-z]{2,3}(-[a-z0-9]{1,8})*$`)

func isLanguage(s string) bool { return len(s) <= 35 && languageTag.MatchString(s) }

// lookup returns a language tag and its shorter forms, down to the language
// without region (RFC 4647, 3.4).
func lookup(tag string) []string {
	var tags []string
	for tag != "" {
		tags = append(tags, tag)
		tag = tag[:max(0, strings.LastIndexByte(tag, '-'))]
	}
	return tags
}

// normalize returns a language tag in the form used as a map key, or "" if the
// tag is too long.
func normalize(tag string) string {
	if len(tag) > 35 {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
}

// loader reads templates from file systems and collects their faults.
type loader struct {
	fallback string
	texts    catalogue
	// own and builtin hold the contents of files by language and name.
	own, builtin map[string]map[string]string
	faults       []error
}

// newLoader returns a loader that has read the embedded templates.
func newLoader(fallback string, texts catalogue) *loader {
	l := &loader{fallback: fallback, texts: texts}
	inner, err := fs.Sub(embedded, "templates")
	if err != nil {
		panic(err) // they are part of the program
	}
	l.read(inner, true)
	return l
}

// ownsLayout reports whether the application has a layout, in whatever language.
func (l *loader) ownsLayout() bool {
	for _, files := range l.own {
		if files[layoutName+".html"] != "" {
			return true
		}
	}
	return false
}

// fault adds a fault, unless it was added before: a broken layout affects many
// messages.
func (l *loader) fault(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if !errors.Is(err, ErrTemplate) {
		err = fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	if !slices.ContainsFunc(l.faults, func(other error) bool { return other.Error() == err.Error() }) {
		l.faults = append(l.faults, err)
	}
}

// read reads all template files. It reports files that would never be used
// because of their name.
func (l *loader) read(fsys fs.FS, builtin bool) {
	files := map[string]map[string]string{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !isTemplateFile(name) {
			return err
		}
		dir, base := path.Split(name)
		language := normalize(strings.TrimSuffix(dir, "/"))
		if language != "" && !isLanguage(language) {
			l.fault("%s: directory is not a language tag; if the templates are in a subdirectory of FS, pass that directory with fs.Sub", name)
			return nil
		}
		if !isKnownFile(base) {
			l.fault("%s: no kind of message has this name", name)
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if files[language] == nil {
			files[language] = map[string]string{}
		}
		files[language][base] = string(text)
		return nil
	})
	if err != nil {
		l.fault("%w", err)
	}
	if builtin {
		l.builtin = files
		return
	}
	if len(files) == 0 && len(l.faults) == 0 {
		l.fault("FS has no templates")
	}
	l.own = files
}

func isTemplateFile(name string) bool {
	return path.Ext(name) == ".txt" || path.Ext(name) == ".html"
}

func isKnownFile(base string) bool {
	name, extension, _ := strings.Cut(base, ".")
	return slices.Contains(Kinds(), name) || name == layoutName && extension == "html"
}

// parseOwn returns the messages of the application by language.
func (l *loader) parseOwn() map[string]map[string]*template {
	sets := map[string]map[string]*template{}
	for _, language := range slices.Sorted(maps.Keys(l.own)) {
		set := map[string]*template{}
		for _, kind := range Kinds() {
			if t := l.message(l.own[language], language, kind); t != nil {
				set[kind] = t
			}
		}
		sets[language] = set
	}
	return sets
}

// parseEmbedded returns the embedded messages in every language of the catalogue.
func (l *loader) parseEmbedded() map[string]map[string]*template {
	all := map[string]map[string]*template{}
	for _, language := range l.texts.languages() {
		all[language] = map[string]*template{}
		for _, kind := range Kinds() {
			all[language][kind] = l.message(l.builtin[""], language, kind)
		}
	}
	return all
}

// message parses the files of a kind. It returns nil if there are none.
func (l *loader) message(files map[string]string, language, kind string) *template {
	text, hasText := files[kind+".txt"]
	html, hasHTML := files[kind+".html"]
	name := strings.TrimPrefix(language+"/"+kind, "/")
	switch {
	case !hasText && hasHTML:
		l.fault("%s.html: every message needs a text, but %s.txt is missing", name, kind)
		return nil
	case !hasText:
		return nil
	}
	own := language
	if own == "" {
		own = l.fallback
	}
	functions := l.texts.functions(own)
	t := &template{name: name, root: name + ".html"}
	var err error
	t.text, err = texttemplate.New(name + ".txt").Funcs(functions).Parse(text)
	if err != nil {
		l.fault("%w", err)
		return nil
	}
	if t.text.Lookup(subjectName) == nil {
		l.fault(`%s.txt: does not {{define "subject"}}`, name)
		return nil
	}
	if hasHTML {
		if err := t.parseHTML(html, l.layout(own), functions); err != nil {
			l.fault("%w", err)
			return nil
		}
	}
	l.try(t, kind)
	return t
}

// parseHTML parses a complete HTML part, or the content for the layout.
func (t *template) parseHTML(text, layout string, functions map[string]any) error {
	set, err := htmltemplate.New(t.root).Funcs(functions).Parse(text)
	if err == nil && set.Lookup(contentName) != nil {
		// Parse the text again after the layout, so that its definitions
		// replace those of the layout.
		set, err = htmltemplate.New(layoutName).Funcs(functions).Parse(layout)
		if err == nil {
			_, err = set.New(t.root).Parse(text)
		}
		t.root = layoutName
	}
	t.html = set
	return err
}

// layout returns the layout for messages in a language.
func (l *loader) layout(language string) string {
	for _, tag := range slices.Concat(lookup(language), lookup(l.fallback), []string{""}) {
		if text, ok := l.own[tag][layoutName+".html"]; ok {
			return text
		}
	}
	return l.builtin[""][layoutName+".html"]
}

// try executes a template with complete data and with minimal data. It finds
// mistakes that parsing does not find.
func (l *loader) try(t *template, kind string) {
	full := Data{
		AppName: "Example", Name: "Ann", Email: "ann@example.com", URL: "https://example.com/?token=example",
		Code: "ABCD-EFGH", Expires: time.Hour, At: time.Unix(0, 0), Address: "192.0.2.1", Device: "Firefox on Linux",
	}
	least := Data{AppName: "Example"}
	if needsLink(kind) {
		least.URL = full.URL
	}
	if kind == LoginCode {
		least.Code = full.Code
	}
	_, text, html, err := t.render(full)
	if err == nil && needsLink(kind) {
		switch {
		case !strings.Contains(text, full.URL):
			err = fmt.Errorf("%w: %s.txt does not contain {{.URL}}", ErrTemplate, t.name)
		case html != "" && !strings.Contains(html, full.URL):
			err = fmt.Errorf("%w: %s.html does not contain {{.URL}}", ErrTemplate, t.name)
		}
	}
	if err == nil && kind == LoginCode && (!strings.Contains(text, full.Code) || html != "" && !strings.Contains(html, full.Code)) {
		err = fmt.Errorf("%w: %s does not contain {{.Code}}", ErrTemplate, t.name)
	}
	_, _, _, errLeast := t.render(least)
	for _, err := range []error{err, errLeast} {
		if err != nil {
			l.fault("%w", err)
		}
	}
}
