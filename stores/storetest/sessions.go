package storetest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Sessions tests an implementation of stores.Sessions, and of stores.SessionIndex,
// stores.SessionLimit, stores.SessionWriter and stores.Pruner if it implements them.
func Sessions(t *testing.T, factory func(t *testing.T) stores.Sessions) {
	run(t, func(t *testing.T) sessions { return sessions{t, factory(t)} },
		slices.Concat(sessionRules, sessionRaces, sessionOptions, sessionLimits, sessionWrites))
}

var sessionRules = []rule[sessions]{
	{"create-round-trip", "Load returns every field as it was created.", sessionRoundTrip},
	{"create-values", "Values are stored byte for byte: none, empty, binary, and MaxValues of them.", sessionValues},
	{"create-principals", "Principals are stored byte for byte, and owners in their order: none, and as many as are allowed.", sessionPrincipals},
	{"create-refused", "Create of a session that Validate refuses is an error and stores nothing.", sessionRefused},
	{"create-exists", "Create of a row that exists returns ErrExists and changes nothing.", sessionExists},
	{"load-unknown", "Load of a row that was not created finds nothing and returns no error.", sessionUnknown},
	{"load-expired", "Load returns an expired row unchanged, or does not find it.", sessionExpired},
	{"load-snapshot", "A loaded session does not change when the row changes.", sessionSnapshot},
	{"update-keys", "A delta sets and removes its keys and keeps the others.", sessionKeys},
	{"update-given", "A delta replaces LastSeen and Expires only if they are set.", sessionGiven},
	{"update-principals", "A delta replaces principals, owners and generation together; one without Principals keeps them.", sessionPrincipalsReplaced},
	{"update-refused", "A delta that Validate refuses, such as one with Principals and without Rename, is an error and changes nothing.", sessionPrincipalsRefused},
	{"update-replaced", "A delta of another generation reports Replaced and changes nothing, whatever its digest is.", sessionGeneration},
	{"update-nothing", "A delta that changes nothing reports Updated, not Gone.", sessionNothing},
	{"update-gone", "A delta for a row that does not exist reports Gone and creates nothing.", sessionGone},
	{"update-seen", "A delta with the row as it was seen does the same as without, whatever has changed since.", sessionSeen},
	{"update-too-large", "A delta that would exceed MaxValues is an error and changes nothing, not even the digest.", sessionTooLarge},
	{"update-retains-nothing", "The caller may change the maps, slices and pointers of a delta or session afterwards.", sessionRetains},
	{"clear", "Clear removes all keys that are not in Set, also those that the caller does not know of, and nothing else.", sessionClear},
	{"clear-principals", "Clear is applied together with new keys, principals, owners and a new digest.", sessionClearPrincipals},
	{"clear-refused", "A Clear that reports Stale, Replaced or Gone changes nothing.", sessionClearRefused},
	{"clear-too-large", "With Clear, only the keys in Set count for MaxValues.", sessionClearSize},
	{"rename", "A rename changes the digest together with the rest of the delta.", sessionRename},
	{"rename-same", "A rename to the same digest compares the digest, and changes neither Digest nor Renamed.", sessionSameDigest},
	{"rename-stale", "A rename from another digest reports Stale and changes nothing.", sessionStale},
	{"rename-keeps-row", "A rename does not change the name of the row: later deltas find the same row.", sessionRenamedRow},
	{"delete", "Delete reports whether the row existed, and can be repeated.", sessionDelete},
	{"delete-seen", "DeleteSeen deletes the row, whatever has changed since it was seen, and its owners find it no longer.", sessionDeleteSeen},
	{"names", "A name that was not created, whatever it contains, finds no row and changes none.", sessionNames},
	{"context", "If the context has ended, every method returns an error that wraps the context's error, and changes nothing.", sessionContext},
}

// sessions is a store under test. Its methods report errors to the test, so
// they may be called from any goroutine.
type sessions struct {
	*testing.T
	store stores.Sessions
}

func (s sessions) create(row stores.Session) {
	s.Helper()
	if err := s.store.Create(s.Context(), row); err != nil {
		s.Errorf("Create: %v", err)
	}
}

