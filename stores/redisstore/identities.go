package redisstore

import (
	"context"
	_ "embed" // the scripts
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Identities = (*identities)(nil)
	_ stores.Checker    = (*identities)(nil)
)

//go:embed lua/identity_create.lua
var identityCreate string

//go:embed lua/identity_keep.lua
var identityKeep string

//go:embed lua/identity_list.lua
var identityList string

//go:embed lua/identity_unlist.lua
var identityUnlist string

//go:embed lua/identity_mark.lua
var identityMark string

//go:embed lua/identity_use.lua
var identityUse string

var (
	createIdentity = newScript(identityCreate)
	keepIdentity   = newScript(identityKeep)
	listIdentity   = newScript(identityList)
	unlistIdentity = newScript(identityUnlist)
	markIdentity   = newScript(identityMark)
	useIdentity    = newScript(identityUse)
)

// unconfirmed is how long an identity exists of which nobody knows whether its owner's list has it,
// because its creation was interrupted.
const unconfirmed = time.Minute

// identities is the stores.Identities of a client. An identity is a hash in a slot of its own, so its name
// is taken in one step. An owner has a hash in another slot, which lists the identities with the names of
// the calls that stored them. An entry whose identity is gone counts nothing and is removed later. An
// identity that is about to be deleted is marked in the list first, so none is without its entry.
type identities struct{ *core }

func (s *identities) ownerKey(owner string) string { return s.indexKey("io:", owner) }

// key returns the key of an identity, and field its place in the owner's list.
func (s *identities) key(provider, subject string) string {
	return s.indexKey("i:", provider+"\x00"+subject)
}

func (s *identities) field(provider, subject string) string {
	return provider + ":" + strings.TrimPrefix(s.key(provider, subject), s.prefix+"i:")
}

func (s *identities) decode(fields map[string]string) (stores.Identity, error) {
	i := stores.Identity{Provider: fields["p"], Subject: fields["s"], Owner: fields["o"]}
	var readable [2]bool
	i.Created, readable[0] = moment(fields["c"])
	i.LastUsed, readable[1] = moment(fields["u"])
	if data := fields["d"]; data != "" {
		i.Data = []byte(data)
	}
	if i.Validate() != nil || !readable[0] || !readable[1] {
		return stores.Identity{}, corrupt("read identity", "a field is missing or unreadable")
	}
	return i, nil
}

// FindIdentity implements stores.Identities.
func (s *identities) FindIdentity(ctx context.Context, provider, subject string) (stores.Identity, bool, error) {
	const what = "find identity"
	if !stores.ValidIdentityProvider(provider) || !stores.ValidIdentitySubject(subject) || ctx.Err() != nil {
		return stores.Identity{}, false, fault(ctx, what, ctx.Err())
	}
	fields, err := s.client.HGetAll(ctx, s.key(provider, subject)).Result()
	if err != nil || len(fields) == 0 || fields["w"] != "" { // never confirmed
		return stores.Identity{}, false, fault(ctx, what, err)
	}
	i, err := s.decode(fields)
	return i, err == nil, err
}

// IdentitiesOf implements stores.Identities.
func (s *identities) IdentitiesOf(ctx context.Context, owner string) ([]stores.Identity, error) {
	found, _, err := s.list(ctx, owner)
	return found, err
}

// list returns an owner's identities, and the entries of the list without one, with their values.
func (s *identities) list(ctx context.Context, owner string) (found []stores.Identity, stale []any, err error) {
	const what = "find identities"
	if !validOwner(owner) || ctx.Err() != nil {
		return nil, nil, fault(ctx, what, ctx.Err())
	}
	entries, err := s.client.HGetAll(ctx, s.ownerKey(owner)).Result()
	if err != nil || len(entries) == 0 {
		return nil, nil, fault(ctx, what, err)
	}
	var fields, keys []string
	for field := range entries {
		_, digest, _ := strings.Cut(field, ":")
		fields, keys = append(fields, field), append(keys, s.prefix+"i:"+digest)
	}
	hashes, err := s.hashes(ctx, what, keys)
	if err != nil {
		return nil, nil, err
	}
	for n, hash := range hashes {
		if value := entries[fields[n]]; hash["n"] != strings.TrimPrefix(value, "-") || hash["o"] != owner {
			stale = append(stale, fields[n], value)
			continue
		}
		i, err := s.decode(hash)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, i)
	}
	slices.SortFunc(found, func(a, b stores.Identity) int { return a.Created.Compare(b.Created) })
	return found, stale, nil
}

