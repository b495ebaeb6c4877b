// Package storetest tests implementations of the contracts of package stores.
//
// Each exported function takes a factory and runs one subtest per rule. The
// factory is called once for each, and returns a store with nothing in it; what
// has to be released it releases with t.Cleanup.
//
//	func TestSessions(t *testing.T) {
//		storetest.Sessions(t, func(t *testing.T) stores.Sessions {
//			return mystore.New(t.TempDir())
//		})
//	}
//
// A rule that is broken prints what it asks for. Rules of optional capabilities
// are skipped, with a word on what is missing, for a store without them.
//
// Rules about races run several rounds: fewer with -short, and k times as many
// if the environment variable STORETEST_ROUNDS is the number k. Run them with
// -race as well.
//
// Times are near the present, and no rule waits: the clock that a store sees is
// the one it is passed. A store that hands expiry to a server with a clock of
// its own passes as well.
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

// A rule is one sentence of a contract and the check that holds it.
type rule[S any] struct {
	name string
	// says is printed when the rule is broken.
	says  string
	check func(S)
}

// run checks each rule on a store of its own.
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

// capability returns the store as a C, or skips the test.
func capability[C any](t *testing.T, store any, name string) C {
	c, ok := store.(C)
	if !ok {
		t.Skipf("%T does not implement %s, which is optional", store, name)
	}
	return c
}

// listMissing logs which optional capabilities the store lacks, so that a
// passing test does not suggest more than it tested.
func listMissing(t *testing.T, store any, has map[string]bool) {
	for name, ok := range has {
		if !ok {
			t.Logf("%T does not implement %s: its rules are skipped", store, name)
		}
	}
}

// parallel calls f(0) to f(n-1) at once and waits for all.
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

// rounds returns how often to repeat a race that is usually run n times.
func rounds(n int) int {
	if testing.Short() {
		n = max(n/4, 2)
	}
	if k, err := strconv.Atoi(os.Getenv("STORETEST_ROUNDS")); err == nil && k > 0 {
		n *= k
	}
	return n
}

// present returns the time now, to the precision that stores keep.
func present() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// sameTime reports whether two times are the same to the microsecond. The zero
// time is the same as itself only.
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

// hostileNames returns names that mean something to a file system, a query or a
// protocol, and names close to that of a real record.
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

// strangers returns names that a careless comparison takes for owner.
func strangers(owner string) []string {
	return []string{strings.ToUpper(owner), owner + " ", " " + owner, owner + "%", "%", "_", "1=1", owner[:len(owner)-1]}
}
