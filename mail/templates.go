package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"strings"
	texttemplate "text/template"
	"time"
)

//go:embed templates
var embedded embed.FS

// TemplateOptions say where an application's own templates are. The zero value
// is for the embedded ones, in English.
type TemplateOptions struct {
	// FS holds templates that take the place of the embedded ones, or nil. See
	// Templates for its layout.
	FS fs.FS
	// Language is that of the templates at the top of FS, and what is used where
	// another language is missing, as a tag like "de" or "pt-BR". Default "en".
	Language string
}

// Templates make messages. It is safe for concurrent use.
//
// A message of a kind is made from two files, as verify_email.txt and
// verify_email.html, in the syntax of text/template and html/template. Both are
// executed with a Data. The .txt file defines the subject and is otherwise the
// text:
//
//	{{define "subject"}}Welcome to {{.AppName}}{{end}}
//	Hello {{.Name}}, please open {{.URL}}
//
// The .html file is the whole HTML part or, if it defines "content", what
// layout.html puts around that with {{template "content" .}}. So an application
// can replace the frame of all messages with one file.
//
// Files of TemplateOptions.FS are at its top, in the default language, or in a
// directory named by a language, as de/verify_email.txt. For each message
// the first of these that has it is used:
//
//	the language asked for, as pt-BR, then the same without its region, as pt
//	the embedded one, if English was asked for
//	the default language
//	the top of FS
//	the embedded one
//
// The two files of a message stay together, because a message in two languages
// helps nobody: a .txt file alone makes a message without HTML, and a .html file
// alone is an error. The layout is looked up by itself.
//
// Beside the functions of text/template there are
//
//	duration .Expires   in English words, as "1 hour"
//	minutes .Expires    as a number, rounded down
//	language            the language of the file, as in <html lang="{{language}}">
type Templates struct {
	fallback string
	// sets are the messages of each language; "" is the top of FS.
	sets map[string]map[string]*template
	// builtin are the embedded messages.
	builtin map[string]*template
}

// template makes the messages of one kind in one language.
type template struct {
	// name is that of the files without extension, as "de/verify_email".
	name string
	text *texttemplate.Template
	// html is nil for a message of text alone.
	html *htmltemplate.Template
	// root is the name of the template to execute in html.
	root string
}

// NewTemplates parses all templates and executes each of them with examples, so
// that a mistake in one shows here and not when the message is needed. It
// reports all mistakes at once; the error wraps ErrTemplate.
func NewTemplates(options TemplateOptions) (*Templates, error) {
	t := &Templates{fallback: normalize(options.Language)}
	if options.Language == "" {
		t.fallback = english
	}
	if !isLanguage(t.fallback) {
		return nil, fmt.Errorf("%w: Language %q is not a language", ErrTemplate, options.Language)
	}
	inner, err := fs.Sub(embedded, "templates")
	if err != nil {
		return nil, err
	}
	l := loader{fallback: t.fallback}
	l.read(inner, true)
	if options.FS != nil {
		l.read(options.FS, false)
	}
	t.sets, t.builtin = l.parse()
	if err := errors.Join(l.faults...); err != nil {
		return nil, err
	}
	return t, nil
}

// Message renders a message of a kind, and checks it. The name of the address is
// left out if it would be left out of the text. The errors are those of Render
// and Message.Check.
func (t *Templates) Message(kind, language string, to Address, data Data) (Message, error) {
	m := Message{Kind: kind, To: Address{Name: cleanStranger(to.Name, maxName), Email: to.Email}}
	var err error
	if m.Subject, m.Text, m.HTML, err = t.Render(kind, language, data); err != nil {
		return Message{}, err
	}
	if err := m.Check(); err != nil {
		return Message{}, err
	}
	return m, nil
}

// Render returns the parts of a message of a kind, in the language nearest to the
// one asked for; html is "" if there is no HTML part. A language is a tag, as
// "de" or "pt-BR". One that is unknown, malformed or "" is the default one, so
// that what a client asks for can be passed on. The error wraps ErrTemplate.
func (t *Templates) Render(kind, language string, data Data) (subject, text, html string, err error) {
	found := t.find(kind, language)
	if found == nil {
		return "", "", "", fmt.Errorf("%w: there is no kind %q", ErrTemplate, cut(kind, maxKind))
	}
	if data, err = data.clean(kind); err != nil {
		return "", "", "", err
	}
	return found.render(data)
}

func (t *Templates) find(kind, language string) *template {
	asked := normalize(language)
	if !isLanguage(asked) {
		asked = t.fallback
	}
	for _, tag := range lookup(asked) {
		if found := t.sets[tag][kind]; found != nil {
			return found
		}
	}
	if isEnglish(asked) && !isEnglish(t.fallback) {
		return t.builtin[kind]
	}
	for _, tag := range append(lookup(t.fallback), "") {
		if found := t.sets[tag][kind]; found != nil {
			return found
		}
	}
	return t.builtin[kind]
}

func isEnglish(tag string) bool {
	base, _, _ := strings.Cut(tag, "-")
	return base == english
}

// render executes a template. Subjects are one line of limited length whatever
// the template does.
func (t *template) render(data Data) (subject, text, html string, err error) {
	var b bytes.Buffer
	if err := t.text.ExecuteTemplate(&b, subjectName, data); err != nil {
		return "", "", "", fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	subject = cleanLine(b.String(), maxSubject)
	b.Reset()
	if err := t.text.Execute(&b, data); err != nil {
		return "", "", "", fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	text = strings.TrimSpace(b.String()) + "\n"
	if t.html != nil {
		b.Reset()
		if err := t.html.ExecuteTemplate(&b, t.root, data); err != nil {
			return "", "", "", fmt.Errorf("%w: %w", ErrTemplate, err)
		}
		html = strings.TrimSpace(b.String()) + "\n"
	}
	switch {
	case subject == "":
		return "", "", "", fmt.Errorf("%w: %s.txt has an empty subject", ErrTemplate, t.name)
	case text == "\n":
		return "", "", "", fmt.Errorf("%w: %s.txt is empty", ErrTemplate, t.name)
	case html == "\n":
		return "", "", "", fmt.Errorf("%w: %s.html is empty", ErrTemplate, t.name)
	}
	return subject, text, html, nil
}

// maxSubject is the longest subject that is made, in bytes. Programs show less.
const maxSubject = 150

// words returns a time span in English, never a longer one than d.
func words(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return count(int64(d/day), "day")
	case d >= time.Hour && d%time.Hour == 0:
		return count(int64(d/time.Hour), "hour")
	case d >= time.Minute:
		return count(int64(d/time.Minute), "minute")
	}
	return count(int64(d/time.Second), "second")
}

func count(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

func minutes(d time.Duration) int64 { return int64(d / time.Minute) }
