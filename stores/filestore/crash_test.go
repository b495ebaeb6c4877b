//go:build darwin || linux

package filestore_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/filestore"
)

// workEnv is the environment variable by which a test tells a process that it starts
// the directory to work in.
const workEnv = "FILESTORE_WORK"

// start runs the current test in another process, in which workEnv is set.
func start(t *testing.T, dir string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), workEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// inChild reports whether it is called in a process that it has started. If not, it
// runs the test in such a process.
func inChild(t *testing.T) bool {
	if os.Getenv(workEnv) != "" {
		return true
	}
	cmd, out := start(t, t.TempDir())
	text, _ := io.ReadAll(out)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, text)
	}
	return false
}

// TestProcesses lets several processes set keys of one row.
func TestProcesses(t *testing.T) {
	const processes, writers, each = 3, 4, 15
	if dir := os.Getenv(workEnv); dir != "" {
		s := open(t, dir)
		var group sync.WaitGroup
		for range writers {
			group.Go(func() {
				for range each {
					d := stores.Delta{Set: set(newRow(), "x")}
					if o, err := s.Update(t.Context(), sharedRow, d); o != stores.Updated || err != nil {
						t.Errorf("Update: %v, error %v", o, err)
					}
				}
			})
		}
		group.Wait()
		return
	}
	dir := t.TempDir()
	s := open(t, dir)
	createShared(t, s)
	var group sync.WaitGroup
	for range processes {
		cmd, out := start(t, dir)
		group.Go(func() {
			text, _ := io.ReadAll(out)
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
	group.Wait()
	got, _, err := s.Load(t.Context(), sharedRow)
	if want := processes*writers*each + 1; err != nil || got.Values.Len() != want {
		t.Errorf("the row has %d keys, error %v; want %d", got.Values.Len(), err, want)
	}
}

const sharedRow = "00112233445566778899aabbccddeeff"

func createShared(t *testing.T, s stores.Sessions) {
	t.Helper()
	row := session("shared")
	row.Row = sharedRow
	if err := s.Create(t.Context(), row); err != nil {
		t.Fatal(err)
	}
}

// TestKill kills processes while they write, and checks that every change that they
// reported is there.
func TestKill(t *testing.T) {
	if dir := os.Getenv(workEnv); dir != "" {
		work(t, open(t, dir))
	}
	cycles := 5
	if os.Getenv("GINAUTH_LONG") == "1" {
		cycles = 200
	}
	reports := 0
	for range cycles {
		dir := t.TempDir()
		createShared(t, open(t, dir))
		l := &ledger{rows: map[string]*entry{sharedRow: {owners: "shared"}}}
		var group sync.WaitGroup
		for range 3 {
			cmd, out := start(t, dir)
			group.Go(func() {
				l.follow(out, 1+rand.IntN(60), func() { cmd.Process.Kill() })
				cmd.Wait()
			})
		}
		group.Wait()
		l.check(t, dir)
		reports += l.reports
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d changes were acknowledged in %d cycles", reports, cycles)
}

// work changes sessions until it is killed, and reports each change on standard output.
func work(t *testing.T, s *filestore.Sessions) {
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for n := 0; ; n++ {
				workOnce(t, s, n)
			}
		})
	}
	group.Wait()
}

func workOnce(t *testing.T, s *filestore.Sessions, n int) {
	ctx := t.Context()
	row := session([]string{"", "u1", "u2", "u1,u2"}[n%4])
	report := func(err error, what, of, detail string) {
		if err != nil {
			fmt.Printf("failed %s %v\n", what, err)
			os.Exit(1)
		}
		// One write, so that a kill never splits a line.
		os.Stdout.WriteString(what + " " + of + " " + detail + "\n")
	}
	update := func(row string, d stores.Delta) error {
		if o, err := s.Update(ctx, row, d); o != stores.Updated {
			return fmt.Errorf("%v, error %v", o, err)
		}
		return nil
	}
	report(s.Create(ctx, row), "owned", row.Row, strings.Join(row.Owners, ","))
	for _, of := range []string{row.Row, sharedRow} {
		key := newRow()
		report(update(of, stores.Delta{Set: set(key, "x")}), "set", of, key)
	}
	owners := []string{"u3", "u1"}[:1+n%5%2]
	report(nil, "disowned", row.Row, "")
	rename := stores.Rename{Old: row.Digest, New: stores.DigestOf(nil), At: noon}
	principals := stores.Principals{Owners: owners}
	report(update(row.Row, stores.Delta{Principals: &principals, Rename: &rename}), "owned", row.Row, strings.Join(owners, ","))
	if n%2 == 0 {
		report(nil, "deleting", row.Row, "")
		_, err := s.Delete(ctx, row.Row)
		report(err, "deleted", row.Row, "")
	}
}

// ledger holds the changes that processes have reported.
type ledger struct {
	sync.Mutex
	rows    map[string]*entry
	reports int
	faults  []string
}

type entry struct {
	keys              []string
	owners            string
	deleting, deleted bool
}

// follow reads reports, and calls kill after a given number of them.
func (l *ledger) follow(out io.Reader, reports int, kill func()) {
	for lines := bufio.NewScanner(out); lines.Scan(); reports-- {
		if reports == 0 {
			kill()
		}
		l.note(lines.Text())
	}
}

func (l *ledger) note(line string) {
	l.Lock()
	defer l.Unlock()
	what, rest, _ := strings.Cut(line, " ")
	row, detail, _ := strings.Cut(rest, " ")
	e := l.rows[row]
	if e == nil {
		e = new(entry)
		l.rows[row] = e
	}
	l.reports++
	switch what {
	case "owned", "disowned":
		// Between "disowned" and "owned" the owners are not known.
		e.owners = detail
	case "set":
		e.keys = append(e.keys, detail)
	case "deleting":
		e.deleting = true
	case "deleted":
		e.deleted = true
	default:
		l.faults = append(l.faults, line)
	}
}

// check compares a directory with the ledger.
func (l *ledger) check(t *testing.T, dir string) {
	t.Helper()
	s := open(t, dir)
	defer s.Close()
	for _, fault := range l.faults {
		t.Error(fault)
	}
	for row, e := range l.rows {
		got, found, err := s.Load(t.Context(), row)
		if err != nil || found && e.deleted || !found && !e.deleting {
			t.Errorf("found %v, error %v; deletion was begun: %v, acknowledged: %v", found, err, e.deleting, e.deleted)
		}
		if owners := strings.Join(got.Owners, ","); found && e.owners != "" && owners != e.owners {
			t.Errorf("the owners are %q, not %q", owners, e.owners)
		}
		for _, key := range e.keys {
			if _, ok := got.Values.Get(key); found && !ok {
				t.Error("a key that was acknowledged is missing")
			}
		}
	}
	checkFiles(t, dir, s)
}

// checkFiles checks each file before and after Prune, whether or not a process reported
// its row.
func checkFiles(t *testing.T, dir string, s *filestore.Sessions) {
	t.Helper()
	var files []string
	for _, path := range filesBelow(t, filepath.Join(dir, "rows"), "") {
		row := filepath.Base(path)
		if strings.HasSuffix(row, ".tmp") {
			continue
		}
		got, found, err := s.Load(t.Context(), row)
		if err != nil || !found {
			t.Errorf("Load of a file that is there: found %v, error %v", found, err)
		}
		for _, owner := range got.Owners {
			of, err := s.SessionsOf(t.Context(), owner, 1000)
			if err != nil || !slices.ContainsFunc(of, func(s stores.Session) bool { return s.Row == row }) {
				t.Errorf("a row of %q is not listed under %s, error %v", got.Owners, owner, err)
			}
		}
		if o, err := s.Update(t.Context(), row, stores.Delta{Set: set("late", "x")}); o != stores.Updated || err != nil {
			t.Errorf("Update after the restart: %v, error %v", o, err)
		}
		files = append(files, path)
	}
	if n, err := s.Prune(t.Context(), noon); n != 0 || err != nil {
		t.Errorf("Prune = %d, error %v", n, err)
	}
	if left := filesBelow(t, filepath.Join(dir, "rows"), ""); !slices.Equal(left, files) {
		t.Errorf("%d files are left for %d rows", len(left), len(files))
	}
	for _, path := range filesBelow(t, filepath.Join(dir, "owners"), "") {
		_, row, _ := strings.Cut(filepath.Base(path), ".")
		if _, err := os.Stat(file(dir, row)); err != nil {
			t.Errorf("a marker without a row is left: %v", err)
		}
	}
}
