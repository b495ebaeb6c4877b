package accounts

import (
	"context"
	"errors"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/tokens"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// UseCode uses the code of a message up. A guess is counted and compared before anything is looked up.
func (o *OneTime) UseCode(ctx context.Context, purpose, request, code string) (factor.Proved, error) {
	none := factor.Proved{}
	code, err := parseCode(code)
	if err != nil {
		return none, err
	}
	a, ok := o.request(purpose, request)
	if !ok {
		return none, autherr.ErrInvalidCode
	}
	if err := o.guess(ctx, "code", a.family, a.sum, code); err != nil {
		return none, err
	}
	proved, err := o.use(ctx, purpose, a)
	if errors.Is(err, autherr.ErrInvalidLink) {
		err = autherr.ErrInvalidCode
	}
	return proved, err
}

// forget deletes the cookie of a login that was used up.
func (o *OneTime) forget() {
	name := o.r.Jar.Sibling(oneTimeCookie)
	if _, ok := o.r.Cookie(name); ok {
		o.r.DeleteCookie(name)
	}
}

// request returns the request of a text, or of the browser's cookie if it is "".
func (o *OneTime) request(purpose, text string) (asked, bool) {
	if text == "" {
		_, _, a, ok := o.kept(purpose)
		return a, ok
	}
	return o.open(purpose, clientRequest, text)
}

// guess counts a guess at a code and compares it. The code of a message and that on a screen are counted apart.
func (o *OneTime) guess(ctx context.Context, what, family string, sum stores.Digest, code string) error {
	if err := o.s.Limiter.GuessCode(ctx, o.r, o.r.Meta(o.guard, ""), what+" "+family); err != nil {
		return err
	}
	if !o.s.isCodeOf(sum, family, code) {
		return autherr.ErrInvalidCode
	}
	return nil
}

// use uses up a login whose code or link was right.
func (o *OneTime) use(ctx context.Context, purpose string, a asked) (factor.Proved, error) {
	if !a.known {
		return o.useStranger(ctx, a)
	}
	spanned, span := o.r.Span(ctx)
	found, ok, err := o.s.Tokens.Named(spanned, a.family, a.id)
	span.End()
	if err != nil {
		return factor.Proved{}, err
	}
	if !ok {
		return factor.Proved{}, autherr.ErrInvalidLink
	}
	data, ok := parseSent(found.Data)
	if !ok || data.second {
		return factor.Proved{}, autherr.ErrInvalidLink
	}
	u, err := o.consume(ctx, purpose, found, data)
	return factor.Proved{User: u, Email: a.email, Remember: a.remember}, err
}

// consume uses a record up and returns its user, who must be the same as when it was made.
func (o *OneTime) consume(ctx context.Context, purpose string, t stores.Token, data sent) (models.Authenticatable, error) {
	if !o.usable(t, purpose) {
		return nil, autherr.ErrInvalidLink
	}
	id, owned := o.rm.OwnerID(t.Owner)
	if !owned {
		return nil, autherr.ErrInvalidLink
	}
	ctx, span := o.r.Span(context.WithoutCancel(ctx))
	defer span.End()
	u, err := o.rm.ByID(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case u == nil || realm.Disabled(u) || !o.fits(data, u):
		return nil, autherr.ErrInvalidLink
	}
	used, err := o.s.Tokens.Consume(ctx, t)
	if err == nil && !used {
		err = autherr.ErrInvalidLink
	}
	if err != nil {
		return nil, err
	}
	o.forget()
	return u, nil
}

func (o *OneTime) usable(t stores.Token, purpose string) bool {
	return o.isOf(t, purpose) && t.Consumed.IsZero() && tokens.Lives(t, o.s.Env.Now())
}

func (o *OneTime) isOf(t stores.Token, purpose string) bool {
	return t.Kind == stores.OneTime && len(t.Abilities) == 2 && t.Abilities[0] == o.guard && t.Abilities[1] == purpose
}

// useStranger uses up a login of an address that had no user when it was asked for. Its record is made
// only now, by the person who proved to read mail there.
func (o *OneTime) useStranger(ctx context.Context, a asked) (factor.Proved, error) {
	s := o.s
	now, end := s.Env.Now(), a.made.Add(factor.OneTimeLifetime)
	if !a.strangers || !now.Before(end) { // what is sealed opens a moment longer than the record says that it was used
		return factor.Proved{}, autherr.ErrInvalidLink
	}
	ctx, span := o.r.Span(context.WithoutCancel(ctx))
	defer span.End()
	first, err := s.Tokens.Claim(ctx, stores.Token{
		ID: a.id, Family: a.family, Kind: stores.OneTime, Digest: opaque.New().Digest(),
		Created: now, Expires: end, FamilyExpires: end,
	})
	if err == nil && !first {
		err = autherr.ErrInvalidLink
	}
	if err != nil {
		return factor.Proved{}, err
	}
	o.forget()
	if a.mailed {
		o.r.ProveMailbox(a.email)
	}
	u, err := o.Registered(ctx, a.email) // who may have registered meanwhile
	if err == nil && u != nil && (realm.Disabled(u) || !a.mailed) {
		err = autherr.ErrInvalidLink
	}
	return factor.Proved{User: u, Email: a.email, Remember: a.remember}, err
}

// Registered returns the user of an address, or nil.
func (o *OneTime) Registered(ctx context.Context, email string) (models.Authenticatable, error) {
	canonical, err := o.rm.Canonical(emailField, email)
	if err != nil {
		return nil, err
	}
	ctx, span := o.r.Span(ctx)
	defer span.End()
	return o.rm.ByIdentifier(ctx, emailField, canonical)
}

// Asked reports whether this browser asked for a link.
func (o *OneTime) Asked(purpose, link string) bool {
	_, _, a, ok := o.kept(purpose)
	family, _ := o.familyOf(purpose, link)
	return ok && family == a.family
}

// familyOf returns the family that a link names, and what the link of a stranger says.
func (o *OneTime) familyOf(purpose, link string) (string, *asked) {
	if t, ok := opaque.Parse(linkPrefix, link); ok {
		return t.Family, nil
	}
	if a, ok := o.open(purpose, strangerLink, link); ok {
		return a.family, &a
	}
	return "", nil
}

// UseLink uses a link up.
func (o *OneTime) UseLink(ctx context.Context, purpose, link, request, screen string) (factor.Proved, error) {
	none := factor.Proved{}
	family, a := o.familyOf(purpose, link)
	if family == "" {
		return none, autherr.ErrInvalidLink
	}
	asking, ok := o.request(purpose, request)
	ok = ok && asking.family == family // the rest of the request is sealed
	if a != nil {
		if err := o.screen(ctx, ok, family, a.sum, screen); err != nil {
			return none, err
		}
		return o.useStranger(ctx, *a)
	}
	t, _ := opaque.Parse(linkPrefix, link)
	spanned, span := o.r.Span(ctx)
	found, right, err := o.s.Tokens.Find(spanned, t)
	span.End()
	if err != nil {
		return none, err
	}
	data, parsed := parseSent(found.Data)
	if !right || !parsed || data.second || !o.usable(found, purpose) {
		return none, autherr.ErrInvalidLink
	}
	if err := o.screen(ctx, ok, family, data.sum, screen); err != nil {
		return none, err
	}
	u, err := o.consume(ctx, purpose, found, data)
	return factor.Proved{User: u, Remember: data.remember}, err
}

// screen reports whether a client may use a link: it asked for it, or it knows the code on the screen of
// the one that did.
func (o *OneTime) screen(ctx context.Context, asked bool, family string, sum stores.Digest, given string) error {
	if asked {
		return nil
	}
	if given == "" {
		return autherr.Invalid("code", "is required in this browser: it is shown where the link was asked for")
	}
	code, err := parseCode(given)
	if err != nil {
		return err
	}
	return o.guess(ctx, "screen", family, sum, code)
}

// CheckCode reports whether a code is one that SendCode sent, and uses it up.
func (o *OneTime) CheckCode(ctx context.Context, u models.Authenticatable, purpose, code string) (bool, error) {
	code, err := parseCode(code)
	if err != nil {
		return false, err
	}
	spanned, span := o.r.Span(ctx)
	all, err := o.s.Tokens.All(spanned, o.rm.Owner(u.AuthID()), stores.OneTime)
	span.End()
	if err != nil {
		return false, err
	}
	for _, t := range all {
		data, ok := parseSent(t.Data)
		if !ok || !data.second || !o.isOf(t, purpose) || !o.s.isCodeOf(data.sum, t.Family, code) {
			continue
		}
		_, err := o.consume(ctx, purpose, t, data)
		if errors.Is(err, autherr.ErrInvalidLink) {
			return false, nil
		}
		return err == nil, err
	}
	return false, nil
}

// Prove verifies the user's address.
func (o *OneTime) Prove(ctx context.Context, u models.Authenticatable) (models.Authenticatable, error) {
	verifier, ok := o.rm.Users.(models.EmailVerifier)
	if !ok || !neverVerified(u) {
		return u, nil
	}
	own, err := o.own(ctx)
	if err != nil {
		return nil, err
	}
	ctx = o.r.EventContext(context.WithoutCancel(ctx))
	done, err := o.s.proveMailbox(ctx, o.rm, verifier, o.guard, u, Opener{Request: o.r, User: own})
	if err != nil {
		return nil, err
	}
	ctx, span := o.s.Env.Span(ctx)
	defer span.End()
	now, err := o.rm.ByID(ctx, done.User.AuthID())
	if err == nil && (now == nil || realm.Disabled(now)) {
		err = autherr.ErrInvalidLink
	}
	return now, err
}
