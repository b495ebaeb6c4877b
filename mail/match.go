package mail

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// matcher chooses one of the languages of Templates.
type matcher struct {
	tags []string
	by   language.Matcher
}

// newMatcher returns the matcher for the languages that all kinds can be sent in as the application wants: those of its
// own files, or without any those of the embedded messages. The default language comes first.
func newMatcher(t *Templates) matcher {
	m := matcher{tags: []string{t.fallback}}
	sets := maps.Clone(t.sets)
	maps.DeleteFunc(sets, func(_ string, set map[string]*template) bool { return len(set) == 0 }) // only a layout
	if len(sets) == 0 {
		sets = t.builtin
	}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		if name != "" && name != t.fallback {
			m.tags = append(m.tags, name)
		}
	}
	var tags []language.Tag
	for _, name := range m.tags {
		tags = append(tags, language.Make(name))
	}
	m.by = language.NewMatcher(tags)
	return m
}

// maxAcceptLanguage is how much of the header is read, in bytes.
const maxAcceptLanguage = 256

// Match returns the language of the templates that fits an Accept-Language header best, or the default language. If
// TemplateOptions.FS has messages, only its languages are chosen from, so that nobody gets some messages in the texts of the
// application and some in those of this package because of a browser.
func (t *Templates) Match(acceptLanguage string) string {
	if len(acceptLanguage) > maxAcceptLanguage {
		acceptLanguage = acceptLanguage[:max(0, strings.LastIndexByte(acceptLanguage[:maxAcceptLanguage], ','))]
	}
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(tags) == 0 {
		return t.fallback
	}
	_, i, confidence := t.matcher.by.Match(tags...)
	if confidence == language.No {
		return t.fallback
	}
	return t.matcher.tags[i]
}
