// Package recovery adds recovery codes: ten codes that a user keeps on paper, each of which replaces the second factor
// once. Only users who have another factor are asked for them.
//
//	codes := recovery.New(recovery.Options{})
//	auth, err := ginauth.New(ginauth.Config{…, Features: []ginauth.Feature{totp.New(totp.Options{}), codes}})
//	codes.Mount(r)
package recovery

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores"
)

// Name names the factor in PendingLogin.Factors.
const Name = "recovery"

const (
	// Count is how many codes a user gets.
	Count = 10
	// Few is the number of codes below which the user is told to make new ones.
	Few = 3
	// codeSize is the size of a code in bytes. With 112 bits or more a plain digest is enough (OWASP ASVS 5.0, 6.5.2).
	codeSize = 15
	group    = 6
)

// Options configure the feature. The zero value is ready for use.
type Options struct {
	// Guards are the guards whose users make codes. Default: "web" and "api", if there are such guards.
	Guards []string
}

// Feature is the factor, for ginauth.Config.Features. It belongs to one Manager.
type Feature struct {
	options Options
	auth    *ginauth.Manager
	store   stores.Factors
	now     func() time.Time
	kinds   func() []string
}

// New returns the feature.
func New(o Options) *Feature { return &Feature{options: o} }

// Name returns "recovery".
func (*Feature) Name() string { return Name }

// Setup registers the factor. The application's stores must have Factors.
func (f *Feature) Setup(s *ginauth.Setup) error {
	f.auth, f.store, f.now = s.Manager(), s.Stores().Factors, s.Clock()
	if f.store == nil {
		return errors.New("Config.Stores.Factors is missing; package memstore, gormstore or redisstore has one")
	}
	f.kinds = sync.OnceValue(f.findKinds)
	s.Challenge(ginauth.Challenge{Name: Name, Backup: true, Methods: []string{"otp"}, Has: f.has})
	return nil
}

func (f *Feature) has(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
	left, err := f.left(ctx, owner, u)
	return left > 0, err
}

func (f *Feature) left(ctx context.Context, owner string, u models.Authenticatable) (int, error) {
	codes, err := f.usable(ctx, owner, u)
	return len(codes), err
}

// Left returns how many unused codes the request's user has. The errors are ginauth.ErrUnauthenticated,
// ginauth.ErrForbidden and ginauth.ErrUnavailable.
func (f *Feature) Left(ctx context.Context, a *ginauth.Authenticator) (int, error) {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return 0, err
	}
	return f.left(ctx, a.Owner(u), u)
}

// ErrNoFactor means that no codes were made, because the user has no factor that they could replace. Abort responds with
// 409.
var ErrNoFactor = fmt.Errorf("recovery: the user has no other second factor: %w", ginauth.ErrConflict)

// Regenerate makes new codes for the request's user in place of all former ones, and returns them, this once. The user
// is told by mail. The errors are those of Left, ginauth.ErrEmailNotVerified, ErrNoFactor, *autherr.StepUpError if
// Authenticator.MayChangeFactors refuses the login, and ginauth.ErrSessionEnded if the login ended meanwhile. Put the
// middleware ConfirmPassword before it.
func (f *Feature) Regenerate(ctx context.Context, a *ginauth.Authenticator) ([]string, error) {
	u, err := routes.Owner(ctx, a)
	if err != nil {
		return nil, err
	}
	if v, ok := u.(models.EmailVerifiable); ok && v.AuthEmail() != "" && !v.AuthEmailVerified() {
		return nil, ginauth.ErrEmailNotVerified
	}
	if err := a.MayChangeFactors(ctx); err != nil {
		return nil, err
	}
	bound, err := f.bind(ctx, a, u)
	if err != nil {
		return nil, err
	}
	codes := make([]string, Count)
	factors := make([]stores.Factor, Count)
	for i := range codes {
		var raw [codeSize]byte
		_, _ = rand.Read(raw[:])
		plain := base32.StdEncoding.EncodeToString(raw[:])
		codes[i], factors[i] = grouped(plain), bound
		factors[i].ID = idOf(bound.Owner, plain)
	}
	if err := f.store.ReplaceFactors(ctx, bound.Owner, Name, factors); err != nil {
		return nil, ginauth.Unavailable("store recovery codes", err)
	}
	if err := a.StillSame(ctx); err != nil { // as after Manager.ResetFactors, which may have been before
		return nil, errors.Join(err, f.remove(context.WithoutCancel(ctx), factors))
	}
	f.auth.Dispatch(ctx, Regenerated{a.EventMeta(u.AuthID())})
	a.TellFactor(ctx, u, mail.CodesReplaced)
	return codes, nil
}

