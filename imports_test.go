package ginauth_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
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

// featurePackages are what features need and applications without them do not link.
var featurePackages = []string{"github.com/go-webauthn/...", "github.com/fxamacker/cbor/...", "github.com/google/go-tpm/..."}

var ginOrRoot = []string{modulePath, "github.com/gin-gonic/...", "github.com/gin-contrib/..."}

// importRules say what a package may depend on, directly or by way of others.
// A name that ends in "/..." stands for the package before it and all below.
// Packages of this module are written without the module's path, the root as ".".
var importRules = []struct {
	packages string
	// except are those that the rule is not about.
	except []string
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
	{packages: "autherr"},
	{packages: "factor", ours: []string{"autherr", "models", "token"}},
	{packages: "token"},
	{packages: "gate", ours: []string{"models", "autherr"}},
	{packages: "breach", others: []string{"C"}}, // of package net
	{packages: "hashing", others: []string{"golang.org/x/crypto/...", "golang.org/x/sys/..."}},
	{packages: "mail"},
	{
		packages: "mail/...",
		ours:     []string{"mail", "mail/...", "internal/privatedir", "internal/canon"},
		others: []string{
			"github.com/wneessen/go-mail/...", "golang.org/x/crypto/...", "golang.org/x/net/idna", "golang.org/x/sys/...", "golang.org/x/text/...",
		},
		never: ginOrRoot,
	},
	{
		packages: "jwt", ours: []string{"autherr", "events", "factor", "models", "stores", "token", "internal/..."},
		others: []string{"..."},
		never:  append([]string{"testing"}, append(databasePackages, ginOrRoot...)...),
	},
	{
		packages: "config", ours: []string{"autherr", "events", "factor", "jwt", "mail", "models", "stores", "token", "internal/..."},
		others: []string{"..."},
		never:  append([]string{"testing"}, append(databasePackages, ginOrRoot...)...),
	},
	{packages: "internal/docgen"},
	{packages: "stores", ours: []string{"models", "events"}},
	{
		packages: "stores/...",
		ours:     []string{"autherr", "models", "events", "stores/...", "internal/..."},
		others:   []string{"..."},
		never:    ginOrRoot,
	},
	{packages: "stores/cookiestore", ours: []string{"autherr", "models", "events", "stores", "stores/internal/records"}},
	{
		packages: "internal/...",
		except:   []string{"internal/testapp", "internal/testbackends", "internal/gincontrib", "internal/gintree", "internal/ginwriter"},
		ours:     []string{"autherr", "config", "factor", "gate", "models", "events", "stores", "stores/memstore", "hashing", "jwt", "mail", "token", "internal/..."},
		others:   []string{"..."},
		never:    ginOrRoot,
	},
	{
		packages: "internal/testbackends", // for tests, of all stores
		ours:     []string{"autherr", "models", "events", "stores/...", "internal/..."},
		others:   []string{"..."},
		never:    ginOrRoot,
	},
	{
		packages: "internal/testapp", // for tests, of whole applications
		ours:     []string{".", "ginauthtest", "autherr", "config", "factor", "gate", "models", "events", "stores/...", "hashing", "jwt", "mail", "token", "internal/..."},
		others:   []string{"..."},
	},
	{
		packages: ".",
		ours:     []string{"autherr", "config", "factor", "gate", "models", "events", "stores", "stores/memstore", "hashing", "jwt", "mail", "token", "internal/..."},
		others:   []string{"..."},
		never:    slices.Concat([]string{"testing", "net/smtp", "github.com/wneessen/go-mail/..."}, databasePackages, featurePackages),
	},
	{
		packages: "routes",
		ours:     []string{".", "autherr", "config", "factor", "gate", "models", "events", "stores", "stores/memstore", "hashing", "jwt", "mail", "token", "internal/..."},
		others:   []string{"..."},
		never:    slices.Concat([]string{"testing", "net/smtp", "github.com/wneessen/go-mail/..."}, databasePackages, featurePackages),
	},
	{
		packages: "pages",
		ours:     []string{".", "routes", "autherr", "config", "factor", "gate", "models", "events", "stores", "stores/memstore", "hashing", "jwt", "mail", "token", "internal/..."},
		others:   []string{"..."},
		never:    slices.Concat([]string{"testing", "net/smtp", "github.com/wneessen/go-mail/..."}, databasePackages, featurePackages),
	},
	{
		packages: "ginauthtest",
		ours:     []string{".", "autherr", "config", "factor", "gate", "models", "events", "stores", "stores/memstore", "hashing", "jwt", "mail", "token", "internal/..."},
		others:   []string{"..."},
		never:    append([]string{"net/smtp"}, databasePackages...),
	},
}