// load returns a row, which has to exist.
func (s sessions) load(row string) stores.Session {
	s.Helper()
	got, found, err := s.store.Load(s.Context(), row)
	if err != nil || !found {
		s.Errorf("Load: found %v, error %v, want a row", found, err)
	}
	return got
}

// missing checks that a row does not exist.
func (s sessions) missing(row string) {
	s.Helper()
	if _, found, err := s.store.Load(s.Context(), row); err != nil || found {
		s.Errorf("Load: found %v, error %v, want no row", found, err)
	}
}

func (s sessions) update(row string, d stores.Delta) stores.Outcome {
	s.Helper()
	outcome, err := s.store.Update(s.Context(), row, d)
	if err != nil {
		s.Errorf("Update: %v", err)
	}
	return outcome
}

// updates checks the outcome of an update.
func (s sessions) updates(row string, d stores.Delta, want stores.Outcome) {
	s.Helper()
	if got := s.update(row, d); got != want {
		s.Errorf("Update reports %v, want %v", got, want)
	}
}

func (s sessions) delete(row string) bool {
	s.Helper()
	existed, err := s.store.Delete(s.Context(), row)
	if err != nil {
		s.Errorf("Delete: %v", err)
	}
	return existed
}

// holds checks that the stored row is equal to want.
func (s sessions) holds(want stores.Session) {
	s.Helper()
	if diff := diffSessions(s.load(want.Row), want); diff != "" {
		s.Errorf("the row is not as expected: %s", diff)
	}
}

// newSession returns an anonymous session with one key, "color", whose value is "red".
func newSession() stores.Session {
	now := present()
	return stores.Session{
		Row:       newID(),
		Digest:    newDigest(),
		Values:    stores.NewValues(set("color", "red")),
		Address:   "192.0.2.1",
		UserAgent: "test/1.0",
		Created:   now.Add(-time.Hour),
		LastSeen:  now,
		Expires:   now.Add(24 * time.Hour),
	}
}

// set returns keys and values as a map.
func set(pairs ...string) map[string][]byte {
	m := make(map[string][]byte)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = []byte(pairs[i+1])
	}
	return m
}

// valuesAre checks the keys and values of a row.
func (s sessions) valuesAre(row string, want map[string][]byte) {
	s.Helper()
	got := maps.Collect(s.load(row).Values.All())
	for key, value := range want {
		if v, ok := got[key]; !ok || v != string(value) {
			s.Errorf("key %q is %q (found: %v), want %q", key, v, ok, value)
		}
		delete(got, key)
	}
	if len(got) > 0 {
		s.Errorf("%d unexpected keys: %.200q", len(got), got)
	}
}

// diffSessions returns the fields in which two sessions differ, or "".
func diffSessions(got, want stores.Session) string {
	var diff []string
	add := func(name string, same bool, got, want any) {
		if !same {
			diff = append(diff, fmt.Sprintf("%s is %v, want %v", name, got, want))
		}
	}
	add("Row", got.Row == want.Row, got.Row, want.Row)
	add("Digest", got.Digest == want.Digest, got.Digest, want.Digest)
	add("Principals", got.Principals == want.Principals, fmt.Sprintf("%.40q", got.Principals), fmt.Sprintf("%.40q", want.Principals))
	add("Owners", slices.Equal(got.Owners, want.Owners), fmt.Sprintf("%.200q", got.Owners), fmt.Sprintf("%.200q", want.Owners))
	add("Generation", got.Generation == want.Generation, got.Generation, want.Generation)
	add("Values", bytes.Equal(got.Values.Encoded(), want.Values.Encoded()), got.Values, want.Values)
	add("Address", got.Address == want.Address, got.Address, want.Address)
	add("UserAgent", got.UserAgent == want.UserAgent, got.UserAgent, want.UserAgent)
	add("Created", sameTime(got.Created, want.Created), got.Created, want.Created)
	add("LastSeen", sameTime(got.LastSeen, want.LastSeen), got.LastSeen, want.LastSeen)
	add("Renamed", sameTime(got.Renamed, want.Renamed), got.Renamed, want.Renamed)
	add("Expires", sameTime(got.Expires, want.Expires), got.Expires, want.Expires)
	return strings.Join(diff, "; ")
}
