package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
)

// rule is one rule of a contract, in one sentence.
type rule struct{ test, name, says string }

// tests are the names of the tests that run the suite, by the type that the
// rules of a contract have in it.
var tests = map[string]string{"sessions": "TestSessions", "tokens": "TestTokens", "limiter": "TestLimiter", "factors": "TestFactors", "identities": "TestIdentities",
	"clientSessions": "TestClientSessions"}

// readRules reads the rules from the source of the suite. It keeps their order.
func readRules(dir string) ([]rule, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var rules []rule
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return nil, err
		}
		for _, decl := range f.Decls {
			if list, ok := decl.(*ast.GenDecl); ok {
				rules = append(rules, declared(list)...)
			}
		}
	}
	if len(rules) == 0 {
		return nil, fmt.Errorf("no rules in %s", dir)
	}
	slices.SortStableFunc(rules, func(a, b rule) int { return cmp.Compare(a.test, b.test) })
	return rules, nil
}

// declared returns the rules in variables of type []rule[…].
func declared(d *ast.GenDecl) (rules []rule) {
	for _, spec := range d.Specs {
		value, ok := spec.(*ast.ValueSpec)
		if !ok || len(value.Values) != 1 {
			continue
		}
		list, ok := value.Values[0].(*ast.CompositeLit)
		if !ok {
			continue
		}
		test := tests[contract(list.Type)]
		for _, element := range list.Elts {
			fields, ok := element.(*ast.CompositeLit)
			if test == "" || !ok || len(fields.Elts) != 3 {
				continue
			}
			name, says := text(fields.Elts[0]), text(fields.Elts[1])
			if name != "options" { // it only lists missing capabilities
				rules = append(rules, rule{test, name, says})
			}
		}
	}
	return rules
}

// contract returns x for the type []rule[x], or "".
func contract(e ast.Expr) string {
	array, ok := e.(*ast.ArrayType)
	if !ok {
		return ""
	}
	generic, ok := array.Elt.(*ast.IndexExpr)
	if !ok {
		return ""
	}
	if name, ok := generic.X.(*ast.Ident); !ok || name.Name != "rule" {
		return ""
	}
	argument, _ := generic.Index.(*ast.Ident)
	if argument == nil {
		return ""
	}
	return argument.Name
}

// text returns the value of a string literal, or "".
func text(e ast.Expr) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	value, _ := strconv.Unquote(literal.Value)
	return value
}
