// Package storetest tests implementations of the contracts of package stores.
//
// Each exported function runs one subtest for each rule. It calls the factory for each
// subtest. The factory returns an empty store, and uses t.Cleanup to release it.
//
//	func TestSessions(t *testing.T) {
//		storetest.Sessions(t, func(t *testing.T) stores.Sessions {
//			return mystore.New(t.TempDir())
//		})
//	}
//
// The test prints the text of each rule that does not hold. If the store does not implement
// an optional capability, its rules are skipped, and the test says what is missing.
//
// Rules about races run several rounds: fewer with -short, and k times as many if the
// environment variable STORETEST_ROUNDS is a number k. Run them also with -race.
//
// All times are near the present, and no rule waits, because stores use the times that they
// are passed. So a store whose server deletes expired records by its own clock passes as
// well.
package storetest

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// A rule is one sentence of a contract, with its check.
type rule[S any] struct {
	name string
	// says is the sentence, which is printed if the check fails.
	says  string
	check func(S)
}

// run checks each rule on a new store.
func run[S any](t *testing.T, start func(t *testing.T) S, rules []rule[S]) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			defer func() {
				if t.Failed() {
					t.Logf("the rule: %s", r.says)
				}
			}()
			r.check(start(t))
		})
	}
}

// capability returns the store as a C. It skips the test if the store is none.
func capability[C any](t *testing.T, store any, name string) C {
	c, ok := store.(C)
	if !ok {
		t.Skipf("%T does not implement %s, which is optional", store, name)
	}
	return c
}

// listMissing logs which optional capabilities the store lacks, so that it is visible which
// rules a passing test did not check.
func listMissing(t *testing.T, store any, has map[string]bool) {
	for name, ok := range has {
		if !ok {
			t.Logf("%T does not implement %s: its rules are skipped", store, name)
		}
	}
}

// parallel calls f(0) to f(n-1) in parallel and waits until all have returned.
func parallel(n int, f func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	group.Wait()
}

// rounds returns how often to run a race that is run n times by default.
func rounds(n int) int {
	if testing.Short() {
		n = max(n/4, 2)
	}
	if k, err := strconv.Atoi(os.Getenv("STORETEST_ROUNDS")); err == nil && k > 0 {
		n *= k
	}
	return n
}

// present returns the current time, truncated to the precision of stores.
func present() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// sameTime reports whether two times are equal to the microsecond. The zero time equals
// only itself.
func sameTime(a, b time.Time) bool {
	return a.IsZero() == b.IsZero() && a.Sub(b).Abs() < time.Microsecond
}

// newID returns 32 random hexadecimal digits.
func newID() string { return hex.EncodeToString(randomBytes(16)) }

// newDigest returns the digest of a new secret.
func newDigest() stores.Digest { return stores.DigestOf(randomBytes(32)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// hostileNames returns names with a special meaning in a file system, a query or a protocol,
// and names that are similar to the name of a real record.
func hostileNames(real string) []string {
	return []string{
		"", ".", "..", "../../x", `..\..\x`, "..%2fx", "/etc/passwd", "con", "NUL",
		"%", "_", "*", "?", "[a-z]*", "0", "1=1", "1 OR 1=1", "' OR '1'='1", `"; --`, "{x}",
		"\x00", "a\x00b", "a\r\nb", "\xff\xfe", "名",
		strings.Repeat("a", 4096), strings.Repeat("../", 1024),
		real[:31], real[:31] + "%", real[:31] + "_", real + " ", " " + real, real + "\x00",
		real + "0", real + "/../" + real, "./" + real, real + "*",
	}
}

// strangers returns names that a wrong comparison could consider equal to owner.
func strangers(owner string) []string {
	return []string{strings.ToUpper(owner), owner + " ", " " + owner, owner + "%", "%", "_", "1=1", owner[:len(owner)-1]}
}
