package main

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLine is the longest line of a page, in characters.
const maxLine = 125

// unbroken matches what stands on one line: a word, or code with spaces in it.
var unbroken = regexp.MustCompile("(?:`[^`]*`|\\S)+")

// wrap breaks a paragraph into lines of at most maxLine characters. The first
// begins with first, the others with rest.
func wrap(first, rest, text string) string {
	var b strings.Builder
	line := first
	empty := true
	for _, word := range unbroken.FindAllString(text, -1) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > maxLine {
			b.WriteString(line + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	return b.String() + line + "\n"
}

// line is a line of a Markdown file.
type line struct {
	number int
	text   string
	// code says that the line is part of a fenced block of code, or one of its
	// fences.
	code bool
}

// lines splits a Markdown file.
func lines(text string) []line {
	var all []line
	fence := ""
	for i, s := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		trimmed := strings.TrimSpace(s)
		code := fence != ""
		switch {
		case fence != "" && trimmed == fence:
			fence = ""
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence, code = "```", true
		}
		all = append(all, line{i + 1, s, code})
	}
	return all
}

// title returns the title of a page and the first sentence of its text.
func title(text string) (name, sentence string, err error) {
	var paragraph []string
	for _, l := range lines(text) {
		switch heading, ok := strings.CutPrefix(l.text, "# "); {
		case l.code:
			continue
		case ok && name == "":
			name = heading
		case name == "":
			continue
		case strings.TrimSpace(l.text) != "" && !strings.HasPrefix(l.text, "#") && !strings.HasPrefix(l.text, "<!--"):
			paragraph = append(paragraph, strings.TrimSpace(l.text))
			continue
		}
		if len(paragraph) > 0 {
			break
		}
	}
	joined := strings.Join(paragraph, " ")
	if end := sentenceEnd.FindStringIndex(joined); end != nil {
		joined = joined[:end[0]+1]
	}
	if name == "" || !strings.HasSuffix(joined, ".") {
		return "", "", fmt.Errorf("does not begin with a title and a sentence: %q, %q", name, joined)
	}
	return name, joined, nil
}

// sentenceEnd matches the end of a sentence that another one follows.
var sentenceEnd = regexp.MustCompile(`\. [A-Z0-9"` + "`" + `]`)

// anchors returns the fragments by which the headings of a page are reached, as
// GitHub makes them.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	count := make(map[string]int)
	for _, l := range lines(text) {
		heading := strings.TrimLeft(l.text, "#")
		if l.code || heading == l.text || !strings.HasPrefix(heading, " ") {
			continue
		}
		slug := anchor(heading)
		n := count[slug]
		count[slug]++
		if n > 0 {
			slug = fmt.Sprintf("%s-%d", slug, n)
		}
		found[slug] = true
	}
	return found
}

// anchor returns the fragment of one heading.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(linkTarget.ReplaceAllString(heading, "]"))) {
		switch {
		case r == ' ':
			b.WriteRune('-')
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// linkTarget matches what follows the text of a link.
var linkTarget = regexp.MustCompile(`\]\(([^()\s]+)\)`)
