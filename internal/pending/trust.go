package pending

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// A trusted device skips the second factor of one user, by one guard. Its token proves nothing alone:
// it counts after a first proof only. It is bound to the user's security stamp and to the factors
// that the user has, so that a change of either ends it.

// trustPrefix begins the text of the token of a trusted device.
const trustPrefix = "gtd_"

func trustCookie(r *request.State, g Guard) string { return r.Jar.Sibling("trusted_" + g.Name) }

// trust makes the token of a device that a user trusts from now on. It is "" if nobody may trust a
// device. No client has the token before HandTrust.
func (s *Service) trust(ctx context.Context, r *request.State, g Guard, u models.Authenticatable, factors []string) (string, error) {
	if s.Rules.TrustLifetime < 0 {
		return "", nil
	}
	owner, err := g.Realm.TokenOwner(u)
	if err != nil {
		return "", err
	}
	ctx, span := r.Span(ctx)
	defer span.End()
	set, err := s.factorSet(ctx, owner, factors)
	if err != nil {
		return "", err
	}
	token, now := opaque.New(), s.Env.Now()
	end := now.Add(s.Rules.TrustLifetime)
	data := tokens.Data{Bound: true, Fingerprint: g.Realm.Sum(stamp.Trusted, u), Address: request.Cut(r.IP(), 64)}
	err = s.Tokens.StoreLogin(ctx, r, g.Name, u.AuthID(), stores.Token{
		ID: token.ID, Family: token.Family, Kind: stores.Trusted, Owner: owner, Digest: token.Digest(),
		Abilities: []string{g.Name, set}, Name: r.UserAgent(), Data: data.Encode(),
		Created: now, Expires: end, FamilyExpires: end,
	})
	if err != nil {
		return "", err
	}
	r.Emit(events.DeviceTrusted{Meta: r.Meta(g.Name, u.AuthID()), TokenID: token.Family})
	return token.Text(trustPrefix), nil
}

// TrustIf is trust for the answer to a challenge, if the options ask for it.
func (s *Service) TrustIf(ctx context.Context, r *request.State, f *Found, options []factor.AnswerOption) (string, error) {
	var answer factor.Answer
	for _, option := range options {
		option(&answer)
	}
	if !answer.Trust {
		return "", nil
	}
	// The answer may have used a factor up, such as the last recovery code.
	factors, err := s.Factors(ctx, r, f.By.Realm, f.User)
	if err != nil {
		return "", err
	}
	return s.trust(ctx, r, f.By, f.User, factors)
}

// HandTrust gives the client the token of a trusted device, with the result of its login.
func (s *Service) HandTrust(r *request.State, g Guard, text string, res *factor.Result) {
	switch {
	case text == "":
	case res.Tokens != nil:
		res.Tokens.TrustToken = text
	case g.Sessions:
		r.SetCookie(trustCookie(r, g), text, s.Rules.TrustLifetime)
	}
}

// trusted reports whether a request comes from a device that the user trusts: by the token that it
// presents, or by the cookie of a guard with sessions. Factors are those that the user has.
func (s *Service) trusted(
	ctx context.Context, r *request.State, g Guard, u models.Authenticatable, factors []string, presented string,
) (bool, error) {
	if s.Rules.TrustLifetime < 0 {
		return false, nil
	}
	if presented == "" && g.Sessions {
		presented, _ = r.Jar.Get(r.HTTP.Header, trustCookie(r, g))
	}
	token, ok := opaque.Parse(trustPrefix, presented)
	if !ok {
		return false, nil
	}
	ctx, span := r.Span(ctx)
	defer span.End()
	found, ok, err := s.Tokens.Find(ctx, token)
	owner := g.Realm.Owner(u.AuthID())
	if err != nil || !ok || found.Kind != stores.Trusted || found.Owner != owner ||
		len(found.Abilities) != 2 || found.Abilities[0] != g.Name || !tokens.Lives(found, s.Env.Now()) {
		return false, err
	}
	data, err := tokens.ParseData(found.Data)
	if err != nil {
		return false, autherr.Unavailable("read trusted device", err)
	}
	if !data.Bound || !g.Realm.Fits(stamp.Trusted, u, data.Fingerprint) {
		return false, nil
	}
	set, err := s.factorSet(ctx, owner, factors)
	return err == nil && set == found.Abilities[1], err
}

// factorSet names the factors that a user has: which there are, and when each was enrolled. A code
// that is used up is no change, unless it was the last one, and new codes are one.
func (s *Service) factorSet(ctx context.Context, owner string, factors []string) (string, error) {
	sum := sha256.New()
	backup := func(name string) bool {
		return slices.ContainsFunc(s.Challenges, func(c factor.Challenge) bool { return c.Backup && c.Name == name })
	}
	for _, name := range factors {
		if !backup(name) {
			add(sum, "factor", name)
		}
	}
	if s.Store != nil {
		stored, err := s.Store.FactorsOf(ctx, owner)
		if err != nil {
			return "", autherr.Unavailable("look up factors", err)
		}
		backups := make(map[string]time.Time)
		for _, f := range stored {
			if backup(f.Kind) {
				backups[f.Kind] = latest(backups[f.Kind], f.Created)
				continue
			}
			add(sum, f.Kind, f.ID, f.Created.UTC().Format(time.RFC3339Nano))
		}
		for _, kind := range slices.Sorted(maps.Keys(backups)) {
			add(sum, kind, backups[kind].UTC().Format(time.RFC3339Nano))
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// add adds texts to a hash such that no other texts give the same.
func add(sum hash.Hash, texts ...string) {
	for _, text := range texts {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(text), text)
	}
}
