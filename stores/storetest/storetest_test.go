package storetest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/memstore"
	"github.com/ginauth/ginauth/stores/storetest"
)

// broken lists stores that break a rule, and the rule. Each is a working store with one
// fault.
var broken = []struct {
	name, rule string
	run        func(t *testing.T)
}{
	{"whole session is written back", "race-keys", sessionsOf(func(s *memSessions) stores.Sessions { return writeBack{s} })},
	{"writing back loses a login", "race-keys-rename", sessionsOf(func(s *memSessions) stores.Sessions { return writeBack{s} })},
	{"update creates", "update-gone", sessionsOf(func(s *memSessions) stores.Sessions { return upsert{s} })},
	{"update revives", "race-delete", sessionsOf(func(s *memSessions) stores.Sessions { return upsert{s} })},
	{"the row as it was seen is stored", "update-seen", sessionsOf(func(s *memSessions) stores.Sessions { return trustsSeen{s} })},
	{"changed rows are counted", "update-nothing", sessionsOf(func(s *memSessions) stores.Sessions { return changedRows{s} })},
	{"digest is not compared", "rename-stale", sessionsOf(func(s *memSessions) stores.Sessions { return anyDigest{s} })},
	{"digest is checked, then written", "race-rename", sessionsOf(func(s *memSessions) stores.Sessions { return checkedDigest{s} })},
	{"contexts are ignored", "context", sessionsOf(func(s *memSessions) stores.Sessions { return noContext{s} })},
	{"owners are folded", "index-owners", sessionsOf(func(s *memSessions) stores.Sessions { return foldedOwners{s} })},
	{"generation is not compared", "update-replaced", sessionsOf(func(s *memSessions) stores.Sessions { return noGeneration{s} })},
	{"generation is compared, then written", "race-generation", sessionsOf(func(s *memSessions) stores.Sessions { return checkedGeneration{s} })},
	{"principals need no rename", "update-refused", sessionsOf(func(s *memSessions) stores.Sessions { return anyPrincipals{s} })},
	{"known keys are cleared", "clear", sessionsOf(func(s *memSessions) stores.Sessions { return clearedKnown{s, "color"} })},
	{"keys are listed, then cleared", "race-clear", sessionsOf(func(s *memSessions) stores.Sessions { return clearedKnown{s, ""} })},
	{"refused Clear clears", "clear-refused", sessionsOf(func(s *memSessions) stores.Sessions { return clearedFirst{s} })},
	{"cleared keys count", "clear-too-large", sessionsOf(func(s *memSessions) stores.Sessions { return clearedLater{s} })},
	{"same digest counts as renamed", "rename-same", sessionsOf(func(s *memSessions) stores.Sessions { return alwaysRenamed{s} })},
	{"only the first owner is listed", "index-several", sessionsOf(func(s *memSessions) stores.Sessions { return firstOwner{s} })},
	{"owners are removed, then added", "index-race-several", sessionsOf(func(s *memSessions) stores.Sessions { return relisted{s} })},
	{"prune deletes too much", "prune", sessionsOf(func(s *memSessions) stores.Sessions { return eagerPrune{s} })},
	{"room is made, then the row stored", "race-session-limit", sessionsOf(func(s *memSessions) stores.Sessions { return trimmedFirst{s} })},
	{"the new row ends", "limit-create", sessionsOf(func(s *memSessions) stores.Sessions { return newestEnds{s} })},
	{"a refused update ends rows", "limit-refused", sessionsOf(func(s *memSessions) stores.Sessions { return anyUpdate{s} })},
	{"a Write opens every row", "write-refused", sessionsOf(func(s *memSessions) stores.Sessions { return writerOf(s, memWriter{anyDigest: true}) })},
	{"a Write looks at no key", "write-refused", sessionsOf(func(s *memSessions) stores.Sessions { return writerOf(s, memWriter{anyKey: true}) })},
	{"a former digest opens for ever", "write-former", sessionsOf(func(s *memSessions) stores.Sessions { return writerOf(s, memWriter{anyFormer: true}) })},
	{"a fast clock keeps a former digest open", "write-former", sessionsOf(func(s *memSessions) stores.Sessions { return writerOf(s, memWriter{anyClock: true}) })},
	{"a former digest opens the next user's row", "write-former", sessionsOf(func(s *memSessions) stores.Sessions { return writerOf(s, memWriter{anyGeneration: true}) })},
	{"a deletion leaves no mark", "write-gone", sessionsOf(func(s *memSessions) stores.Sessions { return writerOf(s, memWriter{unmarked: true}) })},
	{"a row is looked at, then written", "race-write-delete", sessionsOf(func(s *memSessions) stores.Sessions { return writerOf(s, memWriter{apart: true}) })},
	{"lists have no limit", "index-limit", sessionsOf(func(s *memSessions) stores.Sessions { return allListed{s} })},

	{"token is checked, then consumed", "race-consume", tokensOf(func(s *memTokens) stores.Tokens { return checkedConsume{s} })},
	{"every token kept", "rotate-spent", tokensOf(func(s *memTokens) stores.Tokens { return keepsSpent{s, map[string]stores.Token{}} })},
	{"consumed, then created", "rotate-taken", tokensOf(func(s *memTokens) stores.Tokens { return twoSteps{s} })},
	{"consumed, then created, in a race", "race-consume-rotate", tokensOf(func(s *memTokens) stores.Tokens { return twoSteps{s} })},
	{"token is consumed at its expiry", "consume-expired", tokensOf(func(s *memTokens) stores.Tokens { return lateConsume{s} })},
	{"each delivery is recorded", "delivered", tokensOf(func(s *memTokens) stores.Tokens { return lastDelivery{s, map[string]time.Time{}} })},
	{"kinds are ignored", "owner-revoke-kinds", tokensOf(func(s *memTokens) stores.Tokens { return anyKind{s} })},

	{"limit is checked, then reserved", "race-limit", limiterOf(func(l *memLimiter) stores.Limiter { return checkedReserve{l} })},
	{"refused Reserve keeps slots", "windows-all", limiterOf(func(l *memLimiter) stores.Limiter { return oneByOne{l} })},
	{"reserved and refunded", "windows-refused", limiterOf(func(l *memLimiter) stores.Limiter { return rollback{l} })},
	{"window ends late", "end", limiterOf(func(l *memLimiter) stores.Limiter { return lateEnd{l} })},
	{"a refund resets", "settle", limiterOf(func(l *memLimiter) stores.Limiter { return settlesByReset{l} })},
	{"receipts name only the key", "refund-late", limiterOf(func(l *memLimiter) stores.Limiter {
		return anyReceipt{l, map[stores.Digest]int64{}}
	})},

	{"name of the cookie is not sealed", "other-cookie", clientSessionsOf(anyCookie{})},
	{"expiry is left to the client", "expired", clientSessionsOf(noExpiry{})},
	{"a clock that is set back logs out", "expired", clientSessionsOf(issuedNow{})},
	{"size is not checked", "too-large", clientSessionsOf(anySize{})},
	{"Room is the whole cookie", "room", clientSessionsOf(allRoom{})},
	{"only the first owner is sealed", "round-trip", clientSessionsOf(oneOwner{})},
	{"old keys are not reported", "keys", clientSessionsOf(anyKey{})},
	{"first bytes are not checked", "tampered", clientSessionsOf(looseText{})},
}

