package ginauth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	// anAddress matches "address" with the word before it.
	anAddress = regexp.MustCompile(`(?i)([\p{L}-]+)\s+address(?:es)?\b`)
	// forPeople matches a literal of a program that people read: a sentence, a label, HTML, or what is said of a field.
	forPeople = regexp.MustCompile(`^(?:[A-Z][a-z]*[ ,:]|is |are |must |has )|<[a-z]+[ >]`)
)

// TestTextsSayWhichAddress checks that what people read says "email address" or "IP address", never "address" alone: in
// pages, in mails, in errors and in the description of the endpoints.
func TestTextsSayWhichAddress(t *testing.T) {
	seen := 0
	check := func(path, text string) {
		for _, found := range anAddress.FindAllStringSubmatch(text, -1) {
			seen++
			switch strings.ToLower(found[1]) {
			case "email", "ip":
			default:
				t.Errorf("%s: %q in %.160q", path, found[0], text)
			}
		}
	}
	for _, dir := range []string{"routes", "pages", "mail/templates", "features", "example/web", "internal/answers", "internal/accounts",
		"internal/passpolicy", "internal/passwords", "internal/emailaddr", "autherr"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go"):
				return err
			case strings.HasSuffix(path, ".go"):
				for _, text := range literals(t, path) {
					if forPeople.MatchString(text) {
						check(path, text)
					}
				}
			case strings.HasSuffix(path, ".html"), filepath.Dir(path) == "mail/templates", strings.HasSuffix(path, ".json"):
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				check(path, string(data))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 50 {
		t.Errorf("saw %d addresses", seen)
	}
}

// literals returns the strings of a source file.
func literals(t *testing.T, path string) (texts []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				texts = append(texts, text)
			}
		}
		return true
	})
	return texts
}
