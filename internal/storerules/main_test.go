package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestRulesAreListed compares the rules in stores/RULES.md with the rules in
// stores/storetest. .ci/run compares the results of the tests.
func TestRulesAreListed(t *testing.T) {
	rules, err := readRules("../../stores/storetest")
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, contract := range titles {
		for _, r := range rules {
			if r.test == contract.test {
				want = append(want, "`"+r.name+"` "+strings.ReplaceAll(r.says, "|", `\|`))
			}
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| (`.*?) \\| (?:yes|–) \\|").FindAllStringSubmatch(string(written), -1) {
		got = append(got, m[1])
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s has %d rules and differs from the suite, which has %d: run go run ./internal/storerules -update", file, len(got), len(want))
	}
	if len(want) < 60 {
		t.Errorf("only %d rules were found", len(want))
	}
}

// output is the output of go test -v for a suite of two rules.
const output = `=== RUN   TestSessions
--- PASS: TestSessions (0.10s)
    --- PASS: TestSessions/one (0.05s)
    --- SKIP: TestSessions/two (0.05s)
PASS
ok  	example.com/stores/memstore	0.1s
--- PASS: TestSessions (0.10s)
    --- PASS: TestSessions/sqlite (0.10s)
        --- PASS: TestSessions/sqlite/one (0.05s)
        --- PASS: TestSessions/sqlite/two (0.05s)
    --- PASS: TestSessions/postgres (0.10s)
        --- PASS: TestSessions/postgres/one (0.05s)
        --- FAIL: TestSessions/postgres/two (0.05s)
FAIL
FAIL	example.com/stores/gormstore	0.1s
`

func TestCells(t *testing.T) {
	results := readResults(output)
	for _, row := range []struct {
		store string
		rule  rule
		mark  string // "" if an error is expected
	}{
		{"memstore", rule{"TestSessions", "one", ""}, "yes"},
		{"memstore", rule{"TestSessions", "two", ""}, "–"},
		{"memstore", rule{"TestSessions", "three", ""}, ""},
		{"memstore", rule{"TestTokens", "one", ""}, "–"},
		{"gormstore/sqlite", rule{"TestSessions", "two", ""}, "yes"},
		{"gormstore/postgres", rule{"TestSessions", "two", ""}, ""},
		{"redisstore/single", rule{"TestSessions", "one", ""}, ""},
	} {
		mark, err := cell(row.rule, row.store, results[row.store])
		if mark != row.mark || (err == nil) != (row.mark != "") {
			t.Errorf("%s, %s: %q, error %v; want %q", row.store, row.rule.name, mark, err, row.mark)
		}
	}
}
