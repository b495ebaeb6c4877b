package main

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// snippetImports are the packages that a snippet may use without importing them,
// by their names. Those of this module that are not here are added to it.
var snippetImports = withModule(map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "log": "log", "os": "os",
	"rand": "crypto/rand", "slog": "log/slog", "strings": "strings", "time": "time", "testing": "testing",
	"httptest": "net/http/httptest", "fs": "io/fs",
	"gin": "github.com/gin-gonic/gin", "gorm": "gorm.io/gorm", "sessions": "github.com/gin-contrib/sessions",
	"redis": "github.com/redis/go-redis/v9", "ginauth": modulePath,
})

func withModule(imports map[string]string) map[string]string {
	for _, p := range []string{
		"breach", "docs/officehours", "events", "factor", "features/account", "features/magiclink", "features/passkey", "features/passkey/passkeytest", "features/recovery", "features/social", "features/totp", "ginauthtest", "hashing", "jwt", "mail", "mail/filemail", "mail/logmail", "mail/smtp", "models",
		"pages",
		"routes", "stores", "stores/cookiestore", "stores/filestore", "stores/gormstore", "stores/memstore",
		"stores/redisstore", "stores/storetest",
	} {
		imports[path.Base(p)] = modulePath + "/" + p
	}
	return imports
}

// snippetNames are the declarations that a snippet may use without writing them.
var snippetNames = map[string]string{
	"a":            "var a *ginauth.Authenticator",
	"credentials":  "var credentials ginauth.Credentials",
	"current":      "var current string",
	"name":         "var name string",
	"auth":         "var auth *ginauth.Manager",
	"c":            "var c *gin.Context",
	"codeIsRight":  "var codeIsRight bool",
	"ctx":          "var ctx context.Context",
	"db":           "var db *gorm.DB",
	"email":        "var email string",
	"id":           "var id string",
	"key":          "var key ginauth.Key",
	"logger":       "var logger *slog.Logger",
	"oldPublicPEM": "var oldPublicPEM []byte",
	"options":      "var options []byte",
	"password":     "var password string",
	"post":         "var post *Post",
	"privatePEM":   "var privatePEM []byte",
	"r":            "var r *gin.Engine",
	"refreshToken": "var refreshToken string",
	"token":        "var token string",
	"u":            "var u *models.User",
	"userID":       "var userID string",
	"users":        "var users *gormstore.UserStore[models.User, *models.User]",
	"Cart":         "type Cart struct{ Items []string }",
	"about":        "func about(*gin.Context) {}",
	"create":       "func create(*gin.Context) {}",
	"list":         "func list(*gin.Context) {}",
	"login":        "func login(*gin.Context) {}",
	"pay":          "func pay(*gin.Context) {}",
	"profile":      "func profile(*gin.Context) {}",
	"signup":       "func signup(*gin.Context) {}",
	"Post":         "type Post struct {\n\tID, AuthorID uint64\n\tDraft bool\n}",
}

// TestSnippets compiles every piece of Go in the pages, in a module of its own
// that requires this one, as a reader's does.
func TestSnippets(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	root, err := filepath.Abs(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	snippetModule(t, root, dir)
	for _, page := range pages(t) {
		for _, b := range snippets(t, page) {
			source, err := snippetSource(b.text)
			if err != nil {
				t.Errorf("%s:%d: %v", page, b.line, err)
				continue
			}
			// The name of the directory leads from an error to the page and line.
			name := strings.TrimSuffix(strings.ReplaceAll(page, "/", "-"), ".md")
			snippet := filepath.Join(dir, name, fmt.Sprintf("line%d", b.line))
			if err := os.MkdirAll(snippet, 0o755); err != nil {
				t.Fatal(err)
			}
			snippetWrite(t, filepath.Join(snippet, "main.go"), source)
		}
	}
	vet := exec.CommandContext(t.Context(), "go", "vet", "./...")
	vet.Dir = dir
	vet.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GO111MODULE=on")
	if output, err := vet.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, output)
	}
}

