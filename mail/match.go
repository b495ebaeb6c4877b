package mail

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// offered returns the languages that all kinds can be sent in as the application wants, sorted: those of its own messages,
// or without any those of the embedded ones, and the default language.
func (t *Templates) offered() []string {
	sets := maps.Clone(t.sets)
	maps.DeleteFunc(sets, func(_ string, set map[string]*template) bool { return len(set) == 0 }) // only a layout
	if len(sets) == 0 {
		sets = t.builtin
	}
	languages := append(slices.Collect(maps.Keys(sets)), t.fallback)
	slices.Sort(languages)
	return slices.DeleteFunc(slices.Compact(languages), func(language string) bool { return language == "" })
}

// maxAcceptLanguage is how much of the header is read, in bytes.
const maxAcceptLanguage = 256

// Match returns the language of the templates that fits an Accept-Language header best (RFC 4647, 3.4), or the default
// language. If TemplateOptions.FS has messages, only its languages are chosen from, so that nobody gets some messages in
// the texts of the application and some in those of this package because of a browser.
func (t *Templates) Match(acceptLanguage string) string {
	if len(acceptLanguage) > maxAcceptLanguage {
		acceptLanguage = acceptLanguage[:max(0, strings.LastIndexByte(acceptLanguage[:maxAcceptLanguage], ','))]
	}
	for _, asked := range accepted(acceptLanguage) {
		for _, tag := range lookup(asked) {
			if slices.Contains(t.languages, tag) {
				return tag
			}
		}
		// A language that is there in one region only is better than another language.
		base, _, _ := strings.Cut(asked, "-")
		if i := slices.IndexFunc(t.languages, func(tag string) bool { return strings.HasPrefix(tag, base+"-") }); i >= 0 {
			return t.languages[i]
		}
	}
	return t.fallback
}

// accepted returns the languages of an Accept-Language header, the most wanted first. What cannot be read is left out.
func accepted(header string) []string {
	type wanted struct {
		tag    string
		weight float64
	}
	var list []wanted
	for item := range strings.SplitSeq(header, ",") {
		tag, parameter, weighted := strings.Cut(item, ";")
		w := wanted{normalize(strings.TrimSpace(tag)), 1}
		if weighted {
			text, _ := strings.CutPrefix(strings.TrimSpace(parameter), "q=")
			weight, err := strconv.ParseFloat(text, 64)
			if err != nil {
				continue
			}
			w.weight = weight
		}
		if isLanguage(w.tag) && w.weight > 0 {
			list = append(list, w)
		}
	}
	slices.SortStableFunc(list, func(a, b wanted) int { return cmp.Compare(b.weight, a.weight) })
	var tags []string
	for _, w := range list {
		tags = append(tags, w.tag)
	}
	return tags
}