// tidy removes the entries of an owner's list without an identity.
func (s *identities) tidy(ctx context.Context, owner string) error {
	_, stale, err := s.list(ctx, owner)
	if err == nil && len(stale) > 0 {
		_, err = s.run(ctx, "tidy identities", unlistIdentity, []string{s.ownerKey(owner)}, stale...)
	}
	return err
}

// yes runs a script that answers 1 for yes.
func (s *identities) yes(ctx context.Context, what string, script *script, key string, args ...any) (bool, error) {
	got, err := s.run(ctx, what, script, []string{key}, args...)
	return got == int64(1), err
}

// CreateIdentity implements stores.Identities.
func (s *identities) CreateIdentity(ctx context.Context, i stores.Identity) error {
	const what = "create identity"
	if err := i.Validate(); err != nil {
		return fmt.Errorf("redisstore: %s: %w", what, err)
	}
	key, name := s.key(i.Provider, i.Subject), hex.EncodeToString([]byte(nonce()))
	created, err := s.yes(ctx, what, createIdentity, key, name, unconfirmed.Milliseconds(), i.Owner, "p", i.Provider,
		"s", i.Subject, "d", i.Data, "c", micro(i.Created), "u", micro(i.LastUsed))
	if err == nil && !created {
		err = fmt.Errorf("redisstore: %s: %w", what, stores.ErrExists)
	}
	if err != nil {
		return err
	}
	listed, err := s.enlist(ctx, i, name)
	if err == nil && listed {
		kept, err := s.yes(ctx, what, keepIdentity, key, name, "keep")
		if err == nil && !kept {
			err = fmt.Errorf("redisstore: %s: %w: another call has stored it meanwhile", what, stores.ErrExists)
		}
		return err
	}
	if err == nil && !listed {
		_, err = s.yes(ctx, what, keepIdentity, key, name, "delete")
		if err == nil {
			err = fmt.Errorf("redisstore: %s: %w", what, stores.ErrFull)
		}
	}
	return err
}

// enlist adds an identity to its owner's list. It returns false if the list is full.
func (s *identities) enlist(ctx context.Context, i stores.Identity, name string) (listed bool, err error) {
	const what = "list identity"
	for range 2 {
		listed, err = s.yes(ctx, what, listIdentity, s.ownerKey(i.Owner), s.field(i.Provider, i.Subject), name, stores.MaxIdentities)
		if err != nil || listed {
			return listed, err
		}
		if err = s.tidy(ctx, i.Owner); err != nil {
			return false, err
		}
	}
	return false, nil
}

// UseIdentity implements stores.Identities.
func (s *identities) UseIdentity(
	ctx context.Context, now time.Time, owner, provider, subject string, data []byte,
) (bool, error) {
	const what = "use identity"
	if len(data) > stores.MaxIdentityData {
		return false, fmt.Errorf("redisstore: %s: more than %d bytes of data", what, stores.MaxIdentityData)
	}
	if !validOwner(owner) || !stores.ValidIdentitySubject(subject) {
		return false, fault(ctx, what, ctx.Err())
	}
	args := []any{owner, "u", micro(now)}
	if data != nil {
		args = append(args, "d", data)
	}
	return s.yes(ctx, what, useIdentity, s.key(provider, subject), args...)
}

// DeleteIdentity implements stores.Identities.
func (s *identities) DeleteIdentity(ctx context.Context, owner, provider, subject string, others ...string) (bool, error) {
	const what = "delete identity"
	if !validOwner(owner) || !stores.ValidIdentitySubject(subject) {
		return false, fault(ctx, what, ctx.Err())
	}
	if err := s.tidy(ctx, owner); err != nil {
		return false, err
	}
	field := s.field(provider, subject)
	args := []any{field}
	for _, other := range others {
		args = append(args, other+":")
	}
	marked, err := s.run(ctx, what, markIdentity, []string{s.ownerKey(owner)}, args...)
	name, _ := marked.(string)
	if err != nil || name == "" {
		return false, err
	}
	deleted, err := s.yes(ctx, what, keepIdentity, s.key(provider, subject), name, "delete")
	if err == nil {
		_, err = s.run(ctx, what, unlistIdentity, []string{s.ownerKey(owner)}, field, "-"+name)
	}
	return deleted && err == nil, err
}
