package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"strings"
	"sync"
	texttemplate "text/template"
)

//go:embed templates
var embedded embed.FS

// TemplateOptions configure Templates. The zero value uses the embedded
// templates, which are in English, German, French, Spanish, Japanese and
// Arabic.
type TemplateOptions struct {
	// FS holds templates that replace the embedded ones, or is nil. See
	// Templates for its layout.
	FS fs.FS
	// Language is the default language, as a tag like "de" or "pt-BR". It is
	// the language of the templates in the root of FS, and is used for messages
	// that are not available in the requested language. Default "en".
	Language string
	// Texts adds texts to the embedded messages or replaces them, by language
	// and English text, as pages.Options.Texts does for pages. It can add a
	// language. Default none.
	Texts map[string]map[string]string
}

// Templates renders messages from templates. It is safe for concurrent use.
//
// Each kind of message has two files, such as verify_email.txt and
// verify_email.html, in the syntax of text/template and html/template. Both are
// executed with a Data. The .txt file defines the subject, and the rest of the
// file is the text:
//
//	{{define "subject"}}Welcome to {{.AppName}}{{end}}
//	Hello {{.Name}}, please open {{.URL}}
//
// The .html file is the complete HTML part. If it defines "content", it is
// instead inserted into layout.html by {{template "content" .}}. An application
// can therefore change the frame of all messages with one file.
//
// The files of TemplateOptions.FS in the default language are in its root. The
// files of other languages are in a directory named by the language, as in
// de/verify_email.txt. For each message, the first of these that exists is
// used:
//
//	the requested language, such as pt-BR, then without region, such as pt
//	the embedded message in the requested language, unless FS has the kind
//	the embedded message in English, if that was requested
//	the default language
//	the root of FS
//	the embedded message in the default language, or else in English
//
// A message never combines two languages: if a .txt file has no .html file next
// to it, the message has no HTML part, and a .html file without a .txt file is
// an error. The layout is looked up separately.
//
// Templates can use these additional functions:
//
//	duration .Expires   in words of the language, as "1 hour"
//	minutes .Expires    the number of minutes, rounded down
//	language            the language of the file, as in <html lang="{{language}}">
//	direction           "rtl" for languages that are written from right to left, or "ltr"
//	hello .Name         the first line, with or without a name
//	when .At            a time, with the time zone
//	T "Hello,"          a text of the embedded messages, or of TemplateOptions.Texts; pairs of name and value fill in
//	                    what stands in braces, as in {{T "Go to {app}" "app" .AppName}}
type Templates struct {
	fallback string
	// sets are the messages of FS by language and kind. The key "" is its root.
	sets map[string]map[string]*template
	// builtin are the embedded messages by language and kind.
	builtin map[string]map[string]*template
	// languages are those that Match chooses from, sorted.
	languages []string
}

// template renders the messages of one kind in one language.
type template struct {
	// name is the name of the files without extension, as in "de/verify_email".
	name string
	text *texttemplate.Template
	// html is nil if the message has only text.
	html *htmltemplate.Template
	// root is the name of the template to execute in html.
	root string
}

// NewTemplates parses all templates and executes each of them with example
// data, so that mistakes are found before a message is needed. The error wraps
// ErrTemplate and joins all mistakes.
func NewTemplates(options TemplateOptions) (*Templates, error) {
	t := &Templates{fallback: normalize(options.Language)}
	if options.Language == "" {
		t.fallback = english
	}
	if !isLanguage(t.fallback) {
		return nil, fmt.Errorf("%w: Language %q is not a language tag", ErrTemplate, options.Language)
	}
	if err := checkTexts(options.Texts); err != nil {
		return nil, err
	}
	l := newLoader(t.fallback, builtInTexts().with(options.Texts))
	if options.FS != nil {
		l.read(options.FS, false)
		t.sets = l.parseOwn()
	}
	var err error
	if options.Texts == nil && !l.ownsLayout() {
		t.builtin, err = embeddedMessages()
	} else {
		t.builtin = l.parseEmbedded()
	}
	if err := errors.Join(append(l.faults, err)...); err != nil {
		return nil, err
	}
	t.languages = t.offered()
	return t, nil
}

// embeddedMessages are the embedded messages as they are, which all Templates share that change neither their texts nor
// their layout: parsing them in every language takes a while.
var embeddedMessages = sync.OnceValues(func() (map[string]map[string]*template, error) {
	l := newLoader(english, builtInTexts())
	messages := l.parseEmbedded()
	return messages, errors.Join(l.faults...)
})

// Message renders a message of a kind and checks it. A name in the address that
// looks like a link is omitted. The errors are those of Render and
// Message.Check.
func (t *Templates) Message(kind, language string, to Address, data Data) (Message, error) {
	m := Message{Kind: kind, To: Address{Name: cleanUntrusted(to.Name, maxName), Email: to.Email}}
	var err error
	if m.Subject, m.Text, m.HTML, err = t.Render(kind, language, data); err != nil {
		return Message{}, err
	}
	if err := m.Check(); err != nil {
		return Message{}, err
	}
	return m, nil
}

// Render returns the parts of a message in the requested language or the
// nearest available one. The html part is "" if there is none. The language is
// a tag such as "de" or "pt-BR". If it is unknown, malformed or "", the default
// language is used, so a language requested by a client can be passed
// unchecked. The error wraps ErrTemplate.
func (t *Templates) Render(kind, language string, data Data) (subject, text, html string, err error) {
	found := t.find(kind, language)
	if found == nil {
		return "", "", "", fmt.Errorf("%w: unknown kind %q", ErrTemplate, cut(kind, maxKind))
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
	if !t.owns(kind) || isEnglish(asked) && !isEnglish(t.fallback) {
		if found := t.embedded(kind, asked); found != nil {
			return found
		}
	}
	for _, tag := range append(lookup(t.fallback), "") {
		if found := t.sets[tag][kind]; found != nil {
			return found
		}
	}
	if found := t.embedded(kind, t.fallback); found != nil {
		return found
	}
	return t.builtin[english][kind]
}

// owns reports whether FS has messages of a kind, in whatever language.
func (t *Templates) owns(kind string) bool {
	for _, set := range t.sets {
		if set[kind] != nil {
			return true
		}
	}
	return false
}

// embedded returns the embedded message in a language, or nil.
func (t *Templates) embedded(kind, language string) *template {
	for _, tag := range lookup(language) {
		if found := t.builtin[tag][kind]; found != nil {
			return found
		}
	}
	return nil
}

func isEnglish(tag string) bool {
	base, _, _ := strings.Cut(tag, "-")
	return base == english
}

// render executes a template. The subject is always one line of limited length.
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

// maxSubject is the length of the longest subject of a rendered message, in
// bytes. Mail programs show less.
const maxSubject = 150
