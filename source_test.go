package ginauth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// secretName matches names of values that are compared in constant time alone.
var secretName = regexp.MustCompile(`(?i)^(token|mac|sig|signature|hash|secret|digest|password|fingerprint|validator|verifier)$`)

// TestSecretsAreComparedInConstantTime looks for == and its like on values that
// are named as secrets are. Comparisons with constants tell nothing.
func TestSecretsAreComparedInConstantTime(t *testing.T) { // P14
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.HasPrefix(path, "stores/storetest") || strings.HasPrefix(path, "example") {
			return err
		}
		files++
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			for _, pair := range comparisons(n) {
				if secret(pair[0]) && !constant(pair[1]) || secret(pair[1]) && !constant(pair[0]) {
					t.Errorf("%s: compare in constant time, with crypto/subtle or crypto/hmac", fset.Position(n.Pos()))
				}
			}
			return true
		})
		return nil
	})
	if err != nil || files < 20 {
		t.Fatalf("%d files, %v", files, err)
	}
}

// comparisons returns the operands of a node that compares.
func comparisons(n ast.Node) [][2]ast.Expr {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if n.Op == token.EQL || n.Op == token.NEQ {
			return [][2]ast.Expr{{n.X, n.Y}}
		}
	case *ast.CallExpr:
		f, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || len(n.Args) != 2 {
			return nil
		}
		pkg, ok := f.X.(*ast.Ident)
		if ok && (pkg.Name == "bytes" || pkg.Name == "strings" || pkg.Name == "slices") && (f.Sel.Name == "Equal" || f.Sel.Name == "Compare" || f.Sel.Name == "EqualFold") {
			return [][2]ast.Expr{{n.Args[0], n.Args[1]}}
		}
	}
	return nil
}

// secret reports whether an expression ends in a name of a secret.
func secret(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return secretName.MatchString(e.Name)
	case *ast.SelectorExpr:
		return secretName.MatchString(e.Sel.Name)
	case *ast.SliceExpr:
		return secret(e.X)
	case *ast.StarExpr:
		return secret(e.X)
	case *ast.CallExpr:
		return len(e.Args) == 1 && secret(e.Args[0]) && !isLen(e.Fun)
	}
	return false
}

func isLen(f ast.Expr) bool {
	name, ok := f.(*ast.Ident)
	return ok && name.Name == "len"
}

func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.Ident:
		return e.Name == "nil" || e.Name == "true" || e.Name == "false"
	}
	return false
}
