package browsertest

import (
	"os"
	"sync"

	"github.com/chromedp/chromedp"
)

// axeSource returns axe-core, or "" if it is not there.
var axeSource = sync.OnceValues(func() (string, error) {
	path := os.Getenv("GINAUTH_TEST_AXE")
	if path == "" {
		return "", nil
	}
	data, err := os.ReadFile(path)
	return string(data), err
})

// violation is what axe-core finds.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// axe fails the test if axe-core finds a violation in the page.
func (b *browser) axe(page string) {
	b.t.Helper()
	if !b.script {
		return // axe-core is a script; the page is the same as with scripts
	}
	source, err := axeSource()
	if err != nil {
		b.t.Fatal(err)
	}
	if source == "" {
		b.t.Log("axe-core did not look at the page: set GINAUTH_TEST_AXE to its axe.min.js")
		return
	}
	eval[int](b, source+"\n;0")
	for _, violation := range eval[[]violation](b, `axe.run({rules: {"target-size": {enabled: true}}}).then(r => r.violations)`, chromedp.EvalAwaitPromise) {
		for _, node := range violation.Nodes {
			b.t.Errorf("%s: %s: %s (%s): %s\n%s", b.name, page, violation.Help, violation.ID, node.HTML, node.Summary)
		}
	}
}
