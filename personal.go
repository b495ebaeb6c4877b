package ginauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/session"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// TokenSpec is what a personal access token is made for.
type TokenSpec struct {
	// Name is what its owner calls it: 1 to 255 bytes.
	Name string
	// Abilities are what it may be used for. None: nothing. "*": everything.
	// At most 64, each of at most 64 bytes without spaces.
	Abilities []string
	// Lifetime is how long it lives. Default Config.PersonalTokens.Lifetime.
	Lifetime time.Duration
	// RevokeOnPasswordChange ends the token when the owner's password or security
	// stamp changes. Otherwise it lives on: it belongs to a program, not to a
	// browser.
	RevokeOnPasswordChange bool
}

// PersonalToken is a personal access token as its owner sees it.
type PersonalToken struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Abilities []string  `json:"abilities"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires"`
	// LastUsed is to the minute, and zero if it was never used.
	LastUsed time.Time `json:"last_used,omitzero"`
	// Text is the token itself. It is known when it is made, and never again.
	Text string `json:"token,omitempty"`
}

// Format writes the identifier alone.
func (t PersonalToken) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "PersonalToken(%s)", t.ID) }

// LogValue returns the identifier alone.
func (t PersonalToken) LogValue() slog.Value { return slog.StringValue("PersonalToken(" + t.ID + ")") }

const (
	maxAbilities = 64
	maxAbility   = 64
)

func (n *TokenSpec) check() error {
	switch {
	case strings.TrimSpace(n.Name) == "":
		return autherr.Invalid("name", "is required")
	case len(n.Name) > 255 || !utf8.ValidString(n.Name) || strings.ContainsFunc(n.Name, unicode.IsControl):
		return autherr.Invalid("name", "is longer than 255 bytes or has characters that cannot be shown")
	case n.Lifetime < 0:
		return autherr.Invalid("lifetime", "is negative")
	case len(n.Abilities) > maxAbilities:
		return autherr.Invalid("abilities", fmt.Sprintf("are more than %d", maxAbilities))
	}
	for _, ability := range n.Abilities {
		if !validAbility(ability) {
			return autherr.Invalid("abilities", fmt.Sprintf("have one that is not 1 to %d visible characters", maxAbility))
		}
	}
	return nil
}

func validAbility(s string) bool {
	return s != "" && len(s) <= maxAbility && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// CreateToken makes a personal access token for the request's user. A request
// that is itself authenticated by one gets ErrForbidden: a leaked token must
// not make itself another. The other errors are *InputError,
// ErrUnauthenticated and ErrUnavailable.
func (a *Authenticator) CreateToken(ctx context.Context, n TokenSpec) (*PersonalToken, error) {
	u, err := a.ownUser(ctx)
	if err != nil {
		return nil, err
	}
	made, err := a.x.m.createToken(a.x.Within(ctx), a.current().realm, u, n, tokenData{address: request.Cut(a.x.IP(), 64)})
	if err != nil {
		return nil, err
	}
	// Looked at after the token is stored: of this and a revocation of the user
	// the second sees the first.
	phase, span := a.x.Span(context.WithoutCancel(ctx))
	defer span.End()
	if err = a.stillSame(phase, u); err != nil {
		_, revokeErr := a.x.m.stores.Tokens.RevokeFamily(phase, a.x.m.env.Now(), made.ID)
		return nil, errors.Join(err, autherr.Unavailable("revoke token", revokeErr))
	}
	a.x.m.Dispatch(ctx, events.TokenCreated{
		Meta: a.x.Meta(a.current().name, u.AuthID()), Kind: string(stores.Personal), TokenID: made.ID})
	return made, nil
}

// ownUser returns the request's user for what a user decides alone: somebody is
// logged in, not a program that holds a token for some purpose.
func (a *Authenticator) ownUser(ctx context.Context) (models.Authenticatable, error) {
	u, err := a.User(ctx)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, ErrUnauthenticated
	}
	if token, err := a.Token(ctx); err != nil || (token != nil && token.Scoped) {
		return nil, errors.Join(ErrForbidden, err)
	}
	return u, nil
}

