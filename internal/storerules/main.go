// Storerules prints a Markdown table of the rules of stores/storetest and the
// stores on which they hold. It reads the results from the output of the tests:
//
//	go run ./internal/storerules             runs the tests and prints the table
//	go run ./internal/storerules -update     runs the tests and writes stores/RULES.md
//	go run ./internal/storerules -check LOG  compares stores/RULES.md with the
//	                                         output of an earlier go test -v
//
// Run it in the directory of the module. CONTRIBUTING.md lists the environment
// variables with the addresses of the servers. Without all servers, the table
// cannot be made.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
)

const file = "stores/RULES.md"

func main() {
	update := flag.Bool("update", false, "write "+file)
	log := flag.String("check", "", "compare "+file+" with this `file`, the output of go test -v")
	flag.Parse()
	if err := run(*update, *log); err != nil {
		fmt.Fprintln(os.Stderr, "storerules:", err)
		os.Exit(1)
	}
}

func run(update bool, log string) error {
	rules, err := readRules("stores/storetest")
	if err != nil {
		return err
	}
	output, err := os.ReadFile(log)
	if log == "" {
		test := exec.Command("go", "test", "-short", "-v", "-count=1", "-run", "^Test(Sessions|Tokens|Limiter|Factors|Identities|ClientSessions)$",
			"./stores/memstore", "./stores/filestore", "./stores/gormstore", "./stores/redisstore", "./stores/cookiestore")
		test.Stderr = os.Stderr
		output, err = test.Output()
	}
	if err != nil {
		return err
	}
	made, err := table(rules, readResults(string(output)))
	switch {
	case err != nil:
		return err
	case update:
		return os.WriteFile(file, []byte(made), 0o644)
	case log != "":
		written, err := os.ReadFile(file)
		if err == nil && string(written) != made {
			err = errors.New(file + " is outdated: run go run ./internal/storerules -update")
		}
		return err
	}
	_, err = fmt.Print(made)
	return err
}
