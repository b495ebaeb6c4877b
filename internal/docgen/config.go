package main

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// roots are the structs that applications fill in, by package and name. The
// structs of their fields follow each of them.
var roots = []struct{ dir, name string }{
	{".", "Config"},
	{"hashing", "Argon2id"}, {"hashing", "Bcrypt"}, {"hashing", "Scrypt"},
	{"mail", "TemplateOptions"}, {"mail/smtp", "Options"}, {"mail/logmail", "Options"},
	{"breach", "Config"},
	{"stores/memstore", "Options"},
	{"routes", "Options"},
}

// configuration returns docs/configuration.md.
func configuration(root string) (string, error) {
	r := reference{root: root, packages: make(map[string]*sourcePackage), uses: make(map[string][]string)}
	r.out.WriteString("# Configuration\n\n<!-- Written by go run ./internal/docgen. Do not edit. -->\n\n")
	r.out.WriteString(wrap("", "", "Every field of `ginauth.Config` and of the structs inside it, with type, default and meaning. "+
		"The options of other packages follow. This page is made from the comments of the Go source. "+
		"`ginauth.New` fills in the defaults, checks everything and reports all faults at once."))
	for _, start := range roots {
		d, err := r.find(start.dir, start.name)
		if err == nil {
			err = r.walk(d, heading(start.dir, start.name))
		}
		if err != nil {
			return "", err
		}
	}
	for _, d := range r.order {
		if err := r.section(d); err != nil {
			return "", err
		}
	}
	return r.out.String(), nil
}

// reference is the page under construction.
type reference struct {
	root     string
	out      strings.Builder
	packages map[string]*sourcePackage // by directory
	// order are the structs in the order of their sections, and uses the fields
	// that hold them, by their headings.
	order []*declaration
	uses  map[string][]string
}

// field is one entry of a section: a field, or several that share a comment.
type field struct {
	names []string
	types []ast.Expr
	text  string
}

// fields returns the exported fields of a struct. A field without a comment
// belongs to the field above it if that one's comment names it.
func (d *declaration) fields() []field {
	body, ok := d.spec.Type.(*ast.StructType)
	if !ok {
		return nil
	}
	var all []field
	for _, f := range body.Fields.List {
		for i, name := range f.Names {
			if !name.IsExported() {
				continue
			}
			if len(all) > 0 && (i > 0 || f.Doc == nil && names(all[len(all)-1].text, name.Name)) {
				above := &all[len(all)-1]
				above.names, above.types = append(above.names, name.Name), append(above.types, f.Type)
				continue
			}
			all = append(all, field{[]string{name.Name}, []ast.Expr{f.Type}, f.Doc.Text()})
		}
	}
	return all
}

// names reports whether a comment has the word.
func names(text, word string) bool {
	return slices.ContainsFunc(strings.Fields(text), func(s string) bool { return strings.Trim(s, ",.:;") == word })
}

// settings is the package of the parts of ginauth.Config. The root names them too.
const settings = "config"

// heading returns what a type is called: without its package if the root names it.
func heading(dir, name string) string {
	switch {
	case dir == ".":
		return name
	case dir == settings && (name == "Limit" || strings.HasSuffix(name, "Config")):
		return name
	case dir == settings:
		return name + "Config"
	}
	return path.Base(dir) + "." + name
}

// walk notes a struct, and the structs of its fields after it.
func (r *reference) walk(d *declaration, at string) error {
	h := heading(d.p.dir, d.name)
	r.uses[h] = append(r.uses[h], at)
	if len(r.uses[h]) > 1 {
		return nil
	}
	r.order = append(r.order, d)
	for _, f := range d.fields() {
		for i, e := range f.types {
			inside, err := r.named(d.p, e)
			if err == nil && inside != nil && len(inside.fields()) > 0 {
				err = r.walk(inside, at+"."+f.names[i])
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// section writes a struct.
func (r *reference) section(d *declaration) error {
	h := heading(d.p.dir, d.name)
	fmt.Fprintf(&r.out, "\n## %s\n\n", h)
	if uses := r.uses[h]; uses[0] != h {
		r.out.WriteString(wrap("", "", "This is the type of `"+strings.Join(uses, "`, `")+"`.") + "\n")
	}
	r.out.WriteString(d.p.markdown(d.text, ""))
	for _, f := range d.fields() {
		if err := r.entry(d, f); err != nil {
			return err
		}
	}
	return nil
}

// entry writes a field.
func (r *reference) entry(d *declaration, f field) error {
	var links, types []string
	about := f.text
	for _, e := range f.types {
		text, err := d.p.source(e)
		if err != nil {
			return err
		}
		if !slices.Contains(types, text) {
			types = append(types, text)
		}
		inside, err := r.named(d.p, e)
		if err != nil {
			return err
		}
		if inside != nil && len(inside.fields()) > 0 {
			h := heading(inside.p.dir, inside.name)
			links = append(links, fmt.Sprintf("[%s](#%s)", h, anchor(h)))
			if f.text == "" {
				about = inside.p.docs.Synopsis(inside.text)
			}
		}
	}
	line := fmt.Sprintf("**%s** `%s`.", strings.Join(f.names, "**, **"), strings.Join(types, "`, `"))
	switch value := defaultOf(f.text); {
	case slices.Contains(types, "bool"):
		line += " Default: false."
	case value != "":
		line += " Default: " + d.p.inline(value) + "."
	}
	if len(links) > 0 {
		line += " See " + strings.Join(links, ", ") + "."
	}
	r.out.WriteString("\n" + wrap("- ", "  ", line))
	if about != "" {
		r.out.WriteString("\n" + d.p.markdown(about, "  "))
	}
	return nil
}

// The forms in which a comment names a default.
var defaultForms = []*regexp.Regexp{
	regexp.MustCompile(`(?s)(?:^|[.;] )Default:? (.*?)(?:\.(?: [A-Z0-9]|$)|; | unless )`),
	regexp.MustCompile(`(?s)(?:^|[.;] )[Tt]he\s+default\s+is\s+(.*?)(?:\.(?: [A-Z0-9]|$)|; )`),
	regexp.MustCompile(`(?s)(?:^|[.;] )(?:Zero|Nil|Empty|Zero or less)\s+means\s+(.*?)(?:\.(?: [A-Z0-9]|$)|; |, and )`),
}

// maxDefault is the longest default that stands beside a field's name, in bytes.
// A longer one is read in the comment.
const maxDefault = 80

// defaultOf returns the default that a comment names, or "".
func defaultOf(text string) string {
	joined := strings.Join(strings.Fields(text), " ")
	for _, form := range defaultForms {
		if m := form.FindStringSubmatch(joined); m != nil && len(m[1]) <= maxDefault {
			return m[1]
		}
	}
	return ""
}
