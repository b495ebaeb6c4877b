package deadline

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Stores returns a set in which each call of Factors and of Identities takes at most a time. Features
// call them outside the store time of a request, where nothing else would end a call that hangs.
func Stores(set stores.Set, limit time.Duration) stores.Set {
	if set.Factors != nil {
		set.Factors = factors{set.Factors, limit}
	}
	if set.Identities != nil {
		set.Identities = identities{set.Identities, limit}
	}
	return set
}

type factors struct {
	store stores.Factors
	limit time.Duration
}

func (f factors) FactorsOf(ctx context.Context, owner string, kinds ...string) ([]stores.Factor, error) {
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	return f.store.FactorsOf(ctx, owner, kinds...)
}

func (f factors) CreateFactor(ctx context.Context, n stores.Factor) error {
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	return f.store.CreateFactor(ctx, n)
}

func (f factors) AdvanceFactor(
	ctx context.Context, now time.Time, owner, kind, id string, counter int64, data []byte,
) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	return f.store.AdvanceFactor(ctx, now, owner, kind, id, counter, data)
}

func (f factors) DeleteFactor(ctx context.Context, owner, kind, id string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	return f.store.DeleteFactor(ctx, owner, kind, id)
}

func (f factors) ReplaceFactors(ctx context.Context, owner, kind string, list []stores.Factor) error {
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	return f.store.ReplaceFactors(ctx, owner, kind, list)
}

type identities struct {
	store stores.Identities
	limit time.Duration
}

func (i identities) FindIdentity(ctx context.Context, provider, subject string) (stores.Identity, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, i.limit)
	defer cancel()
	return i.store.FindIdentity(ctx, provider, subject)
}

func (i identities) IdentitiesOf(ctx context.Context, owner string) ([]stores.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, i.limit)
	defer cancel()
	return i.store.IdentitiesOf(ctx, owner)
}

func (i identities) CreateIdentity(ctx context.Context, n stores.Identity) error {
	ctx, cancel := context.WithTimeout(ctx, i.limit)
	defer cancel()
	return i.store.CreateIdentity(ctx, n)
}

func (i identities) UseIdentity(ctx context.Context, now time.Time, owner, provider, subject string, data []byte) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, i.limit)
	defer cancel()
	return i.store.UseIdentity(ctx, now, owner, provider, subject, data)
}

func (i identities) DeleteIdentity(ctx context.Context, owner, provider, subject string, others ...string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, i.limit)
	defer cancel()
	return i.store.DeleteIdentity(ctx, owner, provider, subject, others...)
}
