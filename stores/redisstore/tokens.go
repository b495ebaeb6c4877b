package redisstore

import (
	"cmp"
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Tokens     = (*tokens)(nil)
	_ stores.TokenLimit = (*tokens)(nil)
	_ stores.Checker    = (*tokens)(nil)
)

//go:embed lua/token_create.lua
var tokenCreate string

//go:embed lua/token_consume.lua
var tokenConsume string

//go:embed lua/token_touch.lua
var tokenTouch string

//go:embed lua/token_deliver.lua
var tokenDeliver string

var (
	createToken  = newScript(tokenCreate)
	consumeToken = newScript(tokenConsume)
	touchToken   = newScript(tokenTouch)
	deliverToken = newScript(tokenDeliver)
)

// Answers of the script that creates a token.
const (
	full = iota - 1 // by the script that also lists the family
	refused
	created
	exists
	late
)

const (
	// maxDelay is the longest time between listing a family in its owner's index
	// and creating the family. A later attempt fails.
	maxDelay = 5 * time.Minute
	// forbidden is how long a family cannot be created if RevokeOwner found it in
	// the index but not stored. It is longer than a Create can take, also if the
	// clocks of two servers differ.
	forbidden = 4 * maxDelay
)

// tokens is the stores.Tokens of a client. A family is one hash. It holds the fields of the
// root, and for each token several fields that begin with the id of the token. So every
// change that depends on the root is one atomic step. A sorted set holds the members by
// their expiry, to delete expired members from families that live long.
type tokens struct{ *core }

// familyKey returns the key of a family's hash.
func (s *tokens) familyKey(family string) string { return s.prefix + "t:{" + family + "}" }

// endsKey returns the key of the sorted set of a family's members. Because of the braces it
// is in the same slot as the family.
func (s *tokens) endsKey(family string) string { return s.prefix + "e:{" + family + "}" }

// Create implements stores.Tokens. It takes two round trips if the token has an owner. The
// first one lists the family in the owner's index.
func (s *tokens) Create(ctx context.Context, t stores.Token) (bool, error) {
	n, err := newTokenOf(t)
	if err != nil {
		return false, err
	}
	if t.Owner != "" {
		got, err := s.run(ctx, createWhat, addToIndex, []string{s.ownerKey(t.Owner)},
			memberOf(t.Family, string(t.Kind)), micro(t.FamilyExpires), n.span.Microseconds(), slack.Milliseconds())
		if err != nil {
			return false, err
		}
		n.listed, _ = got.(string)
	}
	return readCreated(s.store(ctx, n))
}

const createWhat = "create token"

// newToken is a token that is being created.
type newToken struct {
	stores.Token
	record []byte
	// span is how long the keys live from now on at least: as long as the family lives by our
	// clock. Otherwise a server whose clock is fast could lose a revocation.
	span time.Duration
	// listed is when the family was listed, by the clock of the index's server. A family is
	// listed before it exists, because one that is not listed could not be revoked by owner.
	listed string
}

func newTokenOf(t stores.Token) (n newToken, err error) {
	n = newToken{Token: t, span: slack}
	if !t.Created.IsZero() && t.FamilyExpires.After(t.Created) {
		n.span += t.FamilyExpires.Sub(t.Created)
	}
	n.record, err = encodeToken(createWhat, t)
	return n, err
}

// args returns the arguments of the script that stores the token.
func (t *newToken) args() []any {
	return []any{
		nonce(), t.ID, t.record, micro(t.Expires), micro(t.Consumed), micro(t.LastUsed), micro(t.Delivered),
		string(t.Kind), t.Owner, micro(t.FamilyExpires), keyEnd(t.FamilyExpires), t.span.Milliseconds(),
		micro(t.Created.Add(-slack)), t.listed, maxDelay.Milliseconds(),
	}
}

// keysOf returns the keys of a family.
func (s *tokens) keysOf(family string) []string {
	return []string{s.familyKey(family), s.endsKey(family)}
}

// store stores a token whose family is listed. It returns the answer of the script.
func (s *tokens) store(ctx context.Context, t newToken) (outcome int64, err error) {
	got, err := s.run(ctx, createWhat, createToken, s.keysOf(t.Family), t.args()...)
	if err != nil {
		return 0, err
	}
	numbers, err := integers(createWhat, got, 1)
	if err != nil {
		return 0, err
	}
	return numbers[0], nil
}

// readCreated reads the answer of the script that stores a token.
func readCreated(outcome int64, err error) (bool, error) {
	switch {
	case err != nil:
		return false, err
	case outcome == exists:
		return false, fmt.Errorf("redisstore: %s: %w", createWhat, stores.ErrExists)
	case outcome == late:
		return false, errors.New("redisstore: create token: the call took too long, or the clocks of two servers differ by minutes")
	}
	return outcome == created, nil
}

func (s *tokens) ownerKey(owner string) string { return s.indexKey("to:", owner) }

