package ginauth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSizes holds the sizes of files and functions that keep the code easy to read.
func TestSizes(t *testing.T) {
	const (
		rootFiles, rootLines = 22, 4000
		packageFiles         = 25
		functionLines        = 50
		medianLines          = 10
	)
	fset := token.NewFileSet()
	files := make(map[string]int)
	lines := 0
	var functions []int
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "bench" || path == "tools" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		files[filepath.Dir(path)]++
		if filepath.Dir(path) == "." {
			lines += fset.File(f.Pos()).LineCount()
		}
		for _, decl := range f.Decls {
			if function, ok := decl.(*ast.FuncDecl); ok && function.Body != nil {
				n := fset.Position(function.End()).Line - fset.Position(function.Pos()).Line + 1
				functions = append(functions, n)
				if n > functionLines {
					t.Errorf("%s: function %s has %d lines, at most %d are allowed", path, function.Name.Name, n, functionLines)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files["."] > rootFiles || lines > rootLines {
		t.Errorf("the root has %d files with %d lines, at most %d with %d are allowed", files["."], lines, rootFiles, rootLines)
	}
	for dir, n := range files {
		if n > packageFiles {
			t.Errorf("package %s has %d files, at most %d are allowed", dir, n, packageFiles)
		}
	}
	slices.Sort(functions)
	if median := functions[len(functions)/2]; median > medianLines {
		t.Errorf("the median function has %d lines, at most %d are allowed", median, medianLines)
	}
}
