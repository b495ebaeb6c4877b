// Docgen writes the pages of docs/ that are made from other files:
//
//	go run ./internal/docgen
//
// docs/configuration.md lists every field of the configuration, from the Go
// source. docs/README.md lists the pages, from their first lines. The command is
// run in the module's directory. A test fails while a page is not current.
//
// The tests of this package check the other pages: the Go code in them compiles,
// their links lead somewhere, and their lines are short.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

// generated are the pages, by their paths below the module's directory.
var generated = map[string]func(root string) (string, error){
	"docs/README.md":        index,
	"docs/configuration.md": configuration,
}

// run writes the generated pages. The configuration comes first, because the
// index reads it.
func run(root string) error {
	for _, page := range []string{"docs/configuration.md", "docs/README.md"} {
		text, err := generated[page](root)
		if err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
		if err := os.WriteFile(filepath.Join(root, page), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
