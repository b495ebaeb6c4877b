package main

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

const moduleRoot = "../.."

// pages returns the pages that people write and read, by their paths below the
// module's directory.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(moduleRoot, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, file := range found {
		all = append(all, "docs/"+filepath.Base(file))
	}
	return all
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestGeneratedPages compares the generated pages with what the command writes.
func TestGeneratedPages(t *testing.T) {
	for page, generate := range generated {
		want, err := generate(moduleRoot)
		if err != nil {
			t.Errorf("%s: %v", page, err)
			continue
		}
		if readPage(t, page) != want {
			t.Errorf("%s is not current; write it with: go run ./internal/docgen", page)
		}
	}
}

// TestLinks checks that every relative link leads to a file, and its fragment to
// a heading there.
func TestLinks(t *testing.T) {
	for _, page := range append(pages(t), "CHANGELOG.md", "bench/README.md", "stores/RULES.md") {
		for _, l := range lines(readPage(t, page)) {
			if l.code {
				continue
			}
			for _, m := range linkTarget.FindAllStringSubmatch(inlineCode.ReplaceAllString(l.text, "``"), -1) {
				if fault := linkFault(page, m[1]); fault != "" {
					t.Errorf("%s:%d: %s: %s", page, l.number, m[1], fault)
				}
			}
		}
	}
}

var inlineCode = regexp.MustCompile("`[^`]*`")

// linkFault says why a link of a page leads nowhere, or returns "".
func linkFault(page, target string) string {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return err.Error()
	case u.Scheme != "":
		return ""
	case path.IsAbs(u.Path):
		return "begins with a slash"
	}
	file := page
	if u.Path != "" {
		file = path.Join(path.Dir(page), u.Path)
	}
	info, err := os.Stat(filepath.Join(moduleRoot, file))
	switch {
	case err != nil:
		return "there is no file " + file
	case u.Fragment == "":
		return ""
	case info.IsDir():
		return "a directory has no headings"
	}
	text, err := os.ReadFile(filepath.Join(moduleRoot, file))
	if err != nil {
		return err.Error()
	}
	if !anchors(string(text))[u.Fragment] {
		return "there is no heading #" + u.Fragment + " in " + file
	}
	return ""
}

// TestLineLength limits the lines of text. Rows of tables cannot be broken.
func TestLineLength(t *testing.T) {
	for _, page := range pages(t) {
		for _, l := range lines(readPage(t, page)) {
			n := utf8.RuneCountInString(l.text)
			if n > maxLine && !strings.HasPrefix(l.text, "|") {
				t.Errorf("%s:%d: %d characters, at most %d are allowed", page, l.number, n, maxLine)
			}
			if strings.TrimRight(l.text, " \t") != l.text {
				t.Errorf("%s:%d: white space at the end", page, l.number)
			}
		}
	}
}

// TestCommands checks that what the commands in the pages name is there.
func TestCommands(t *testing.T) {
	named := regexp.MustCompile(`(?m)^(?:[A-Z_]+=\S+ )*(?:go|bash) .*$`)
	for _, page := range pages(t) {
		for _, command := range named.FindAllString(readPage(t, page), -1) {
			for word := range strings.FieldsSeq(command) {
				at, ok := strings.CutPrefix(word, "./")
				if !ok && !strings.HasPrefix(word, ".ci/") {
					continue
				}
				if !ok {
					at = word
				}
				dir := moduleRoot
				if module, isC := strings.CutPrefix(command, "go -C "); isC {
					dir = filepath.Join(dir, strings.Fields(module)[0])
				}
				if _, err := os.Stat(filepath.Join(dir, strings.TrimSuffix(at, "..."))); err != nil {
					t.Errorf("%s: %q: %v", page, command, err)
				}
			}
		}
	}
}

// TestLogLines checks that the log lines which the pages quote are in the code.
func TestLogLines(t *testing.T) {
	quoted := regexp.MustCompile("`((?:ginauth|mail): [^`]*)`")
	var code strings.Builder
	for _, pattern := range []string{"*.go", "internal/*/*.go", "mail/*.go"} {
		files, err := filepath.Glob(filepath.Join(moduleRoot, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "_test.go") {
				code.Write(text)
			}
		}
	}
	for _, page := range pages(t) {
		for _, m := range quoted.FindAllStringSubmatch(readPage(t, page), -1) {
			if !strings.Contains(code.String(), `"`+m[1]) {
				t.Errorf("%s: nothing logs or returns %q", page, m[1])
			}
		}
	}
}

// maxReadme is how long README.md may be. What does not fit belongs on a page of
// docs/.
const maxReadme = 250

func TestReadmeIsShort(t *testing.T) {
	if n := strings.Count(readPage(t, "README.md"), "\n"); n > maxReadme {
		t.Errorf("README.md has %d lines, at most %d are allowed", n, maxReadme)
	}
}

// TestPackagesAreNamed checks that the documentation of the root package and
// README.md name every public package.
func TestPackagesAreNamed(t *testing.T) {
	overview, err := os.ReadFile(filepath.Join(moduleRoot, "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range publicPackages(t) {
		if !strings.Contains(string(overview), "["+path.Join(modulePath, dir)+"]") {
			t.Errorf("doc.go does not link to package %s", dir)
		}
		if name := path.Base(dir); dir != "." && !strings.Contains(readPage(t, "README.md"), name) {
			t.Errorf("README.md does not name package %s", dir)
		}
	}
}

// publicPackages returns the directories of the packages that applications import.
func publicPackages(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(moduleRoot, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		dir, err := filepath.Rel(moduleRoot, name)
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		base := path.Base(dir)
		_, statErr := os.Stat(filepath.Join(name, "go.mod"))
		if dir != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "internal" || base == "example" || base == "client" || base == "docs" || statErr == nil) {
			return filepath.SkipDir
		}
		files, err := filepath.Glob(filepath.Join(name, "*.go"))
		if len(files) > 0 {
			dirs = append(dirs, dir)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}
