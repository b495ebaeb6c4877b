package ginauth_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/ginauth/ginauth"

// databasePackages are what a program that keeps nothing in a database does not link.
// Of the MongoDB driver Gin itself uses package bson.
var databasePackages = []string{
	"gorm.io/...",
	"database/sql",
	"github.com/go-sql-driver/...",
	"github.com/jackc/...",
	"github.com/lib/pq/...",
	"github.com/mattn/go-sqlite3/...",
	"github.com/glebarez/...",
	"modernc.org/...",
	"go.mongodb.org/mongo-driver/v2/mongo/...",
	"github.com/redis/...",
	"github.com/go-redis/...",
	"github.com/gomodule/redigo/...",
}

var ginOrRoot = []string{modulePath, "github.com/gin-gonic/...", "github.com/gin-contrib/..."}

// importRules say what a package may depend on, directly or by way of others.
// A name that ends in "/..." stands for the package before it and all below.
// Packages of this module are written without the module's path, the root as ".".
var importRules = []struct {
	packages string
	// ours are the packages of this module that are allowed, beside the package
	// itself.
	ours []string
	// others are those outside this module and the standard library; "..." is
	// any.
	others []string
	// never overrules the two above and holds for the standard library as well.
	never []string
}{
	{packages: "models"},
	{packages: "events"},
	{packages: "hashing", others: []string{"golang.org/x/crypto/...", "golang.org/x/sys/..."}},
	{packages: "stores", ours: []string{"models", "events"}},
	{
		packages: "stores/...",
		ours:     []string{"models", "events", "stores/...", "internal/..."},
		others:   []string{"..."},
		never:    ginOrRoot,
	},
	{
		packages: "internal/...",
		ours:     []string{"models", "events", "stores", "hashing", "internal/..."},
		others:   []string{"..."},
		never:    ginOrRoot,
	},
	{
		packages: ".",
		ours:     []string{"models", "events", "stores", "stores/memstore", "hashing", "internal/..."},
		others:   []string{"..."},
		never:    append([]string{"testing", "net/smtp"}, databasePackages...),
	},
}

func TestImports(t *testing.T) {
	packages := listPackages(t)
	for _, rule := range importRules {
		t.Run(rule.packages, func(t *testing.T) {
			ours := inModule(rule.ours)
			checked := 0
			for _, p := range packages {
				if !p.ours() || !matchesPath(inModule([]string{rule.packages}), p.path) {
					continue
				}
				checked++
				for _, d := range p.deps {
					dep := packages[d]
					switch {
					case matchesPath(rule.never, d):
						t.Errorf("%s must not depend on %s%s", p.path, d, packages.chain(p.path, d))
					case dep.standard, dep.ours() && matchesPath(ours, d), !dep.ours() && matchesPath(rule.others, d):
					default:
						t.Errorf("%s may depend on %s and not on %s%s",
							p.path, allowedImports(ours, rule.others), d, packages.chain(p.path, d))
					}
				}
			}
			if checked == 0 {
				t.Errorf("there is no package %s", rule.packages)
			}
		})
	}
}

// A listedPackage is a package with all it depends on.
type listedPackage struct {
	path     string
	standard bool
	imports  []string
	deps     []string
}

func (p listedPackage) ours() bool { return matchesPath([]string{modulePath + "/..."}, p.path) }

type packageList map[string]listedPackage

// listPackages lists the packages of this module and all they depend on, without
// their tests.
func listPackages(t *testing.T) packageList {
	t.Helper()
	command, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command")
	}
	const format = `{{.ImportPath}}|{{.Standard}}|{{join .Imports " "}}|{{join .Deps " "}}`
	list := exec.CommandContext(t.Context(), command, "list", "-deps", "-f", format, "./...")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", list, err, stderr.Bytes())
	}
	packages := packageList{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 4 {
			t.Fatalf("%s printed %q", list, line)
		}
		packages[f[0]] = listedPackage{f[0], f[1] == "true", strings.Fields(f[2]), strings.Fields(f[3])}
	}
	return packages
}

// chain returns the shortest chain of imports between two packages, in words.
func (l packageList) chain(from, to string) string {
	paths := [][]string{{from}}
	seen := map[string]bool{from: true}
	for len(paths) > 0 {
		path := paths[0]
		paths = paths[1:]
		last := path[len(path)-1]
		if last == to {
			if len(path) <= 2 {
				return ", which it imports"
			}
			return fmt.Sprintf(", which it imports by way of %s", strings.Join(path[1:len(path)-1], ", "))
		}
		for _, next := range l[last].imports {
			if !seen[next] {
				seen[next] = true
				paths = append(paths, append(slices.Clone(path), next))
			}
		}
	}
	return ""
}

// inModule returns patterns with the path of this module before them.
func inModule(patterns []string) []string {
	full := make([]string, len(patterns))
	for i, pattern := range patterns {
		full[i] = strings.TrimSuffix(modulePath+"/"+pattern, "/.")
	}
	return full
}

// matchesPath reports whether one of the patterns fits a package.
func matchesPath(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		below, tree := strings.CutSuffix(pattern, "/...")
		return pattern == "..." || path == below || tree && strings.HasPrefix(path, below+"/")
	})
}

// allowedImports names what a rule allows.
func allowedImports(ours, others []string) string {
	return strings.Join(slices.Concat([]string{"the standard library"}, ours, others), ", ")
}
