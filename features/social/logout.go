package social

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores"
)

const (
	// sidKind is the kind of the records that say whose a session of a provider is.
	sidKind stores.Kind = "social-sid"
	// sidTime is how long such a record is kept, longer than any session by default.
	sidTime = 30 * 24 * time.Hour
	// maxSessions is how many sessions of a user are looked at.
	maxSessions = 1000
)

// markOf returns the beginning of the value that a session has, which a provider began.
func markOf(provider, subject, sid string) (user, session string) {
	sum := func(s string) string {
		d := sha256.Sum256([]byte(s))
		return hex.EncodeToString(d[:])
	}
	user = "social:" + sum(provider+"\x00"+subject) + ":"
	return user, user + sum(provider+"\x00"+sid)
}

// mark records which provider began a login, so that it can end it.
func (f *Feature) mark(
	ctx context.Context, a *ginauth.Authenticator, provider string, p *Profile, u models.Authenticatable, res *ginauth.LoginResult,
) error {
	if !slices.Contains(f.options.BackChannelLogout, provider) {
		return nil
	}
	if err := f.rememberSID(ctx, a.Owner(u), provider, p); err != nil {
		return err
	}
	_, mark := markOf(provider, p.Subject, p.SID)
	can, _ := f.auth.Capabilities(a.GuardName())
	switch {
	case !can.Sessions || a.Session() == nil:
		return nil
	case res.Pending != nil: // the session gets the mark when the login is complete
		return f.waiting.Put(a.Session(), []byte(a.Owner(u)+"\x00"+mark))
	}
	return f.began.Put(a.Session(), []byte(mark))
}

// markWaiting marks the session of a login that waited for a second factor.
func (f *Feature) markWaiting(_ context.Context, a *ginauth.Authenticator, res *ginauth.LoginResult) {
	can, _ := f.auth.Capabilities(a.GuardName())
	if len(f.options.BackChannelLogout) == 0 || !can.Sessions || a.Session() == nil || res.User == nil {
		return
	}
	owner, mark, ok := strings.Cut(string(f.waiting.Get(a.Session())), "\x00")
	if ok && owner == a.Owner(res.User) {
		_ = f.began.Put(a.Session(), []byte(mark))
		_ = f.waiting.Forget(a.Session())
	}
}

// rememberSID records whose a session of a provider is, for logout tokens without a subject.
func (f *Feature) rememberSID(ctx context.Context, owner, provider string, p *Profile) error {
	if p.SID == "" {
		return nil
	}
	name := sidName(provider, p.SID)
	data, err := json.Marshal(p.Subject)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	now := f.now()
	_, err = f.set.Tokens.Create(ctx, stores.Token{
		ID: name, Family: name, Kind: sidKind, Owner: owner, Digest: stores.DigestOf([]byte(name)), Data: data, Created: now,
		Expires: now.Add(sidTime), FamilyExpires: now.Add(sidTime),
	})
	if errors.Is(err, stores.ErrExists) {
		err = nil // the user logged in by it before
	}
	return ginauth.Unavailable("record session of provider", err)
}

func sidName(provider, sid string) string {
	sum := sha256.Sum256([]byte("social sid\x00" + provider + "\x00" + sid))
	return hex.EncodeToString(sum[:16])
}

// backChannel is POST /oidc/{provider}/logout.
func (f *Feature) backChannel(p Provider) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("Cache-Control", "no-store")
		ctx, cancel := context.WithTimeout(c.Request.Context(), callTime)
		defer cancel()
		var raw string
		if err := routes.Decode(c, map[string]*string{"logout_token": &raw}); err != nil {
			ginauth.Abort(c, err)
			return
		}
		err := f.logOut(ctx, ginauth.From(c), p, raw)
		if errors.Is(err, ErrRefused) || errors.Is(err, ErrAttempt) {
			ginauth.CountFailure(c)
			c.AbortWithStatusJSON(http.StatusBadRequest, gin.H{"error": "invalid_request"})
			return
		}
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
		c.Status(http.StatusOK)
	}
}