// snippetModule makes a module with the same requirements as this one.
func snippetModule(t *testing.T, root, dir string) {
	t.Helper()
	const module = "module " + modulePath + "\n"
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(mod)
	if !strings.Contains(text, module) {
		t.Fatalf("go.mod has no line %q", module)
	}
	text = strings.Replace(text, module, "module pages\n", 1) +
		fmt.Sprintf("\nrequire %s v0.0.0\nreplace %[1]s => %q\n", modulePath, root)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	snippetWrite(t, filepath.Join(dir, "go.mod"), []byte(text))
	snippetWrite(t, filepath.Join(dir, "go.sum"), sum)
}

func snippetWrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

type snippet struct {
	fence string
	line  int
	text  string
}

// The first lines of blocks of Go. Code that uses libraries which this module does
// not depend on is parsed only.
const (
	snippetFence = "```go"
	otherFence   = "```go with other libraries"
)

// quoteFence begins a part of a file, in any language.
var quoteFence = regexp.MustCompile("^```[a-z]+ of (\\S+)$")

// snippets returns the Go of a page that is to be compiled.
func snippets(t *testing.T, page string) []snippet {
	t.Helper()
	var found []snippet
	for _, b := range blocks(t, page) {
		switch b.fence {
		case snippetFence:
			found = append(found, b)
		case otherFence:
			if err := parses(b.text); err != nil {
				t.Errorf("%s:%d: %v", page, b.line, err)
			}
		}
	}
	return found
}

// blocks returns the Go of a page, and the parts of files.
func blocks(t *testing.T, page string) []snippet {
	t.Helper()
	var found []snippet
	var block *snippet
	for _, l := range lines(readPage(t, page)) {
		switch {
		case !l.code:
		case block != nil && strings.TrimSpace(l.text) == "```":
			found = append(found, *block)
			block = nil
		case block != nil:
			block.text += l.text + "\n"
		case l.text == snippetFence, l.text == otherFence, quoteFence.MatchString(l.text):
			block = &snippet{fence: l.text, line: l.number + 1}
		case strings.HasPrefix(strings.TrimSpace(l.text), "```go"):
			t.Errorf("%s:%d: %q is not compiled: begin the line with %q", page, l.number, l.text, snippetFence)
		}
	}
	return found
}

// parses reports what is wrong with the form of a block.
func parses(block string) error {
	formatted, err := format.Source([]byte(block))
	if err == nil && string(formatted) != block {
		err = fmt.Errorf("is not formatted by gofmt; want:\n%s", formatted)
	}
	return err
}

// snippetSource makes a file from a block: a program stays as it is, declarations get
// what they use, and statements are put into a function.
func snippetSource(block string) ([]byte, error) {
	if err := parses(block); err != nil {
		return nil, err
	}
	if strings.HasPrefix(block, "package main\n") || strings.Contains(block, "\npackage main\n") {
		return []byte(block), nil
	}
	source := snippetPackage + block
	if _, err := parser.ParseFile(token.NewFileSet(), "", source, 0); err != nil {
		file, err := parser.ParseFile(token.NewFileSet(), "", snippetFunction(block, nil), 0)
		if err != nil {
			return nil, err
		}
		source = snippetFunction(block, snippetDefined(file.Decls[0].(*ast.FuncDecl).Body))
	}
	source, err := snippetComplete(source)
	return []byte(source), err
}

// snippetPackage begins the file of a snippet.
const snippetPackage = "package snippet\n"

// snippetFunction puts statements into a function. What they define may be there
// to be shown only.
func snippetFunction(block string, defined []string) string {
	source := snippetPackage + "func _() {\n" + block
	for _, name := range defined {
		source += "_ = " + name + "\n"
	}
	return source + "}\n"
}

// snippetDefined returns the names that statements define, without those in
// inner blocks.
func snippetDefined(body *ast.BlockStmt) []string {
	var names []string
	for _, statement := range body.List {
		assign, ok := statement.(*ast.AssignStmt)
		if !ok || assign.Tok != token.DEFINE {
			continue
		}
		for _, left := range assign.Lhs {
			if name := left.(*ast.Ident).Name; name != "_" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// snippetUsed returns the names in a file that can stand for something outside
// it, and those that it declares itself.
func snippetUsed(file *ast.File) (used, declared map[string]bool) {
	used, declared = make(map[string]bool), make(map[string]bool)
	var collect func(ast.Node) bool
	collect = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			ast.Inspect(n.X, collect) // not the field's name
			return false
		case *ast.Ident:
			used[n.Name] = true
		}
		return true
	}
	ast.Inspect(file, collect)
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			declared[d.Name.Name] = d.Recv == nil
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok {
					declared[s.Name.Name] = true
				}
				if s, ok := spec.(*ast.ValueSpec); ok {
					declared[s.Names[0].Name] = true
				}
				if s, ok := spec.(*ast.ImportSpec); ok && s.Name == nil {
					declared[path.Base(strings.Trim(s.Path.Value, `"`))] = true
				} else if ok {
					declared[s.Name.Name] = true
				}
			}
		}
	}
	return used, declared
}

