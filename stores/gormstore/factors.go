package gormstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

var (
	_ stores.Factors    = (*factors)(nil)
	_ stores.Identities = (*identities)(nil)
)

// factors is the stores.Factors of a database. Rows are found by digests of their names, because
// databases compare text by different rules.
type factors struct {
	*core
	table                                          table
	list, advance, renew, delete, replace, version string
}

const (
	advanceBegin = "UPDATE {} SET {Counter} = ?, {LastUsed} = ?, {Version} = {Version} + 1"
	advanceEnd   = " WHERE {ID} = ? AND {Counter} < ?"
)

func newFactors(c *core) *factors {
	t := c.table(&models.Factor{})
	return &factors{
		core: c, table: t,
		list:    t.sql("SELECT * FROM {} WHERE {OwnerKey} = ? AND {Kind} <> '' ORDER BY {Created}, {FactorID}"),
		advance: t.sql(advanceBegin + advanceEnd),
		renew:   t.sql(advanceBegin + ", {Data} = ?" + advanceEnd),
		version: t.sql("SELECT {Version} FROM {} WHERE {ID} = ?"),
		delete:  t.sql("DELETE FROM {} WHERE {ID} = ?"),
		replace: t.sql("DELETE FROM {} WHERE {OwnerKey} = ? AND {Kind} = ?"),
	}
}

// digestOf returns a digest of texts without NUL, in hexadecimal.
func digestOf(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		h.Write(append([]byte(text), 0))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// FactorsOf implements stores.Factors.
func (s *factors) FactorsOf(ctx context.Context, owner string, kinds ...string) ([]stores.Factor, error) {
	if !validOwner(owner) {
		return nil, fault(ctx, "find factors", ctx.Err())
	}
	var rows []models.Factor
	err := s.read(ctx, "find factors", func(db *gorm.DB) error { return db.Raw(s.list, digestOf(owner)).Scan(&rows).Error })
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool)
	for _, kind := range kinds {
		wanted[kind] = true
	}
	var found []stores.Factor
	for _, r := range rows {
		if len(kinds) == 0 || wanted[r.Kind] {
			found = append(found, stores.Factor{
				Owner: r.Owner, Kind: r.Kind, ID: r.FactorID, Name: r.Name, Data: r.Data, Counter: r.Counter,
				Created: moment(r.Created), LastUsed: moment(r.LastUsed),
			})
		}
	}
	return found, nil
}

func factorRecord(f stores.Factor) models.Factor {
	return models.Factor{
		ID: digestOf(f.Owner, f.Kind, f.ID), OwnerKey: digestOf(f.Owner), Owner: f.Owner, Kind: f.Kind, FactorID: f.ID,
		Name: f.Name, Data: f.Data, Counter: f.Counter, Created: micro(f.Created), LastUsed: micro(f.LastUsed), Version: 1,
	}
}

// CreateFactor implements stores.Factors. It is not tried again after an error: a factor that an
// earlier try stored would look like another one.
func (s *factors) CreateFactor(ctx context.Context, f stores.Factor) error {
	const what = "create factor"
	if err := f.Validate(); err != nil {
		return fmt.Errorf("gormstore: %s: %w", what, err)
	}
	created := false
	record := factorRecord(f)
	err := s.transact(ctx, what, false, func(tx *gorm.DB) (bool, error) {
		if err := s.table.claim(tx, &record); err != nil {
			return false, err
		}
		var version int64 // of a row that was there it is more than 1 now, until the rollback
		err := tx.Raw(s.version, record.ID).Scan(&version).Error
		created = version == 1
		return created, err
	})
	if err == nil && !created {
		err = fmt.Errorf("gormstore: %s: %w", what, stores.ErrExists)
	}
	return err
}

// AdvanceFactor implements stores.Factors.
func (s *factors) AdvanceFactor(
	ctx context.Context, now time.Time, owner, kind, id string, counter int64, data []byte,
) (bool, error) {
	statement, args := s.advance, []any{counter, micro(now)}
	if data != nil {
		statement, args = s.renew, append(args, data)
	}
	return s.changeOne(ctx, "use factor", statement, append(args, digestOf(owner, kind, id), counter)...)
}