// readLayers returns the layer of each engine, as docs/architecture.md says.
func readLayers(t *testing.T) map[string]int {
	t.Helper()
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	layer := make(map[string]int)
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| (.+) \|$`).FindAllStringSubmatch(string(page), -1) {
		n, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		for name := range strings.SplitSeq(row[2], ", ") {
			layer[modulePath+"/internal/"+name] = n
		}
	}
	if len(layer) == 0 {
		t.Fatal("docs/architecture.md has no table of layers")
	}
	return layer
}

// TestEnginesImportLowerLayersOnly compares the imports of the engines with the table of layers.
func TestEnginesImportLowerLayersOnly(t *testing.T) {
	layer := readLayers(t)
	packages := listPackages(t)
	for path, own := range layer {
		if _, ok := packages[path]; !ok {
			t.Errorf("there is no package %s", path)
		}
		for _, imported := range packages[path].imports {
			if other, engine := layer[imported]; engine && other >= own {
				t.Errorf("%s imports %s, which is not of a lower layer", path, imported)
			}
		}
	}
}

func TestImports(t *testing.T) {
	packages := listPackages(t)
	for _, rule := range importRules {
		t.Run(rule.packages, func(t *testing.T) {
			ours := inModule(rule.ours)
			broken := func(path string) string {
				switch p := packages[path]; {
				case matchesPath(rule.never, path):
					return "must not depend on " + path
				case p.standard, p.ours() && matchesPath(ours, path), !p.ours() && matchesPath(rule.others, path):
					return ""
				}
				return fmt.Sprintf("may depend on %s, not on %s", allowedImports(ours, rule.others), path)
			}
			checked := 0
			for path, p := range packages {
				if p.ours() && matchesPath(inModule([]string{rule.packages}), path) && !matchesPath(inModule(rule.except), path) {
					checked++
					packages.walk(path, func(dependency string, by []string) bool {
						says := broken(dependency)
						if says != "" {
							t.Errorf("%s %s, which it imports%s", path, says, byWayOf(by))
						}
						return says == ""
					})
				}
			}
			if checked == 0 {
				t.Errorf("there is no package %s", rule.packages)
			}
		})
	}
}

// featureImports are the packages of this module that a feature may import: the public API, the
// leaves, and what is built on them for every application.
var featureImports = []string{".", "autherr", "breach", "events", "factor", "gate", "hashing", "jwt", "mail", "models", "pages", "routes", "stores", "token"}

// TestFeaturesImportPublicAPI checks what features import directly: those below features/, of which
// there may be none, and the example of one.
func TestFeaturesImportPublicAPI(t *testing.T) {
	packages := listPackages(t)
	const example, tree = modulePath + "/docs/officehours", modulePath + "/features/"
	if _, ok := packages[example]; !ok {
		t.Errorf("there is no package %s", example)
	}
	for path, p := range packages {
		own := path
		if below, ok := strings.CutPrefix(path, tree); ok {
			name, _, _ := strings.Cut(below, "/")
			own = tree + name
		} else if path != example {
			continue
		}
		allowed := append(inModule(featureImports), own+"/...")
		for _, imported := range p.imports {
			if packages[imported].ours() && !matchesPath(allowed, imported) {
				t.Errorf("%s imports %s: a feature may import %s", path, imported, strings.Join(allowed, ", "))
			}
		}
	}
}

// TestSignInIsOptional checks that only programs with features/social link what it needs.
func TestSignInIsOptional(t *testing.T) {
	never := []string{"golang.org/x/oauth2/...", "github.com/coreos/go-oidc/...", "github.com/go-jose/..."}
	needed := false
	for path, p := range listPackages(t) {
		social := matchesPath(inModule([]string{"features/social/...", "example"}), path)
		for _, imported := range p.imports {
			needed = needed || social && matchesPath(never, imported)
			if p.ours() && !social && (matchesPath(never, imported) || matchesPath(inModule([]string{"features/social/..."}), imported)) {
				t.Errorf("%s imports %s", path, imported)
			}
		}
	}
	if !needed {
		t.Error("features/social needs none of these")
	}
}

// testPackages are imported by tests and by each other.
var testPackages = inModule([]string{"internal/testapp", "internal/testbackends", "internal/testservers", "internal/testsize"})

func TestTestPackagesAreForTestsAlone(t *testing.T) {
	for path, p := range listPackages(t) {
		for _, imported := range p.imports {
			if matchesPath(testPackages, imported) && !matchesPath(testPackages, path) {
				t.Errorf("%s imports %s, which is for tests alone", path, imported)
			}
		}
	}
}

type listedPackage struct {
	path     string
	standard bool
	imports  []string
}

func (p listedPackage) ours() bool { return matchesPath([]string{modulePath + "/..."}, p.path) }

// A packageList holds packages by path, and all they depend on.
type packageList map[string]listedPackage

// listPackages lists the packages of this module and all they depend on, without
// their tests.
func listPackages(t *testing.T) packageList {
	t.Helper()
	command, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command")
	}
	const format = `{{.ImportPath}}|{{.Standard}}|{{range .Imports}}{{or (index $.ImportMap .) .}} {{end}}`
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
		if len(f) != 3 {
			t.Fatalf("%s printed %q", list, line)
		}
		p := listedPackage{f[0], f[1] == "true", strings.Fields(f[2])}
		if p.standard {
			// How package net and others reach the system's libraries.
			p.imports = slices.DeleteFunc(p.imports, func(path string) bool { return path == "C" })
		}
		packages[p.path] = p
	}
	return packages
}

// walk calls visit once for each package that one depends on, nearest first, with
// the packages between the two. Where visit returns false it goes no further.
func (l packageList) walk(from string, visit func(path string, by []string) bool) {
	type place struct {
		path string
		by   []string
	}
	seen := map[string]bool{from: true}
	for queue := []place{{path: from}}; len(queue) > 0; queue = queue[1:] {
		here := queue[0]
		by := here.by
		if here.path != from {
			by = append(slices.Clone(by), here.path)
		}
		for _, next := range l[here.path].imports {
			if !seen[next] {
				seen[next] = true
				if visit(next, by) {
					queue = append(queue, place{next, by})
				}
			}
		}
	}
}

// byWayOf names the packages of a chain of imports.
func byWayOf(by []string) string {
	if len(by) == 0 {
		return ""
	}
	return " by way of " + strings.Join(by, ", ")
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
	names := slices.Concat([]string{"the standard library"}, ours, others)
	for i, name := range names {
		if name == "..." {
			names[i] = "other modules"
		}
	}
	return strings.Join(names, ", ")
}