// snippetComplete adds to a source what it uses and does not declare. What is
// added may itself use more.
func snippetComplete(source string) (string, error) {
	for {
		file, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
		if err != nil {
			return "", err
		}
		used, declared := snippetUsed(file)
		before := source
		for name, declaration := range snippetNames {
			if used[name] && !declared[name] {
				source += declaration + "\n"
			}
		}
		for name, importPath := range snippetImports {
			if used[name] && !declared[name] {
				// Imports come before everything else.
				source = strings.Replace(source, snippetPackage, snippetPackage+fmt.Sprintf("import %s %q\n", name, importPath), 1)
			}
		}
		if source == before {
			return source, nil
		}
	}
}

// TestBackendExample checks that the program in backendPage is the one in the
// repository, and short.
func TestBackendExample(t *testing.T) {
	const backendPage = "docs/getting-started.md"
	program, err := os.ReadFile(filepath.Join(moduleRoot, "example/backend/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(readPage(t, backendPage), snippetFence+"\n"+string(program)+"```\n") {
		t.Errorf("%s does not show example/backend/main.go", backendPage)
	}
	if n := strings.Count(string(program), "\n"); n >= 60 {
		t.Errorf("%d lines", n)
	}
}

// featurePage is the page about features.
const featurePage = "docs/contributing-a-feature.md"

// wholeExamples are the pages that show all of a file, which is short.
var wholeExamples = map[string]string{
	featurePage:            "docs/officehours/officehours.go",
	"docs/spa-and-cors.md": "docs/spa/api.go",
}

// TestQuotes checks that the parts of files in the pages are in them, and that those of wholeExamples are the whole.
func TestQuotes(t *testing.T) {
	for _, page := range pages(t) {
		parts := make(map[string][]string)
		for _, b := range blocks(t, page) {
			m := quoteFence.FindStringSubmatch(b.fence)
			if m == nil {
				continue
			}
			parts[m[1]] = append(parts[m[1]], b.text)
			if file, err := os.ReadFile(filepath.Join(moduleRoot, m[1])); err != nil || !strings.Contains(string(file), b.text) {
				t.Errorf("%s:%d: is not in %s: %v", page, b.line, m[1], err)
			}
		}
		whole, ok := wholeExamples[page]
		if !ok {
			continue
		}
		file, err := os.ReadFile(filepath.Join(moduleRoot, whole))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(parts[whole], "\n") != string(file) {
			t.Errorf("%s does not show all of %s, in its order", page, whole)
		}
		if n := strings.Count(string(file), "\n"); n >= 120 {
			t.Errorf("%s: %d lines", whole, n)
		}
	}
}

// TestFeatureSignatures checks that featurePage names each method of Feature and of Setup as it is declared.
func TestFeatureSignatures(t *testing.T) {
	r := reference{root: moduleRoot, packages: make(map[string]*sourcePackage)}
	p, err := r.load(".")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]ast.Expr)
	for _, declared := range p.docs.Types {
		switch declared.Name {
		case "Feature":
			for _, m := range declared.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.InterfaceType).Methods.List {
				want[m.Names[0].Name] = m.Type
			}
		case "Setup":
			for _, m := range declared.Methods {
				want[m.Name] = m.Decl.Type
			}
		}
	}
	if len(want) < 3 {
		t.Fatalf("found only %d methods", len(want))
	}
	for name, signature := range want {
		text, err := p.source(signature)
		if err != nil {
			t.Fatal(err)
		}
		if row := "| `" + name + strings.TrimPrefix(text, "func") + "` |"; !strings.Contains(readPage(t, featurePage), row) {
			t.Errorf("%s does not have %s", featurePage, row)
		}
	}
}