// CreateToken makes a personal access token for a user of a guard, outside a
// request: for a command line or an administrator. The errors are *InputError,
// ErrInvalidCredentials for no user, and ErrUnavailable. It panics if there is
// no such guard.
func (m *Manager) CreateToken(ctx context.Context, guard string, u models.Authenticatable, n TokenSpec) (*PersonalToken, error) {
	g := m.mustGuard(guard)
	if u = present(u); u == nil || disabled(u) {
		return nil, ErrInvalidCredentials
	}
	made, err := m.createToken(ctx, g.realm, u, n, tokenData{})
	if err == nil {
		m.Dispatch(ctx, events.TokenCreated{
			Meta: events.Meta{Time: m.env.Now(), Guard: guard, UserID: u.AuthID()}, Kind: string(stores.Personal), TokenID: made.ID})
	}
	return made, err
}

func (m *Manager) createToken(
	ctx context.Context, realm string, u models.Authenticatable, n TokenSpec, data tokenData,
) (*PersonalToken, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	setDefault(&n.Lifetime, m.cfg.PersonalTokens.Lifetime)
	owner, err := tokenOwner(realm, u)
	if err != nil {
		return nil, err
	}
	if n.RevokeOnPasswordChange {
		data.bound, data.fingerprint = true, m.fingerprint(personalCredential, realm, u)
	}
	if err := m.roomForToken(ctx, owner); err != nil {
		return nil, err
	}
	token, now := opaque.NewPersonal(m.cfg.PersonalTokens.Prefix), m.env.Now()
	record := stores.Token{
		ID: token.ID, Family: token.ID, Kind: stores.Personal, Owner: owner, Digest: token.Digest(),
		Name: n.Name, Abilities: slices.Clone(n.Abilities), Data: data.encode(),
		Created: now, Expires: now.Add(n.Lifetime), FamilyExpires: now.Add(n.Lifetime),
	}
	ctx, span := m.env.Span(ctx)
	defer span.End()
	if created, err := m.stores.Tokens.Create(ctx, record); err != nil || !created {
		return nil, autherr.Unavailable("store token", errors.Join(err, refusedIf(!created)))
	}
	made := personalToken(record)
	made.Text = token.Text()
	return &made, nil
}

// maxTokens is how many personal access tokens a user may have: more than anybody
// keeps apart, too few to fill a store with.
const maxTokens = 100

func (m *Manager) roomForToken(ctx context.Context, owner string) error {
	ctx, span := m.env.Span(ctx)
	defer span.End()
	found, err := m.stores.Tokens.TokensOf(ctx, owner, stores.Personal)
	if err != nil {
		return autherr.Unavailable("list tokens", err)
	}
	now := m.env.Now()
	if n := len(slices.DeleteFunc(found, func(t stores.Token) bool { return !lives(t, now) })); n >= maxTokens {
		return autherr.Invalid("tokens", fmt.Sprintf("are %d already: revoke one", maxTokens))
	}
	return nil
}

var errStoreRefused = errors.New("the store refuses a new token")

func refusedIf(refused bool) error {
	if refused {
		return errStoreRefused
	}
	return nil
}

func personalToken(t stores.Token) PersonalToken {
	return PersonalToken{
		ID: t.ID, Name: t.Name, Abilities: append([]string{}, t.Abilities...),
		Created: t.Created, Expires: t.Expires, LastUsed: t.LastUsed,
	}
}

// Tokens returns the personal access tokens of the request's user that live,
// the newest first. The errors are ErrUnauthenticated and ErrUnavailable.
func (a *Authenticator) Tokens(ctx context.Context) ([]PersonalToken, error) {
	u, err := a.User(ctx)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, ErrUnauthenticated
	}
	found, err := a.personalTokens(ctx, u)
	tokens := make([]PersonalToken, 0, len(found))
	for _, t := range found {
		tokens = append(tokens, personalToken(t))
	}
	return tokens, err
}

func (a *Authenticator) personalTokens(ctx context.Context, u models.Authenticatable) ([]stores.Token, error) {
	ctx, span := a.x.Span(ctx)
	defer span.End()
	found, err := a.x.m.stores.Tokens.TokensOf(ctx, session.OwnerName(a.current().realm, u.AuthID()), stores.Personal)
	if err != nil {
		return nil, autherr.Unavailable("list tokens", err)
	}
	now := a.x.m.env.Now()
	return slices.DeleteFunc(found, func(t stores.Token) bool { return !lives(t, now) }), nil
}