// logOut ends what a logout token says.
func (f *Feature) logOut(ctx context.Context, a *ginauth.Authenticator, p Provider, raw string) error {
	l, err := p.(LogoutVerifier).VerifyLogout(ctx, raw)
	if err != nil {
		return logged("verify logout token", err)
	}
	if l.Subject == "" {
		if l.Subject, err = f.subjectOf(ctx, p.Name(), l.SID); err != nil || l.Subject == "" {
			return err
		}
	}
	i, r, found, err := f.find(ctx, p.Name(), l.Subject)
	if err != nil || !found {
		return err // nobody is logged in
	}
	guard := f.guard(a)
	id, ok := userID(guard, i.Owner)
	if !ok {
		return nil
	}
	if err := f.end(ctx, guard, p.Name(), i, r, id, l); err != nil {
		return err
	}
	// Only now: a token of which not everything was done may come again. One that comes again ends nothing new.
	if err := f.once(ctx, "logout", 2*maxAge, p.Name(), l.ID); err != nil {
		return err
	}
	f.auth.Dispatch(ctx, LoggedOut{guard.EventMeta(id), p.Name()})
	return nil
}

func (f *Feature) subjectOf(ctx context.Context, provider, sid string) (subject string, err error) {
	name := sidName(provider, sid)
	t, found, err := f.set.Tokens.Find(ctx, name, name)
	if err != nil || !found || t.Kind != sidKind {
		return "", ginauth.Unavailable("find session of provider", err)
	}
	return subject, json.Unmarshal(t.Data, &subject)
}

// end ends the sessions that a provider began, and all logins by tokens of a user who has some by the provider. Stores
// that do not list the sessions of a user end everything of the user.
func (f *Feature) end(
	ctx context.Context, a *ginauth.Authenticator, provider string, i stores.Identity, r record, id string, l Logout,
) error {
	if r.Pairs {
		if _, err := f.set.Tokens.RevokeOwner(ctx, f.now(), i.Owner, "", stores.Refresh); err != nil {
			return ginauth.Unavailable("end logins by tokens", err)
		}
	}
	index, ok := f.set.Sessions.(stores.SessionIndex)
	if !ok {
		return f.auth.RevokeUser(ctx, a.GuardName(), id)
	}
	sessions, err := index.SessionsOf(ctx, i.Owner, maxSessions)
	if err != nil {
		return ginauth.Unavailable("list sessions", err)
	}
	mark, exact := markOf(provider, l.Subject, l.SID)
	for _, s := range sessions {
		if !hasMark(s.Values, mark, exact, l.SID == "") {
			continue
		}
		if _, err := f.set.Sessions.Delete(ctx, s.Row); err != nil {
			return ginauth.Unavailable("end session", err)
		}
	}
	return nil
}

// hasMark reports whether a session has a mark. Nobody else can write one: it is a digest of what only the provider and
// this application know, in a value that the application does not set.
func hasMark(values stores.Values, mark, exact string, all bool) bool {
	for _, value := range values.All() {
		if strings.HasSuffix(value, exact) || all && strings.Contains(value, mark) {
			return true
		}
	}
	return false
}

// end-session of the provider, on request.
func (f *Feature) endSession(p Provider) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), callTime)
		defer cancel()
		var address string
		var err error
		if ender, ok := p.(SessionEnder); ok {
			address, err = ender.EndSessionURL(ctx, f.baseURL+"/")
		}
		// The login here ends, whether or not the provider answers.
		if out := f.guard(ginauth.From(c)).Logout(ctx); out != nil {
			ginauth.Abort(c, out)
			return
		}
		if err != nil || address == "" {
			address = f.baseURL + "/"
		}
		f.sendTo(c, address)
	}
}

// onward sends a browser to another site. It is a page and no redirect: Chromium applies the form-action of the page with
// the form to redirects as well, and form-action 'self' is a good policy.
var onward = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="refresh" content="0;url={{.}}">
<title>Continue</title>
</head>
<body>
<p><a href="{{.}}">Continue</a></p>
</body>
</html>
`))

// sendTo sends a browser to an address, and tells it to other clients.
func (f *Feature) sendTo(c *gin.Context, address string) {
	c.Header("Vary", "Accept")
	if !ginauth.WantsHTML(c) {
		c.JSON(http.StatusOK, gin.H{"url": address})
		return
	}
	c.Header("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Status(http.StatusOK)
	_ = onward.Execute(c.Writer, address) // the client may be gone
}