// TestBroken runs the suite on each broken store in another process, and checks that the
// rule fails.
func TestBroken(t *testing.T) {
	if name := os.Getenv("STORETEST_BROKEN"); name != "" {
		for _, b := range broken {
			if b.name == name {
				b.run(t)
			}
		}
		return
	}
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$/^"+b.rule+"$")
			cmd.Env = append(os.Environ(), "STORETEST_BROKEN="+b.name, "STORETEST_ROUNDS=5")
			out, _ := cmd.CombinedOutput()
			if !strings.Contains(string(out), "--- FAIL: TestBroken/"+b.rule) || !strings.Contains(string(out), "the rule: ") {
				t.Errorf("the rule %q did not find the fault:\n%s", b.rule, out)
			}
		})
	}
}

type (
	memSessions = memstore.Sessions
	memTokens   = memstore.Tokens
	memLimiter  = memstore.Limiter
)

var options = memstore.Options{PruneEvery: -1}

func clientSessionsOf(c stores.ClientSessions) func(*testing.T) {
	return func(t *testing.T) {
		storetest.ClientSessions(t, func(*testing.T) stores.ClientSessions { return c })
	}
}

func sessionsOf(f func(*memSessions) stores.Sessions) func(*testing.T) {
	return func(t *testing.T) {
		storetest.Sessions(t, func(*testing.T) stores.Sessions { return f(memstore.NewSessions(options)) })
	}
}

func tokensOf(f func(*memTokens) stores.Tokens) func(*testing.T) {
	return func(t *testing.T) {
		storetest.Tokens(t, func(*testing.T) stores.Tokens { return f(memstore.NewTokens(options)) })
	}
}

func limiterOf(f func(*memLimiter) stores.Limiter) func(*testing.T) {
	return func(t *testing.T) {
		storetest.Limiter(t, func(*testing.T) stores.Limiter { return f(memstore.NewLimiter(options)) })
	}
}

// pause keeps the moment between a check and the write that depends on it open, long
// enough for other goroutines to run on a busy machine.
func pause() { time.Sleep(time.Millisecond) }
