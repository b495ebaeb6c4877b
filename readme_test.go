package ginauth_test

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
	"slices"
	"strings"
	"testing"
)

// readmeImports are what a snippet may use without importing it.
var readmeImports = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "log": "log", "os": "os",
	"rand": "crypto/rand", "slog": "log/slog", "time": "time", "testing": "testing", "httptest": "net/http/httptest",
	"gin": "github.com/gin-gonic/gin", "gorm": "gorm.io/gorm", "sessions": "github.com/gin-contrib/sessions",
	"ginauth": "github.com/ginauth/ginauth", "breach": "github.com/ginauth/ginauth/breach",
	"events": "github.com/ginauth/ginauth/events", "hashing": "github.com/ginauth/ginauth/hashing",
	"models": "github.com/ginauth/ginauth/models", "gormstore": "github.com/ginauth/ginauth/stores/gormstore",
	"cookiestore": "github.com/ginauth/ginauth/stores/cookiestore",
	"redisstore":  "github.com/ginauth/ginauth/stores/redisstore", "redis": "github.com/redis/go-redis/v9",
	"ginauthtest": "github.com/ginauth/ginauth/ginauthtest", "mail": "github.com/ginauth/ginauth/mail",
}

// readmeNames are what a snippet may use without declaring it.
var readmeNames = map[string]string{
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

// TestReadme compiles every piece of Go in README.md, in a module of its own
// that requires this one, as a reader's does.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	readmeModule(t, root, dir)
	blocks := readmeBlocks(t)
	for _, b := range blocks {
		source, err := readmeSource(b.text)
		if err != nil {
			t.Errorf("README.md:%d: %v", b.line, err)
			continue
		}
		// A directory named after the line leads from an error to the README.
		snippet := filepath.Join(dir, fmt.Sprintf("line%d", b.line))
		if err := os.Mkdir(snippet, 0o755); err != nil {
			t.Fatal(err)
		}
		readmeWrite(t, filepath.Join(snippet, "main.go"), source)
	}
	vet := exec.CommandContext(t.Context(), "go", "vet", "./...")
	vet.Dir = dir
	vet.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GO111MODULE=on")
	if output, err := vet.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, output)
	}
}

// readmeModule makes a module with the same requirements as this one.
func readmeModule(t *testing.T, root, dir string) {
	t.Helper()
	const module = "module github.com/ginauth/ginauth\n"
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(mod)
	if !strings.Contains(text, module) {
		t.Fatalf("go.mod has no line %q", module)
	}
	text = strings.Replace(text, module, "module readme\n", 1) +
		"\nrequire github.com/ginauth/ginauth v0.0.0\n" +
		fmt.Sprintf("replace github.com/ginauth/ginauth => %q\n", root)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	readmeWrite(t, filepath.Join(dir, "go.mod"), []byte(text))
	readmeWrite(t, filepath.Join(dir, "go.sum"), sum)
}

func readmeWrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

type readmeBlock struct {
	line int
	text string
}

// readmeBlocks returns the blocks marked as Go.
func readmeBlocks(t *testing.T) []readmeBlock {
	t.Helper()
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []readmeBlock
	inside := false
	for i, line := range strings.Split(string(data), "\n") {
		switch {
		case inside && line == "```":
			inside = false
		case inside:
			blocks[len(blocks)-1].text += line + "\n"
		case line == "```go":
			inside = true
			blocks = append(blocks, readmeBlock{line: i + 2})
		}
	}
	if len(blocks) == 0 {
		t.Fatal("README.md has no Go")
	}
	return blocks
}

// readmeSource makes a file of a block: a program as it is, declarations with
// what they use, statements in a function.
func readmeSource(block string) ([]byte, error) {
	formatted, err := format.Source([]byte(block))
	if err != nil {
		return nil, err
	}
	if string(formatted) != block {
		return nil, fmt.Errorf("is not formatted by gofmt; want:\n%s", formatted)
	}
	if strings.HasPrefix(block, "package main\n") || strings.Contains(block, "\npackage main\n") {
		return []byte(block), nil
	}
	source := readmePackage + block
	if _, err := parser.ParseFile(token.NewFileSet(), "", source, 0); err != nil {
		file, err := parser.ParseFile(token.NewFileSet(), "", readmeFunction(block, nil), 0)
		if err != nil {
			return nil, err
		}
		source = readmeFunction(block, readmeDefined(file.Decls[0].(*ast.FuncDecl).Body))
	}
	source, err = readmeComplete(source)
	return []byte(source), err
}

// readmePackage begins the file of a snippet.
const readmePackage = "package snippet\n"

// readmeFunction puts statements into a function. What they define may be there
// to be shown only.
func readmeFunction(block string, defined []string) string {
	source := readmePackage + "func _() {\n" + block
	for _, name := range defined {
		source += "_ = " + name + "\n"
	}
	return source + "}\n"
}

// readmeDefined returns the names that statements define, without those in
// inner blocks.
func readmeDefined(body *ast.BlockStmt) []string {
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

// readmeUsed returns the names in a file that can stand for something outside
// it, and those that it declares itself.
func readmeUsed(file *ast.File) (used, declared map[string]bool) {
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

// readmeComplete adds to a source what it uses and does not declare. What is
// added may itself use more.
func readmeComplete(source string) (string, error) {
	for {
		file, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
		if err != nil {
			return "", err
		}
		used, declared := readmeUsed(file)
		before := source
		for name, declaration := range readmeNames {
			if used[name] && !declared[name] {
				source += declaration + "\n"
			}
		}
		for name, importPath := range readmeImports {
			if used[name] && !declared[name] {
				// Imports come before everything else.
				source = strings.Replace(source, readmePackage, readmePackage+fmt.Sprintf("import %s %q\n", name, importPath), 1)
			}
		}
		if source == before {
			return source, nil
		}
	}
}

// TestBackendExample checks that the program in README.md is the one in the
// repository, and short.
func TestBackendExample(t *testing.T) {
	program, err := os.ReadFile("example/backend/main.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```go\n"+string(program)+"```\n") {
		t.Error("README.md does not show example/backend/main.go")
	}
	if n := strings.Count(string(program), "\n"); n >= 60 {
		t.Errorf("%d lines", n)
	}
}
