package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// columns are the stores of the table: the package, and the engine as its tests call it.
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

// titles are the names of the contracts, in the order of the table.
var titles = []struct{ test, title string }{
	{"TestSessions", "Sessions"}, {"TestTokens", "Tokens"}, {"TestLimiter", "Limiter"}, {"TestClientSessions", "ClientSessions"},
}

var (
	resultLine  = regexp.MustCompile(`^ *--- (PASS|SKIP|FAIL): (Test[^ ]+) \(`)
	packageLine = regexp.MustCompile(`^(?:ok|FAIL)\s+(\S+)`)
)

// A result holds the results of the rules of one store: PASS, SKIP or FAIL by test and
// rule.
type result map[string]string

// readResults reads the output of go test -v, by store.
func readResults(output string) map[string]result {
	results := map[string]result{}
	pending := map[string]string{} // the results of the package whose name comes next
	for line := range strings.Lines(output) {
		if m := resultLine.FindStringSubmatch(line); m != nil {
			pending[m[2]] = m[1]
		} else if m := packageLine.FindStringSubmatch(line); m != nil {
			for name, what := range pending {
				note(results, path.Base(m[1]), name, what)
			}
			clear(pending)
		}
	}
	return results
}

// note notes the result of a test that is called Test/rule or Test/engine/rule.
func note(results map[string]result, store, name, what string) {
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

// table returns the table, or an error if a rule did not hold, or was not tested
// on a store that has the contract.
func table(rules []rule, results map[string]result) (string, error) {
	var b strings.Builder
	b.WriteString(`# Rules of stores

The table shows which rule of [storetest](storetest) holds on which store. A dash means that the rule is about an optional
capability that the store does not have, or that the store does not implement the contract. ` + "`go run ./internal/storerules -update`" + `
writes this file from the results of the tests, and ` + "`.ci/run`" + ` checks that it is current.
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

// durability is about what a suite of rules cannot find out.
const durability = `
## What Redis keeps

The rules hold while the server is up. What a server keeps of acknowledged changes when it goes down depends on its settings.
` + "`Check`" + ` of the stores reads them, and ` + "`Manager.Preflight`" + ` reports them:

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
		return "", fmt.Errorf("%s does not hold rule %s of %s", store, r.name, r.test)
	case len(results) == 0:
		return "", fmt.Errorf("no test ran on %s", store)
	case slices.ContainsFunc(keys(results), func(name string) bool { return strings.HasPrefix(name, r.test+"/") }):
		return "", fmt.Errorf("rule %s of %s was not tested on %s", r.name, r.test, store)
	}
	return "–", nil // the store has no such contract
}

func keys(r result) (names []string) {
	for name := range r {
		names = append(names, name)
	}
	return names
}