// memberOf returns the member of an index that stands for a family. It contains the kind,
// so that the kind is known before the family exists.
func memberOf(family, kind string) string { return family + ":" + kind }

// Find implements stores.Tokens.
func (s *tokens) Find(ctx context.Context, family, id string) (stores.Token, bool, error) {
	const what = "find token"
	if !validName(family) || !validName(id) || ctx.Err() != nil {
		return stores.Token{}, false, fault(ctx, what, ctx.Err())
	}
	names := []string{rootExpires, rootRevoked, id + fieldRecord, id + fieldExpires, id + fieldConsumed, id + fieldUsed, id + fieldDelivered}
	values, err := s.client.HMGet(ctx, s.familyKey(family), names...).Result()
	if err != nil {
		return stores.Token{}, false, fault(ctx, what, err)
	}
	fields := make(map[string]string, len(names))
	for i, value := range values {
		if text, ok := value.(string); ok {
			fields[names[i]] = text
		}
	}
	if _, found := fields[id+fieldRecord]; !found {
		return stores.Token{}, false, nil
	}
	t, err := decodeToken(what, family, id, fields)
	return t, err == nil, err
}

// Consume implements stores.Tokens.
func (s *tokens) Consume(ctx context.Context, now time.Time, family, id string) (bool, error) {
	const what = "consume token"
	if !validName(family) || !validName(id) {
		return false, fault(ctx, what, ctx.Err())
	}
	got, err := s.run(ctx, what, consumeToken, []string{s.familyKey(family)}, nonce(), now.UnixMicro(), id, mark(now))
	return got == int64(1), err
}

// Touch implements stores.Tokens.
func (s *tokens) Touch(ctx context.Context, now time.Time, family, id string) error {
	const what = "touch token"
	if !validName(family) || !validName(id) {
		return fault(ctx, what, ctx.Err())
	}
	_, err := s.run(ctx, what, touchToken, []string{s.familyKey(family)}, id, mark(now))
	return err
}

// MarkDelivered implements stores.Tokens: it records when a response first carried the token.
func (s *tokens) MarkDelivered(ctx context.Context, now time.Time, family, id string) error {
	const what = "mark token as delivered"
	if !validName(family) || !validName(id) {
		return fault(ctx, what, ctx.Err())
	}
	_, err := s.run(ctx, what, deliverToken, []string{s.familyKey(family)}, id, mark(now))
	return err
}

// TokensOf implements stores.Tokens. It reads each family at one moment, but different
// families at different moments. If there are more tokens than the limit, it leaves out those
// of the families that expire first.
func (s *tokens) TokensOf(ctx context.Context, owner string, limit int, kinds ...stores.Kind) ([]stores.Token, error) {
	const what = "list tokens"
	if err := checkLimit(what, limit); err != nil {
		return nil, err
	}
	families, err := s.families(ctx, what, owner, kinds)
	if err != nil {
		return nil, err
	}
	slices.Reverse(families)
	var list []stores.Token
	for some := range slices.Chunk(families, batch) {
		if len(list) >= limit {
			break
		}
		keys := make([]string, len(some))
		for i, family := range some {
			keys[i] = s.familyKey(family)
		}
		hashes, err := s.hashes(ctx, what, keys)
		if err != nil {
			return nil, err
		}
		for i, fields := range hashes {
			if list, err = appendUnused(list, some[i], fields, owner, kinds); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(list, func(a, b stores.Token) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return list[:min(limit, len(list))], nil
}

// appendUnused appends the tokens of a family that belong to the owner and are not
// consumed. It appends nothing if the family is revoked.
func appendUnused(to []stores.Token, family string, fields map[string]string, owner string, kinds []stores.Kind) ([]stores.Token, error) {
	if fields[rootRevoked] != "" {
		return to, nil
	}
	for field := range fields {
		id, ok := strings.CutSuffix(field, fieldRecord)
		if !ok || fields[id+fieldConsumed] != "" {
			continue
		}
		t, err := decodeToken("list tokens", family, id, fields)
		if err != nil {
			return nil, err
		}
		if t.Owner == owner && among(t.Kind, kinds) {
			to = append(to, t)
		}
	}
	return to, nil
}

// families returns the families of the given kinds in an owner's index, those that expire
// first first.
func (s *tokens) families(ctx context.Context, what, owner string, kinds []stores.Kind) ([]string, error) {
	members, err := s.members(ctx, what, "to:", owner)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, member := range members {
		family, kind, ok := strings.Cut(member, ":")
		if ok && among(stores.Kind(kind), kinds) {
			list = append(list, family)
		}
	}
	return list, nil
}

// among reports whether kind is one of kinds. An empty list stands for all kinds.
func among(kind stores.Kind, kinds []stores.Kind) bool {
	return len(kinds) == 0 || slices.Contains(kinds, kind)
}
