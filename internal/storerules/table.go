package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// columns are the stores of the table, each with its package and the engine in
// the names of its subtests.
var columns = []struct{ title, store string }{
	{"memory", "memstore"},
	{"files", "filestore"},
	{"SQLite", "gormstore/sqlite"},
	{"SQLite without cgo", "gormstore/sqlite-go"},
	{"PostgreSQL", "gormstore/postgres"},
	{"MySQL", "gormstore/mysql"},
	{"Redis", "redisstore/single"},
	{"Redis Cluster", "redisstore/cluster"},
	{"Redis Sentinel", "redisstore/sentinel"},
	{"cookies", "cookiestore"},
}

// titles are the tests and names of the contracts, in the order of the tables.
var titles = []struct{ test, title string }{
	{"TestSessions", "Sessions"}, {"TestTokens", "Tokens"}, {"TestLimiter", "Limiter"}, {"TestFactors", "Factors"},
	{"TestIdentities", "Identities"}, {"TestClientSessions", "ClientSessions"},
}

var (
	resultLine  = regexp.MustCompile(`^ *--- (PASS|SKIP|FAIL): (Test[^ ]+) \(`)
	packageLine = regexp.MustCompile(`^(?:ok|FAIL)\s+(\S+)`)
)

// result holds the results of one store, PASS, SKIP or FAIL, by test and rule.
type result map[string]string

// readResults reads the output of go test -v and returns the results by store.
func readResults(output string) map[string]result {
	results := map[string]result{}
	pending := map[string]string{} // results of the package that the next package line names
	for line := range strings.Lines(output) {
		if m := resultLine.FindStringSubmatch(line); m != nil {
			pending[m[2]] = m[1]
		} else if m := packageLine.FindStringSubmatch(line); m != nil {
			for name, what := range pending {
				record(results, path.Base(m[1]), name, what)
			}
			clear(pending)
		}
	}
	return results
}

// record stores the result of a test with the name Test/rule or
// Test/engine/rule.
func record(results map[string]result, store, name, what string) {
	parts := strings.Split(name, "/")
	if len(parts) == 3 {
		store, parts = store+"/"+parts[1], []string{parts[0], parts[2]}
	}
	if len(parts) != 2 {
		return
	}
	if results[store] == nil {
		results[store] = result{}
	}
	results[store][parts[0]+"/"+parts[1]] = what
}

// table returns the table. It returns an error if a rule failed, or was not
// tested on a store that has the contract.
func table(rules []rule, results map[string]result) (string, error) {
	var b strings.Builder
	b.WriteString(`# Rules of stores

Which rule of [storetest](storetest) holds on which store. A dash means that the rule is about an optional capability that the
store does not have, or that the store does not implement the contract. ` + "`go run ./internal/storerules -update`" + ` writes this file
from the results of the tests, and ` + "`.ci/run`" + ` checks that it is current.
`)
	for _, contract := range titles {
		fmt.Fprintf(&b, "\n## %s\n\n| rule |", contract.title)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", c.title)
		}
		b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(columns)) + "\n")
		for _, r := range rules {
			if r.test != contract.test {
				continue
			}
			fmt.Fprintf(&b, "| `%s` %s |", r.name, strings.ReplaceAll(r.says, "|", `\|`))
			for _, c := range columns {
				mark, err := cell(r, c.store, results[c.store])
				if err != nil {
					return "", err
				}
				fmt.Fprintf(&b, " %s |", mark)
			}
			b.WriteString("\n")
		}
	}
	b.WriteString(durability)
	return b.String(), nil
}

// durability describes properties that the suite cannot test.
const durability = `
## What Redis keeps

The rules hold while the server runs. Which acknowledged writes survive a crash depends on the settings of Redis. The stores'
` + "`Check`" + ` reads these settings, and ` + "`Manager.Preflight`" + ` reports unsafe ones:

| setting | the process is killed | the power fails |
| --- | --- | --- |
| ` + "`appendonly yes`, `appendfsync always`" + ` | all | all |
| ` + "`appendonly yes`, `appendfsync everysec`" + ` | all, or all but 2 s while a flush is slow | all but 2 s |
| ` + "`appendonly yes`, `appendfsync no`" + ` | all | all but half a minute |
| ` + "`appendonly no`" + ` | the last snapshot, or nothing | the last snapshot, or nothing |
`

// cell returns the mark of a rule on a store.
func cell(r rule, store string, results result) (string, error) {
	switch what := results[r.test+"/"+r.name]; {
	case what == "PASS":
		return "yes", nil
	case what == "SKIP":
		return "–", nil
	case what == "FAIL":
		return "", fmt.Errorf("%s breaks rule %s of %s", store, r.name, r.test)
	case len(results) == 0:
		return "", fmt.Errorf("no test ran on %s", store)
	case slices.ContainsFunc(keys(results), func(name string) bool { return strings.HasPrefix(name, r.test+"/") }):
		return "", fmt.Errorf("rule %s of %s was not tested on %s", r.name, r.test, store)
	}
	return "–", nil // the store does not implement the contract
}

func keys(r result) (names []string) {
	for name := range r {
		names = append(names, name)
	}
	return names
}