// remove removes codes.
func (f *Feature) remove(ctx context.Context, codes []stores.Factor) (err error) {
	for _, code := range codes {
		_, deleteErr := f.store.DeleteFactor(ctx, code.Owner, Name, code.ID)
		err = errors.Join(err, deleteErr)
	}
	return ginauth.Unavailable("delete recovery codes", err)
}

// grouped returns a code as people read it.
func grouped(plain string) string {
	var groups []string
	for ; plain != ""; plain = plain[group:] {
		groups = append(groups, plain[:group])
	}
	return strings.Join(groups, "-")
}

// idOf returns the digest of a code of a user, which is all that is stored.
func idOf(owner, plain string) string {
	sum := sha256.Sum256([]byte("ginauth recovery code\x00" + owner + "\x00" + plain))
	return hex.EncodeToString(sum[:16])
}

// normalize returns a code without what people add or mistake: spaces, hyphens, small letters, and digits that look like
// letters.
func normalize(text string) (string, error) {
	const length = codeSize * 8 / 5
	if len(text) <= 128 {
		text = strings.ToUpper(norm.NFKC.String(text))
		text = strings.NewReplacer(" ", "", "-", "", "0", "O", "1", "I", "8", "B").Replace(text)
	}
	if len(text) != length || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", &ginauth.InputError{Field: "code", Reason: "is not a recovery code"}
	}
	return text, nil
}

// Answer completes a pending login by a code, which is then used, and returns how many are left. The token may be "" for
// the pending login of the session. The user is told by mail. The errors are those of Authenticator.AnswerChallenge, and
// *InputError for a text that is no code.
func (f *Feature) Answer(
	ctx context.Context, a *ginauth.Authenticator, token, code string, options ...factor.AnswerOption,
) (res *ginauth.LoginResult, left int, err error) {
	code, err = normalize(code)
	if err != nil {
		return nil, 0, err
	}
	res, err = a.AnswerChallenge(ctx, token, Name, func(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
		id := idOf(owner, code)
		usable, err := f.usable(ctx, owner, u)
		if err != nil || !slices.ContainsFunc(usable, func(c stores.Factor) bool { return c.ID == id }) {
			return false, err
		}
		// Of parallel requests with one code the store lets one pass.
		ok, err := f.store.DeleteFactor(ctx, owner, Name, id)
		if err != nil || !ok {
			return false, ginauth.Unavailable("use recovery code", err)
		}
		left, err = f.left(ctx, owner, u)
		f.auth.Dispatch(ctx, Used{a.EventMeta(u.AuthID()), left})
		a.TellFactor(ctx, u, mail.CodeUsed)
		return true, err
	}, options...)
	return res, left, err
}

// Regenerated is dispatched when a user has made new codes.
type Regenerated struct{ events.Meta }

// EventName returns "recovery_codes_regenerated".
func (Regenerated) EventName() string { return "recovery_codes_regenerated" }

// Used is dispatched when a code was used.
type Used struct {
	events.Meta
	// Left is how many codes are left.
	Left int
}

// EventName returns "recovery_code_used".
func (Used) EventName() string { return "recovery_code_used" }
