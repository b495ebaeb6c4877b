package pages

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gin-gonic/gin"
	"golang.org/x/text/language"
)

//go:embed locales/*.json
var locales embed.FS

// texts is the catalogue of a site: by language and English text.
type texts struct {
	languages []string
	matcher   language.Matcher
	byText    map[string]map[string]string
	// matched are languages by Accept-Language header, of which browsers send few.
	matched sync.Map
	count   atomic.Int64
}

// maxMatched is how many headers are kept: clients choose them.
const maxMatched = 512

// newTexts returns the catalogue. It panics if a language of the options is not one or has no texts.
func newTexts(o Options) *texts {
	t := &texts{byText: builtInTexts()}
	for lang, more := range o.Texts {
		if t.byText[lang] == nil {
			t.byText[lang] = make(map[string]string)
		}
		maps.Copy(t.byText[lang], more)
	}
	t.languages = slices.Clone(o.Languages)
	if len(t.languages) == 0 {
		t.languages = slices.Sorted(maps.Keys(t.byText))
		t.languages = append([]string{"en"}, slices.DeleteFunc(t.languages, func(l string) bool { return l == "en" })...)
	}
	var tags []language.Tag
	for _, lang := range t.languages {
		tag, err := language.Parse(lang)
		if err != nil || t.byText[lang] == nil {
			panic(fmt.Sprintf("pages: Options.Languages: there are no texts for %q: add them to Options.Texts", lang))
		}
		tags = append(tags, tag)
	}
	t.matcher = language.NewMatcher(tags)
	return t
}

// builtInTexts returns the texts of the package. English has only those that differ from their names.
func builtInTexts() map[string]map[string]string {
	all := make(map[string]map[string]string)
	files, err := locales.ReadDir("locales")
	if err != nil {
		panic(err) // they are part of the program
	}
	for _, file := range files {
		data, err := locales.ReadFile("locales/" + file.Name())
		var texts map[string]string
		if err == nil {
			err = json.Unmarshal(data, &texts)
		}
		if err != nil {
			panic("pages: " + file.Name() + ": " + err.Error())
		}
		all[strings.TrimSuffix(file.Name(), ".json")] = texts
	}
	return all
}

// maxAcceptLanguage is how much of the header is read, in bytes.
const maxAcceptLanguage = 256

// language returns the language of a request.
func (s *site) language(c *gin.Context) string {
	if s.options.Language != nil {
		if lang := s.options.Language(c); lang != "" {
			return s.texts.match(lang)
		}
	}
	header := c.GetHeader("Accept-Language")
	if len(header) > maxAcceptLanguage {
		header = header[:max(0, strings.LastIndexByte(header[:maxAcceptLanguage], ','))]
	}
	return s.texts.match(header)
}

// match returns the language of the catalogue that fits an Accept-Language header best, or the first.
func (t *texts) match(header string) string {
	if lang, ok := t.matched.Load(header); ok {
		return lang.(string)
	}
	lang := t.parse(header)
	if t.count.Load() < maxMatched {
		t.count.Add(1)
		t.matched.Store(strings.Clone(header), lang)
	}
	return lang
}

func (t *texts) parse(header string) string {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil || len(tags) == 0 {
		return t.languages[0]
	}
	_, i, _ := t.matcher.Match(tags...)
	return t.languages[i]
}

// text returns a text in a language, with what stands in braces filled in from pairs of name and value.
func (t *texts) text(lang, english string, with ...string) string {
	text, ok := t.byText[lang][english]
	if !ok {
		text, ok = t.byText["en"][english]
	}
	if !ok {
		text = english
	}
	for i := 0; i+1 < len(with); i += 2 {
		text = strings.ReplaceAll(text, "{"+with[i]+"}", with[i+1])
	}
	return text
}

// number is a number in the reason of an input error.
var number = regexp.MustCompile(`\d+`)

// reason returns what is wrong with a field. The catalogue has whole sentences for the reasons of this module; others
// complete a sentence that begins with the label.
func (t *texts) reason(lang, label, reason string) string {
	if _, ok := t.byText["en"][reason]; ok {
		return t.text(lang, reason)
	}
	for _, at := range number.FindAllStringIndex(reason, -1) {
		if general := reason[:at[0]] + "{n}" + reason[at[1]:]; t.byText["en"][general] != "" {
			return t.text(lang, general, "n", reason[at[0]:at[1]])
		}
	}
	if _, ok := t.byText[lang][reason]; ok {
		return t.text(lang, reason)
	}
	return label + " " + reason + "."
}

// direction returns the value of the HTML attribute dir.
func direction(lang string) string {
	base, _ := language.Make(lang).Base()
	if slices.Contains([]string{"ar", "he", "fa", "ur"}, base.String()) {
		return "rtl"
	}
	return "ltr"
}
