package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// groups are the pages of docs/ in the order in which the index lists them.
var groups = []struct {
	title string
	pages []string
}{
	{"Start", []string{"getting-started.md", "routes.md", "migrating.md"}},
	{"Features", []string{
		"sessions.md", "guards.md", "login.md", "second-factors.md", "passkeys.md", "social.md", "magic-links.md", "accounts.md", "users.md", "existing-users-table.md", "tenants.md", "passwords.md", "tokens.md", "authorization.md",
		"throttling.md", "mail.md", "events.md", "browsers.md", "pages.md", "middleware-order.md", "cookies.md", "spa-and-cors.md",
		"websockets-and-sse.md", "testing.md",
	}},
	{"Operation and security", []string{"stores.md", "production.md", "proxies.md", "security-model.md", "faq.md"}},
	{"Reference", []string{"configuration.md", "errors-and-statuses.md", "performance.md"}},
	{"Work on ginauth", []string{"architecture.md", "store-guide.md", "contributing-a-feature.md"}},
}

// index returns docs/README.md.
func index(root string) (string, error) {
	dir := filepath.Join(root, "docs")
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return "", err
	}
	unlisted := make(map[string]bool)
	for _, file := range files {
		unlisted[filepath.Base(file)] = true
	}
	delete(unlisted, "README.md")

	var b strings.Builder
	b.WriteString("# Documentation\n\n<!-- Written by go run ./internal/docgen. Do not edit. -->\n\n")
	b.WriteString(wrap("", "", "One page for each task. [The README](../README.md) has the overview. "+
		"[pkg.go.dev](https://pkg.go.dev/github.com/ginauth/ginauth) has the reference of every package."))
	for _, group := range groups {
		if len(group.pages) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", group.title)
		for _, page := range group.pages {
			text, err := os.ReadFile(filepath.Join(dir, page))
			if err != nil {
				return "", err
			}
			name, sentence, err := title(string(text))
			if err != nil {
				return "", fmt.Errorf("%s: %w", page, err)
			}
			b.WriteString(wrap("- ", "  ", fmt.Sprintf("[%s](%s): %s", name, page, sentence)))
			delete(unlisted, page)
		}
	}
	if len(unlisted) > 0 {
		var names []string
		for name := range unlisted {
			names = append(names, name)
		}
		slices.Sort(names)
		return "", fmt.Errorf("no group of internal/docgen/index.go lists %s", strings.Join(names, ", "))
	}
	return b.String(), nil
}
