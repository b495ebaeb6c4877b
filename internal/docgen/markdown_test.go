package main

import (
	"strings"
	"testing"
)

func TestAnchor(t *testing.T) {
	for heading, want := range map[string]string{
		"Log in and out":          "log-in-and-out",
		"hashing.Config":          "hashingconfig",
		"`Config.Pages`":          "configpages",
		"What ends when?":         "what-ends-when",
		"A [link](page.md) in it": "a-link-in-it",
		"gin-jwt":                 "gin-jwt",
		"401 and 403":             "401-and-403",
		"snake_case":              "snake_case",
	} {
		if got := anchor(heading); got != want {
			t.Errorf("%q: %q, want %q", heading, got, want)
		}
	}
}

func TestAnchorsAreNumbered(t *testing.T) {
	found := anchors("# One\n## Two\n### Two\n```sh\n# no heading\n```\n")
	for _, want := range []string{"one", "two", "two-1"} {
		if !found[want] {
			t.Errorf("no anchor %q", want)
		}
	}
	if len(found) != 3 {
		t.Errorf("%v", found)
	}
}

func TestTitle(t *testing.T) {
	name, sentence, err := title("# Name\n\n<!-- a comment -->\n\nUse `a.b` for\nthis. And that.\n\nMore.\n")
	if err != nil || name != "Name" || sentence != "Use `a.b` for this." {
		t.Errorf("%q, %q, %v", name, sentence, err)
	}
	for _, text := range []string{"", "No title.\n", "# Name\n\nno sentence\n"} {
		if _, _, err := title(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestWrap(t *testing.T) {
	word := strings.Repeat("x", 60)
	got := wrap("- ", "  ", word+" "+word+" "+word)
	if want := "- " + word + " " + word + "\n  " + word + "\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestDefaultOf(t *testing.T) {
	for comment, want := range map[string]string{
		"A ends B. Default 2 h. See OWASP 7.3.1.\n":             "2 h",
		"Name is a name. Default \"__Host-x\". On a machine.\n": `"__Host-x"`,
		"Leeway. Default 10 s, at most 60 s; negative: none.":   "10 s, at most 60 s",
		"Driver hashes. Nil means\nArgon2id{}.":                 "Argon2id{}",
		"It is one. The default is \"web\", or another.":        `"web", or another`,
		"It has none.": "",
	} {
		if got := defaultOf(comment); got != want {
			t.Errorf("%q: %q, want %q", comment, got, want)
		}
	}
}