// RevokeToken ends a personal access token of the request's user. One that does
// not exist, and one that is somebody else's, is ErrNotFound. The other errors
// are those of CreateToken.
func (a *Authenticator) RevokeToken(ctx context.Context, id string) error {
	u, err := a.ownUser(ctx)
	if err != nil {
		return err
	}
	m := a.x.m
	ctx, span := a.x.Span(context.WithoutCancel(ctx)) // what is revoked is so, also if the client hung up
	defer span.End()
	found, ok, err := m.stores.Tokens.Find(ctx, id, id)
	if err != nil {
		return autherr.Unavailable("find token", err)
	}
	if !ok || found.Kind != stores.Personal || found.Owner != session.OwnerName(a.current().realm, u.AuthID()) || !lives(found, m.env.Now()) {
		return ErrNotFound
	}
	if _, err := m.stores.Tokens.RevokeFamily(ctx, m.env.Now(), id); err != nil {
		return autherr.Unavailable("revoke token", err)
	}
	m.Dispatch(ctx, events.TokenRevoked{Meta: a.x.Meta(a.current().name, u.AuthID()), Kind: string(stores.Personal), TokenID: id})
	return nil
}

// TokenGuard makes a guard that reads personal access tokens. It is the New of
// such a GuardConfig.
func TokenGuard(s GuardSetup) (Guard, error) {
	return &tokenGuard{tokenUsers{s.Manager, s.Realm, s.Users}}, nil
}

// tokenGuard finds a request's user by a personal access token.
type tokenGuard struct{ tokenUsers }

var (
	_ challenger = (*tokenGuard)(nil)
	_ identifier = (*tokenGuard)(nil)
)

func (g *tokenGuard) challenge(r *http.Request) string { return bearerChallenge(r) }

// Identify looks the token up. A text whose checksum is wrong costs no store
// call; one that is right and names no token is counted, because it was not
// mistyped.
func (g *tokenGuard) Identify(ctx context.Context, a *Authenticator) (*Identity, error) {
	return identityOf(g.identify(ctx, a))
}

func (g *tokenGuard) identify(ctx context.Context, a *Authenticator) (models.Authenticatable, *TokenInfo, error) {
	text := a.x.bearer()
	if !opaque.LooksPersonal(g.m.cfg.PersonalTokens.Prefix, text) {
		return nil, nil, nil
	}
	token, ok := opaque.ParsePersonal(g.m.cfg.PersonalTokens.Prefix, text)
	if !ok {
		_ = g.m.jwt.refuse(ctx, errShape)
		return nil, nil, nil
	}
	user, info, err := g.find(ctx, token)
	if err == nil {
		return user, info, nil
	}
	if refused := g.m.jwt.refuse(ctx, err); !errors.Is(refused, ErrInvalidToken) {
		return nil, nil, refused
	}
	if errors.Is(err, errUnknownToken) {
		return nil, nil, a.x.countGuess(ctx)
	}
	return nil, nil, nil
}

func (g *tokenGuard) find(ctx context.Context, token opaque.Personal) (models.Authenticatable, *TokenInfo, error) {
	found, ok, err := g.m.stores.Tokens.Find(ctx, token.ID, token.ID)
	if err != nil {
		return nil, nil, autherr.Unavailable("find token", err)
	}
	id, owned := ownerID(g.realm, found.Owner)
	switch {
	case !ok || !found.Digest.Equal(token.Digest()):
		return nil, nil, errUnknownToken
	case found.Kind != stores.Personal || !owned:
		return nil, nil, errForeignToken
	case !lives(found, g.m.env.Now()):
		return nil, nil, errRevoked
	}
	data, err := parseTokenData(found.Data)
	if err != nil {
		return nil, nil, autherr.Unavailable("read token", err)
	}
	var fingerprint []byte
	if data.bound {
		fingerprint = data.fingerprint[:]
	}
	user, err := g.load(ctx, id, personalCredential, fingerprint)
	if err != nil {
		return nil, nil, err
	}
	g.m.touches.note(g.m, found)
	info := &struct { // one block of memory, unless there are many abilities
		TokenInfo
		abilities [4]string
	}{TokenInfo: TokenInfo{Kind: personalKind, ID: found.ID, Scoped: true}}
	// A copy: the store may keep the slice, and handlers are given this one.
	info.Abilities = append(info.abilities[:0], found.Abilities...)
	return user, &info.TokenInfo, nil
}