// DeleteFactor implements stores.Factors.
func (s *factors) DeleteFactor(ctx context.Context, owner, kind, id string) (bool, error) {
	return s.changeOne(ctx, "delete factor", s.delete, digestOf(owner, kind, id))
}

// changeOne runs a statement that changes one row at most once, and reports whether it did. If the answer
// of a try is lost, the next one changes nothing, and a factor counts as used that nobody used.
func (s *factors) changeOne(ctx context.Context, what, statement string, args ...any) (done bool, err error) {
	err = s.change(ctx, what, func(db *gorm.DB) error {
		result := db.Exec(statement, args...)
		done = result.RowsAffected == 1
		return result.Error
	})
	return done && err == nil, err
}

// ReplaceFactors implements stores.Factors. A row without a kind is what parallel calls wait for.
func (s *factors) ReplaceFactors(ctx context.Context, owner, kind string, list []stores.Factor) error {
	if err := stores.ValidateFactors(owner, kind, list); err != nil {
		return fmt.Errorf("gormstore: replace factors: %w", err)
	}
	turn := models.Factor{ID: digestOf(owner, kind), OwnerKey: digestOf(owner), Owner: owner, Version: 1}
	return s.transact(ctx, "replace factors", true, func(tx *gorm.DB) (bool, error) {
		if err := s.table.claim(tx, &turn); err != nil {
			return false, err
		}
		if err := tx.Exec(s.replace, digestOf(owner), kind).Error; err != nil {
			return false, err
		}
		if len(list) == 0 {
			return true, nil
		}
		rows := make([]models.Factor, len(list))
		for i, f := range list {
			rows[i] = factorRecord(f)
		}
		return true, s.table.create(tx, &rows)
	})
}

// identities is the stores.Identities of a database. Rows are found by digests of their names. A row
// without a provider is what parallel changes of one owner wait for.
type identities struct {
	*core
	table                                                  table
	find, list, count, others, version, use, renew, delete string
}

const (
	useBegin = "UPDATE {} SET {LastUsed} = ?, {Version} = {Version} + 1"
	useEnd   = " WHERE {ID} = ? AND {OwnerKey} = ?"
)

func newIdentities(c *core) *identities {
	t := c.table(&models.Identity{})
	const ofOwner = " FROM {} WHERE {OwnerKey} = ? AND {Provider} <> ''"
	return &identities{
		core: c, table: t,
		find:    t.sql("SELECT * FROM {} WHERE {ID} = ? AND {Provider} <> ''"),
		list:    t.sql("SELECT *" + ofOwner + " ORDER BY {Created}, {ID}"),
		count:   t.sql("SELECT COUNT(*)" + ofOwner),
		others:  t.sql("SELECT COUNT(*)" + ofOwner + " AND {ID} <> ? AND {Provider} IN ?"),
		version: t.sql("SELECT {Version} FROM {} WHERE {ID} = ?"),
		use:     t.sql(useBegin + useEnd),
		renew:   t.sql(useBegin + ", {Data} = ?" + useEnd),
		delete:  t.sql("DELETE FROM {} WHERE {ID} = ? AND {OwnerKey} = ?"),
	}
}

func identityOf(r models.Identity) stores.Identity {
	return stores.Identity{
		Provider: r.Provider, Subject: r.Subject, Owner: r.Owner, Data: r.Data,
		Created: moment(r.Created), LastUsed: moment(r.LastUsed),
	}
}

// FindIdentity implements stores.Identities.
func (s *identities) FindIdentity(ctx context.Context, provider, subject string) (stores.Identity, bool, error) {
	var rows []models.Identity
	err := s.read(ctx, "find identity", func(db *gorm.DB) error {
		return db.Raw(s.find, digestOf(provider, subject)).Scan(&rows).Error
	})
	if err != nil || len(rows) == 0 || !stores.ValidIdentitySubject(subject) {
		return stores.Identity{}, false, err
	}
	return identityOf(rows[0]), true, nil
}

