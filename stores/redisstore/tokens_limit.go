package redisstore

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

//go:embed lua/token_list.lua
var tokenList string

//go:embed lua/token_trim.lua
var tokenTrim string

//go:embed lua/token_drop.lua
var tokenDrop string

//go:embed lua/token_joined.lua
var tokenJoined string

var (
	boundedList = fmt.Sprintf("local MAX_ENDED = %d\n%s", stores.MaxEnded, tokenList)

	listToken         = newScript(boundedList)
	createListedToken = newScriptOf(tokenJoined, [2]string{"list", boundedList}, [2]string{"create", tokenCreate})
	trimTokens        = newScript(fmt.Sprintf("local MAX_ENDED = %d\n%s", stores.MaxEnded, tokenTrim))
	dropToken         = newScript(tokenDrop)
)

// CreateLimited implements stores.TokenLimit. It takes one round trip on one server if the owner
// has no surplus, and two otherwise. A family that is revoked stays in its owner's index, so it counts.
//
// The families of an owner may be on several servers of a cluster, so that no script can read
// all of them. Therefore the call reads them, and a script on the index decides how many of
// them are still surplus. Each call that found a surplus removes at least its own entry while
// there is one. So of any number of parallel calls, exactly as many entries stay as may.
func (s *tokens) CreateLimited(
	ctx context.Context, now time.Time, t stores.Token, limit stores.FamilyLimit,
) (ok bool, ended []string, err error) {
	if err := limit.Check(); err != nil {
		return false, nil, fault(ctx, createWhat, err)
	}
	n, err := newTokenOf(t)
	if err != nil {
		return false, nil, err
	}
	outcome, listed, err := s.add(ctx, &n, limit)
	if err == nil && outcome == full {
		ok, err = s.storeIfRoom(ctx, now, n, listed, limit.Families)
		return ok, nil, err
	}
	if ok, err = readCreated(outcome, err); !ok || len(listed) == 0 {
		return ok, nil, err
	}
	ended, _, err = s.trimFamilies(ctx, now, n, listed, limit)
	return err == nil, ended, err
}

// add lists the family of a new token and stores the token: in one step where one server has all keys, or
// else one after the other. It returns the answer of the script, and the families of its kind if there are
// too many. It stores nothing if there are and the limit refuses; the outcome is then full.
func (s *tokens) add(ctx context.Context, n *newToken, limit stores.FamilyLimit) (outcome int64, listed []entry, err error) {
	index, listing := []string{s.ownerKey(n.Owner)}, n.listing(limit.Families)
	if !s.apart.Load() {
		refuse := "0"
		if limit.Refuse {
			refuse = "1"
		}
		args := slices.Concat([]any{refuse}, listing, n.args())
		keys := append(index, s.keysOf(n.Family)...)
		got, err := s.run(ctx, createWhat, createListedToken, keys, args...)
		if !s.splits(err, keys) {
			return s.answer(got, err, n, 1)
		}
	}
	got, err := s.run(ctx, createWhat, listToken, index, listing...)
	if _, listed, err = s.answer(got, err, n, 0); err != nil {
		return 0, nil, err
	}
	if len(listed) > 0 && limit.Refuse {
		return full, listed, nil
	}
	outcome, err = s.store(ctx, *n)
	return outcome, listed, err
}

// listing returns the arguments of the script that lists a family.
func (t *newToken) listing(most int) []any {
	return []any{
		memberOf(t.Family, string(t.Kind)), micro(t.FamilyExpires), t.span.Microseconds(), slack.Milliseconds(),
		memberOf("", string(t.Kind)), most,
	}
}

// answer reads what the script that lists a family says, behind the outcome of the one that stores the token
// if skip is 1.
func (s *tokens) answer(got any, err error, n *newToken, skip int) (outcome int64, listed []entry, _ error) {
	if err == nil && skip > 0 {
		var numbers []int64
		if numbers, err = integers(createWhat, got, 1); err == nil {
			outcome = numbers[0]
		}
	}
	if err != nil {
		return 0, nil, err
	}
	n.listed = textAt(got, skip)
	for i := skip + 1; textAt(got, i) != ""; i += 2 {
		family, _, _ := strings.Cut(textAt(got, i), ":")
		until, _ := strconv.ParseFloat(textAt(got, i+1), 64)
		listed = append(listed, entry{family, int64(until)})
	}
	return outcome, listed, nil
}

// An entry is a family in its owner's index.
type entry struct {
	family string
	until  int64 // when it expires there
}

// storeIfRoom stores a token unless too many families of its kind are alive.
func (s *tokens) storeIfRoom(ctx context.Context, now time.Time, n newToken, listed []entry, most int) (bool, error) {
	limit := stores.FamilyLimit{Families: most, Refuse: true}
	_, kept, err := s.trimFamilies(ctx, now, n, listed, limit)
	if err != nil {
		return false, err
	}
	if !kept {
		return false, fmt.Errorf("redisstore: %s: %w: %d of kind %s", createWhat, stores.ErrLimit, most, n.Kind)
	}
	return readCreated(s.store(ctx, n))
}

// trimFamilies deletes surplus families of the kind of a new token. It returns those that were
// alive, and whether the new one stays.
func (s *tokens) trimFamilies(
	ctx context.Context, now time.Time, n newToken, listed []entry, limit stores.FamilyLimit,
) (ended []string, kept bool, err error) {
	candidates, err := s.surplus(ctx, now, n, listed, limit.Refuse)
	if err != nil {
		return nil, false, err
	}
	args := []any{memberOf("", string(n.Kind)), limit.Families}
	for _, family := range candidates {
		args = append(args, memberOf(family, string(n.Kind)))
	}
	got, err := s.run(ctx, createWhat, trimTokens, []string{s.ownerKey(n.Owner)}, args...)
	if err != nil {
		return nil, false, err
	}
	var calls []call
	var dropped []string
	kept = true
	for i := 0; textAt(got, i) != ""; i++ {
		family, _, _ := strings.Cut(textAt(got, i), ":")
		if kept = kept && family != n.Family; family == n.Family && limit.Refuse {
			continue // it was never stored
		}
		dropped = append(dropped, family)
		calls = append(calls, call{dropToken, []string{s.familyKey(family), s.endsKey(family)}, []any{mark(now), forbidden.Milliseconds()}})
	}
	answers, err := s.runAll(ctx, createWhat, calls)
	for i, got := range answers {
		if got == int64(1) {
			ended = append(ended, dropped[i])
		}
	}
	return ended, kept, err
}

// surplus returns the families that may be deleted, the first ones first: those that have ended,
// then those that are alive, and the new one. With refuse those that are alive are left out.
func (s *tokens) surplus(ctx context.Context, now time.Time, n newToken, listed []entry, refuse bool) ([]string, error) {
	names := make([]string, len(listed))
	for i, e := range listed {
		names[i] = e.family
	}
	lives, err := s.Lives(ctx, now, names...)
	if err != nil {
		return nil, err
	}
	var ended, living []string
	for i, e := range listed {
		switch {
		case e.family == n.Family:
		case lives[i] == stores.Alive:
			living = append(living, e.family)
		case lives[i] == stores.Unknown && e.until > micro(n.FamilyExpires.Add(-inFlight)):
			// It is about to be created.
		default:
			ended = append(ended, e.family)
		}
	}
	if refuse {
		living = nil
	}
	return append(slices.Concat(ended, living), n.Family), nil
}
