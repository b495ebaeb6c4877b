package redisstore

import (
	"cmp"
	"context"
	_ "embed" // the scripts
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Factors = (*factors)(nil)
	_ stores.Checker = (*factors)(nil)
)

//go:embed lua/factor_create.lua
var factorCreate string

//go:embed lua/factor_advance.lua
var factorAdvance string

//go:embed lua/factor_delete.lua
var factorDelete string

//go:embed lua/factor_replace.lua
var factorReplace string

var (
	createFactor   = onlyOnce(newScript(factorCreate))
	advanceFactor  = onlyOnce(newScript(factorAdvance))
	deleteFactor   = onlyOnce(newScript(factorDelete))
	replaceFactors = newScript(factorReplace)
)

// factors is the stores.Factors of a client. The factors of an owner are a hash, so every change is
// one script on one server. A field is a kind and an id; its value is the counter, the time of the last
// use, the data in base64 with a dot behind, and the rest as JSON.
type factors struct{ *core }

func (s *factors) key(owner string) string { return s.indexKey("f:", owner) }

func factorField(kind, id string) string { return kind + ":" + id }

// factorRest is what no script looks at.
type factorRest struct {
	Name    string `json:"n,omitempty"`
	Created int64  `json:"c"`
}

func encodeFactor(f stores.Factor) (string, error) {
	rest, err := json.Marshal(factorRest{f.Name, micro(f.Created)})
	return fmt.Sprintf("%d %d %s. %s", f.Counter, micro(f.LastUsed), base64.StdEncoding.EncodeToString(f.Data), rest), err
}

func decodeFactor(owner, field, value string) (stores.Factor, error) {
	f := stores.Factor{Owner: owner}
	var named bool
	f.Kind, f.ID, named = strings.Cut(field, ":")
	parts := strings.SplitN(value, " ", 4)
	if !named || len(parts) != 4 {
		return f, fmt.Errorf("redisstore: factor: %w", stores.ErrCorrupt)
	}
	var rest factorRest
	counter, err := strconv.ParseInt(parts[0], 10, 64)
	used, readable := moment(parts[1])
	data, dataErr := base64.StdEncoding.DecodeString(strings.TrimSuffix(parts[2], "."))
	if err = cmp.Or(err, dataErr, json.Unmarshal([]byte(parts[3]), &rest)); err != nil || !readable {
		return f, fmt.Errorf("redisstore: factor: %w", stores.ErrCorrupt)
	}
	f.Counter, f.LastUsed, f.Name, f.Data = counter, used, rest.Name, data
	f.Created, _ = moment(strconv.FormatInt(rest.Created, 10))
	return f, nil
}

// FactorsOf implements stores.Factors.
func (s *factors) FactorsOf(ctx context.Context, owner string, kinds ...string) ([]stores.Factor, error) {
	const what = "find factors"
	if !validOwner(owner) || ctx.Err() != nil {
		return nil, fault(ctx, what, ctx.Err())
	}
	fields, err := s.client.HGetAll(ctx, s.key(owner)).Result()
	if err != nil {
		return nil, fault(ctx, what, err)
	}
	var found []stores.Factor
	for field, value := range fields {
		f, err := decodeFactor(owner, field, value)
		if err != nil {
			return nil, err
		}
		if len(kinds) == 0 || slices.Contains(kinds, f.Kind) {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(a, b stores.Factor) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return found, nil
}

// CreateFactor implements stores.Factors.
func (s *factors) CreateFactor(ctx context.Context, f stores.Factor) error {
	const what = "create factor"
	if err := f.Validate(); err != nil {
		return fmt.Errorf("redisstore: %s: %w", what, err)
	}
	value, err := encodeFactor(f)
	if err != nil {
		return err
	}
	created, err := s.changed(ctx, what, createFactor, f.Owner, factorField(f.Kind, f.ID), value)
	if err == nil && !created {
		err = fmt.Errorf("redisstore: %s: %w", what, stores.ErrExists)
	}
	return err
}

// AdvanceFactor implements stores.Factors. A counter is at most 2^53, which is exact in a script.
func (s *factors) AdvanceFactor(ctx context.Context, now time.Time, owner, kind, id string, counter int64, data []byte) (bool, error) {
	text := "" // keeps what is stored
	if data != nil {
		text = base64.StdEncoding.EncodeToString(data) + "."
	}
	return s.changed(ctx, "use factor", advanceFactor, owner, factorField(kind, id), counter, micro(now), text)
}

// DeleteFactor implements stores.Factors.
func (s *factors) DeleteFactor(ctx context.Context, owner, kind, id string) (bool, error) {
	return s.changed(ctx, "delete factor", deleteFactor, owner, factorField(kind, id))
}

// changed runs a script that answers 1 if it changed something.
func (s *factors) changed(ctx context.Context, what string, script *script, owner string, args ...any) (bool, error) {
	if !validOwner(owner) {
		return false, fault(ctx, what, ctx.Err())
	}
	got, err := s.run(ctx, what, script, []string{s.key(owner)}, args...)
	return got == int64(1), err
}

// ReplaceFactors implements stores.Factors.
func (s *factors) ReplaceFactors(ctx context.Context, owner, kind string, list []stores.Factor) error {
	if err := stores.ValidateFactors(owner, kind, list); err != nil {
		return fmt.Errorf("redisstore: replace factors: %w", err)
	}
	args := []any{kind + ":"}
	for _, f := range list {
		value, err := encodeFactor(f)
		if err != nil {
			return err
		}
		args = append(args, factorField(f.Kind, f.ID), value)
	}
	_, err := s.run(ctx, "replace factors", replaceFactors, []string{s.key(owner)}, args...)
	return err
}
