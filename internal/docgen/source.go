package main

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

const modulePath = "github.com/ginauth/ginauth"

// sourcePackage is a package with its documentation.
type sourcePackage struct {
	dir   string
	docs  *doc.Package
	fset  *token.FileSet
	files map[string]*ast.File // by name
}

// load parses the package in a directory of the module.
func (r *reference) load(dir string) (*sourcePackage, error) {
	if p := r.packages[dir]; p != nil {
		return p, nil
	}
	p := &sourcePackage{dir: dir, fset: token.NewFileSet(), files: make(map[string]*ast.File)}
	names, err := filepath.Glob(filepath.Join(r.root, dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(p.fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		p.files[name] = file
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("package %s: %w", dir, fs.ErrNotExist)
	}
	if p.docs, err = doc.NewFromFiles(p.fset, files, path.Join(modulePath, dir)); err != nil {
		return nil, err
	}
	r.packages[dir] = p
	return p, nil
}

// declaration is a type of the module.
type declaration struct {
	p    *sourcePackage
	name string
	text string // its documentation
	spec *ast.TypeSpec
}

// find returns a type of a package. An alias is followed to the type that it
// stands for. The documentation is that of the first name that has one.
func (r *reference) find(dir, name string) (*declaration, error) {
	p, err := r.load(dir)
	if err != nil {
		return nil, err
	}
	for _, t := range p.docs.Types {
		if t.Name != name {
			continue
		}
		d := &declaration{p, name, t.Doc, t.Decl.Specs[0].(*ast.TypeSpec)}
		if !d.spec.Assign.IsValid() {
			return d, nil
		}
		target, err := r.named(p, d.spec.Type)
		if err != nil || target == nil {
			return d, err
		}
		if d.text == "" || target.p.dir == settings {
			d.name, d.text = target.name, target.text
		}
		d.p, d.spec = target.p, target.spec
		return d, nil
	}
	return nil, fmt.Errorf("package %s has no type %s", dir, name)
}

// named returns the type of this module that an expression names, or nil: for
// the elements of maps and lists too.
func (r *reference) named(p *sourcePackage, e ast.Expr) (*declaration, error) {
	switch e := e.(type) {
	case *ast.MapType:
		return r.named(p, e.Value)
	case *ast.ArrayType:
		return r.named(p, e.Elt)
	case *ast.StarExpr:
		return r.named(p, e.X)
	case *ast.Ident:
		if !e.IsExported() {
			return nil, nil
		}
		return r.find(p.dir, e.Name)
	case *ast.SelectorExpr:
		dir, ok := p.importOf(e)
		if !ok {
			return nil, nil
		}
		return r.find(dir, e.Sel.Name)
	}
	return nil, nil
}

// importOf returns the directory of the package of this module that a name like
// mail.Mailer is of.
func (p *sourcePackage) importOf(e *ast.SelectorExpr) (dir string, ok bool) {
	file := p.files[p.fset.Position(e.Pos()).Filename]
	if file == nil {
		return "", false
	}
	for _, spec := range file.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return "", false
		}
		local := path.Base(importPath)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if name, ok := e.X.(*ast.Ident); !ok || local != name.Name {
			continue
		}
		return strings.CutPrefix(importPath, modulePath+"/")
	}
	return "", false
}

// source returns a type as it is written in Go outside its package, on one line.
func (p *sourcePackage) source(e ast.Expr) (string, error) {
	var b strings.Builder
	if err := format.Node(&b, token.NewFileSet(), e); err != nil {
		return "", err
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	if p.dir == "." {
		return text, nil
	}
	return ownName.ReplaceAllStringFunc(text, func(found string) string {
		m := ownName.FindStringSubmatch(found)
		return m[1] + heading(p.dir, m[2])
	}), nil
}

// ownName matches an exported name that no package stands before.
var ownName = regexp.MustCompile(`(^|[^.\w])([A-Z]\w*)`)

// inline returns a text of a comment as Markdown, on one line.
func (p *sourcePackage) inline(text string) string {
	return strings.TrimSpace(string(p.printer().Markdown(p.docs.Parser().Parse(text))))
}

// markdown returns a comment as Markdown, each line after an indentation.
func (p *sourcePackage) markdown(text, indent string) string {
	var blocks []string
	for _, block := range p.docs.Parser().Parse(text).Content {
		made := string(p.printer().Markdown(&comment.Doc{Content: []comment.Block{block}}))
		if _, paragraph := block.(*comment.Paragraph); paragraph {
			made = autoLink.ReplaceAllString(made, "`$1`")
			made = dollars.ReplaceAllString(made, "`$0`") // two of them are a formula to GitHub
			blocks = append(blocks, wrap(indent, indent, made))
			continue
		}
		var b strings.Builder
		for l := range strings.Lines(made) {
			b.WriteString(strings.TrimRight(indent+strings.ReplaceAll(l, "\t", "    "), " \n") + "\n")
		}
		blocks = append(blocks, b.String())
	}
	return strings.Join(blocks, "\n")
}

var (
	autoLink = regexp.MustCompile(`\[(https?://[^\]]*)\]\(https?://[^)]*\)`)
	dollars  = regexp.MustCompile(`\$\w+\$`)
)

// printer prints comments with links to pkg.go.dev.
func (p *sourcePackage) printer() *comment.Printer {
	printer := p.docs.Printer()
	printer.DocLinkURL = func(link *comment.DocLink) string {
		if link.ImportPath == "" {
			local := *link
			local.ImportPath = p.docs.ImportPath
			link = &local
		}
		return link.DefaultURL("https://pkg.go.dev")
	}
	return printer
}
