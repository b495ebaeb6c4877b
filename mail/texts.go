package mail

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed locales/*.json
var locales embed.FS

// catalogue holds the texts of the embedded messages: by language and English text. English has only those that differ
// from their names.
type catalogue map[string]map[string]string

// builtInTexts are the texts of the package. Nobody changes them.
var builtInTexts = sync.OnceValue(func() catalogue {
	all := make(catalogue)
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
			panic("mail: " + file.Name() + ": " + err.Error())
		}
		all[strings.TrimSuffix(file.Name(), ".json")] = texts
	}
	return all
})

// with returns the catalogue with further texts, whose languages are normalized.
func (c catalogue) with(more map[string]map[string]string) catalogue {
	all := maps.Clone(c)
	for language, texts := range more {
		language = normalize(language)
		own := maps.Clone(all[language])
		if own == nil {
			own = make(map[string]string)
		}
		maps.Copy(own, texts)
		all[language] = own
	}
	return all
}

// languages returns the languages, sorted.
func (c catalogue) languages() []string { return slices.Sorted(maps.Keys(c)) }

// text returns a text in a language, or else in English, with what stands in braces filled in from pairs of name and
// value.
func (c catalogue) text(language, name string, with ...string) string {
	text, ok := c.find(language, name)
	if !ok {
		text = name
	}
	var pairs []string
	for i := 0; i+1 < len(with); i += 2 {
		pairs = append(pairs, "{"+with[i]+"}", with[i+1])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// find returns the first of texts that a language has, or else English.
func (c catalogue) find(language string, names ...string) (string, bool) {
	for _, tag := range append(lookup(language), english) {
		for _, name := range names {
			if text, ok := c[tag][name]; ok {
				return text, true
			}
		}
	}
	return "", false
}

// functions are what templates in a language can call.
func (c catalogue) functions(language string) map[string]any {
	translate := func(english string, with ...string) string { return c.text(language, english, with...) }
	return map[string]any{
		"T":        translate,
		"duration": func(d time.Duration) string { return c.duration(language, d) },
		"minutes":  minutes,
		"language": func() string { return language },
		"direction": func() string {
			base, _, _ := strings.Cut(language, "-")
			if slices.Contains([]string{"ar", "fa", "he", "ur"}, base) {
				return "rtl"
			}
			return "ltr"
		},
		"hello": func(name string) string {
			if name == "" {
				return translate("Hello,")
			}
			return translate("Hello {name},", "name", name)
		},
		"when": func(t time.Time) string {
			return t.UTC().Format(c.text(language, "time format"))
		},
	}
}

// duration returns a duration in words, rounded down.
func (c catalogue) duration(language string, d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return c.count(language, int64(d/day), "days")
	case d >= time.Hour && d%time.Hour == 0:
		return c.count(language, int64(d/time.Hour), "hours")
	case d >= time.Minute:
		return c.count(language, int64(d/time.Minute), "minutes")
	}
	return c.count(language, int64(d/time.Second), "seconds")
}

// count returns a number with a unit. The texts of a unit are by plural form, as in "{n} days, one", and without one.
func (c catalogue) count(language string, n int64, unit string) string {
	general := "{n} " + unit
	text, _ := c.find(language, general+", "+pluralForm(language, n), general)
	return strings.ReplaceAll(text, "{n}", strconv.FormatInt(n, 10))
}

// pluralForm returns the form of a noun after a whole number, by the names of the Unicode CLDR, for the languages of the
// package. Those that have one form have no text of another.
func pluralForm(language string, n int64) string {
	base, _, _ := strings.Cut(language, "-")
	switch {
	case n == 1:
		return "one"
	case base != "ar":
	case n == 2:
		return "two"
	case n%100 >= 3 && n%100 <= 10:
		return "few"
	case n%100 >= 11:
		return "many"
	}
	return "other"
}

func minutes(d time.Duration) int64 { return int64(d / time.Minute) }

// checkTexts returns an error if a language of TemplateOptions.Texts is not one.
func checkTexts(texts map[string]map[string]string) error {
	for language := range texts {
		if !isLanguage(normalize(language)) {
			return fmt.Errorf("%w: Texts has %q, which is not a language tag", ErrTemplate, cut(language, 35))
		}
	}
	return nil
}
