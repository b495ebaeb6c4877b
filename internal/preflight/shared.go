package preflight

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/stores"
)

const (
	// applicationOwner owns the marks of applications. Owners of users have a colon.
	applicationOwner = "application"
	// application is the kind of a mark. No door accepts a token of this kind.
	application stores.Kind = "application"
	// markLifetime is how long a mark is there after the last Preflight of its application.
	markLifetime = 30 * 24 * time.Hour
	// maxMarks is how many marks are read.
	maxMarks = 100
)

// Shared finds another application in the same store: each Preflight leaves a mark there, a
// MAC under the application's key. The mark of a previous key is an own one, so the key can be
// rotated. Nothing is found where the store cannot be read, and no mark is left where it cannot be
// written: other findings tell.
func Shared(ctx context.Context, tokens stores.Tokens, own keys.Subkeys, now time.Time) []Finding {
	marks, err := tokens.TokensOf(ctx, applicationOwner, maxMarks, application)
	if err != nil {
		return nil
	}
	var found []Finding
	marked := false
	for _, t := range marks {
		if !t.Expires.After(now) || !t.FamilyRevoked.IsZero() {
			continue
		}
		key, ok := own.Verify(t.Data, []byte(applicationOwner))
		marked = marked || ok && key == 0 && t.Expires.Sub(now) > markLifetime/2
		if !ok && found == nil {
			found = append(found, Finding{Subject: "Stores", Problem: "an application with another Key uses the same tables, or the same prefix of Redis," +
				" since " + t.Created.UTC().Format(time.DateOnly) + ": users with equal ids see each other's devices and tokens. Give each application" +
				" a gormstore.TablePrefix or redisstore.WithPrefix of its own. After a change of the Key, list the former one in PreviousKeys"})
		}
	}
	if !marked {
		mac, token := own.MAC([]byte(applicationOwner)), opaque.New()
		end := now.Add(markLifetime)
		_, _ = tokens.Create(ctx, stores.Token{
			ID: token.ID, Family: token.Family, Kind: application, Owner: applicationOwner, Digest: token.Digest(),
			Data: mac[:], Created: now, Expires: end, FamilyExpires: end,
		})
	}
	return found
}