// IdentitiesOf implements stores.Identities.
func (s *identities) IdentitiesOf(ctx context.Context, owner string) ([]stores.Identity, error) {
	if !validOwner(owner) {
		return nil, fault(ctx, "find identities", ctx.Err())
	}
	var rows []models.Identity
	err := s.read(ctx, "find identities", func(db *gorm.DB) error { return db.Raw(s.list, digestOf(owner)).Scan(&rows).Error })
	if err != nil {
		return nil, err
	}
	var found []stores.Identity
	for _, r := range rows {
		found = append(found, identityOf(r))
	}
	return found, nil
}

// lock makes parallel changes of the owner's identities wait until the transaction ends.
func (s *identities) lock(tx *gorm.DB, owner string) error {
	return s.table.claim(tx, &models.Identity{ID: digestOf("", owner), OwnerKey: digestOf(owner), Owner: owner, Version: 1})
}

// CreateIdentity implements stores.Identities. It is not tried again after a commit whose answer is lost.
func (s *identities) CreateIdentity(ctx context.Context, i stores.Identity) error {
	const what = "create identity"
	if err := i.Validate(); err != nil {
		return fmt.Errorf("gormstore: %s: %w", what, err)
	}
	record := models.Identity{
		ID: digestOf(i.Provider, i.Subject), OwnerKey: digestOf(i.Owner), Owner: i.Owner, Provider: i.Provider,
		Subject: i.Subject, Data: i.Data, Created: micro(i.Created), LastUsed: micro(i.LastUsed), Version: 1,
	}
	var refused error
	err := s.transact(ctx, what, false, func(tx *gorm.DB) (bool, error) {
		var count, version int64 // the version of a row that was there is more than 1 now, until the rollback
		refused = nil
		err := s.lock(tx, i.Owner)
		if err == nil {
			err = s.table.claim(tx, &record)
		}
		if err == nil {
			err = tx.Raw(s.version, record.ID).Scan(&version).Error
		}
		if err == nil {
			err = tx.Raw(s.count, record.OwnerKey).Scan(&count).Error
		}
		switch {
		case version != 1:
			refused = stores.ErrExists
		case count > stores.MaxIdentities:
			refused = stores.ErrFull
		}
		return refused == nil, err
	})
	if err == nil && refused != nil {
		err = fmt.Errorf("gormstore: %s: %w", what, refused)
	}
	return err
}

// UseIdentity implements stores.Identities.
func (s *identities) UseIdentity(
	ctx context.Context, now time.Time, owner, provider, subject string, data []byte,
) (used bool, err error) {
	const what = "use identity"
	if len(data) > stores.MaxIdentityData {
		return false, fmt.Errorf("gormstore: %s: more than %d bytes of data", what, stores.MaxIdentityData)
	}
	statement, args := s.use, []any{micro(now)}
	if data != nil {
		statement, args = s.renew, append(args, data)
	}
	err = s.change(ctx, what, func(db *gorm.DB) error {
		result := db.Exec(statement, append(args, digestOf(provider, subject), digestOf(owner))...)
		used = result.RowsAffected == 1
		return result.Error
	})
	return used && err == nil, err
}

// DeleteIdentity implements stores.Identities.
func (s *identities) DeleteIdentity(
	ctx context.Context, owner, provider, subject string, others ...string,
) (deleted bool, err error) {
	if !validOwner(owner) || provider == "" {
		return false, fault(ctx, "delete identity", ctx.Err())
	}
	id, key := digestOf(provider, subject), digestOf(owner)
	err = s.transact(ctx, "delete identity", false, func(tx *gorm.DB) (bool, error) {
		if err := s.lock(tx, owner); err != nil {
			return false, err
		}
		if len(others) > 0 {
			var count int64
			if err := tx.Raw(s.others, key, id, others).Scan(&count).Error; err != nil || count == 0 {
				return false, err
			}
		}
		result := tx.Exec(s.delete, id, key)
		deleted = result.RowsAffected == 1
		return deleted, result.Error
	})
	return deleted && err == nil, err
}
