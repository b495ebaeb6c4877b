package accounts

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/stamp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// OneTime issues links and codes to the users of one guard, for one request. Of each login that was asked
// for there are three texts: the link, which names a record of the store; the request, which is sealed and
// is kept by the client that asked; and the code on that client's screen. The code of a message is only
// known to the request, so that a guess at one costs the same work whether or not there is a user.
type OneTime struct {
	s     *Service
	r     *request.State
	rm    *realm.Realm
	guard string
	own   func(context.Context) (models.Authenticatable, error)
}

var _ factor.OneTime = (*OneTime)(nil)

// OneTime returns the one-time secrets of a guard's users. Own returns the request's user, or nil.
func (s *Service) OneTime(
	r *request.State, rm *realm.Realm, guard string, own func(context.Context) (models.Authenticatable, error),
) *OneTime {
	return &OneTime{s, r, rm, guard, own}
}

const (
	linkPrefix = "gol_"
	// oneTimeCookie is the cookie of the browser that asked.
	oneTimeCookie = "onetime"
	// deliveryTime is the longest time that a delivery takes.
	deliveryTime = 15 * time.Second
)

// Ask begins a login.
func (o *OneTime) Ask(ctx context.Context, m factor.Message) (factor.Request, error) {
	s := o.s
	if err := checkMessage(m); err != nil {
		return factor.Request{}, err
	}
	canonical, err := o.address(&m)
	if err != nil {
		return factor.Request{}, err
	}
	spanned, span := o.r.Span(ctx)
	u, allowed, err := o.mayAsk(spanned, m.Purpose, canonical)
	span.End()
	if err != nil {
		return factor.Request{}, err
	}
	if before, ok := o.before(m.Purpose, canonical); ok && !allowed {
		s.Env.Background.RunHidden(nil)
		return before, nil // the message that is on its way needs it
	}
	link, code := opaque.New(), newCode()
	a := asked{
		family: link.Family, id: link.ID, sum: s.codeSum(link.Family, code), made: s.Env.Now(), email: m.Email,
		known: u != nil, remember: m.Remember, mailed: m.Mailed, strangers: m.Strangers,
	}
	screen := newCode()
	var job func()
	switch later := deadline.Detach(o.r.EventContext(ctx)); {
	case !allowed, u != nil && realm.Disabled(u):
	case u != nil:
		job = func() { o.send(later, m, u, link, a, code, screen) }
	case m.Strangers:
		job = func() { o.sendStranger(later, m, a, code, screen) }
	}
	token, err := o.keep(m.Purpose, a, screen)
	if err != nil {
		return factor.Request{}, err
	}
	s.Env.Background.RunHidden(job)
	return requestOf(token, screen, factor.OneTimeLifetime), nil
}

func checkMessage(m factor.Message) error {
	if m.Deliver == nil || !faults.IsName(m.Purpose) {
		return fmt.Errorf("%w: a factor.Message needs Deliver and a Purpose", autherr.ErrConfig)
	}
	return nil
}

func requestOf(token, screen string, left time.Duration) factor.Request {
	return factor.Request{Token: token, Screen: grouped(screen), ExpiresIn: int64(left / time.Second)}
}

// address returns the canonical form of the address of a message, and cleans it as a registration does.
func (o *OneTime) address(m *factor.Message) (string, error) {
	if o.rm.Users == nil {
		return "", realm.ErrNoProvider
	}
	m.Email = canon.ASCIIDomain(strings.TrimSpace(m.Email))
	canonical, err := o.rm.Canonical(emailField, m.Email)
	switch {
	case err != nil:
		return "", err
	case !isOneAddress(canonical) || len(m.Email) > canon.MaxIdentifier:
		return "", autherr.Invalid(emailField, "is not one email address")
	case m.Strangers:
		return canonical, checkAddress(m.Email)
	}
	return canonical, nil
}

// mayAsk returns the user of an address, and reports whether limits allow a message. The limits do not
// depend on whether there is a user.
func (o *OneTime) mayAsk(ctx context.Context, purpose, canonical string) (models.Authenticatable, bool, error) {
	u, err := o.rm.ByIdentifier(ctx, emailField, canonical)
	if err != nil {
		return nil, false, err
	}
	allowed, err := o.s.mayMail(ctx, "one-time "+purpose, o.s.Limiter.Recipient(o.r, o.rm, u, canonical))
	return u, allowed, err
}

// send stores a login that was asked for, and delivers its link and its code.
func (o *OneTime) send(
	ctx context.Context, m factor.Message, u models.Authenticatable, link opaque.Token, a asked, code, screen string,
) {
	data := sent{sum: o.s.codeSum(a.family, screen), remember: m.Remember}
	err := o.store(ctx, m, u, link, data)
	if err == nil {
		err = o.deliver(ctx, m, u, factor.Secrets{Link: link.Text(linkPrefix), Code: grouped(code)})
	}
	o.logFailure(ctx, m.Purpose, u, err)
}

// store stores the record of a link or code.
func (o *OneTime) store(ctx context.Context, m factor.Message, u models.Authenticatable, t opaque.Token, data sent) error {
	s := o.s
	owner, err := o.rm.TokenOwner(u)
	if err != nil {
		return err
	}
	data.fingerprint = o.rm.Sum(stamp.OneTime, u)
	if m.Mailed {
		data.address = o.addressSum(u)
	}
	ctx, span := s.Env.Span(ctx)
	defer span.End()
	now := s.Env.Now()
	end := now.Add(factor.OneTimeLifetime)
	_, err = s.Tokens.StoreNew(ctx, stores.Token{
		ID: t.ID, Family: t.Family, Kind: stores.OneTime, Owner: owner, Digest: t.Digest(),
		Abilities: []string{o.guard, m.Purpose}, Data: data.encode(), Created: now, Expires: end, FamilyExpires: end,
	})
	return err
}

func (o *OneTime) deliver(ctx context.Context, m factor.Message, u models.Authenticatable, secrets factor.Secrets) error {
	ctx, cancel := context.WithTimeout(ctx, deliveryTime)
	defer cancel()
	return m.Deliver(ctx, u, secrets)
}

func (o *OneTime) logFailure(ctx context.Context, purpose string, u models.Authenticatable, err error) {
	if err != nil {
		o.s.Env.Log.ErrorContext(ctx, "ginauth: one-time secret not sent", "purpose", purpose,
			"user", request.Cut(u.AuthID(), 64), "error", request.Cut(err.Error(), 256))
	}
}

// sendStranger delivers a link and a code to an address without a user. It stores nothing.
func (o *OneTime) sendStranger(ctx context.Context, m factor.Message, a asked, code, screen string) {
	to := factor.Recipient{Email: a.email}
	a.sum = o.s.codeSum(a.family, screen)
	link, err := o.seal(m.Purpose, strangerLink, a)
	if err == nil {
		err = o.deliver(ctx, m, to, factor.Secrets{Link: link, Code: grouped(code)})
	}
	o.logFailure(ctx, m.Purpose, to, err)
}

// SendCode sends a code to a user who has given another proof.
func (o *OneTime) SendCode(ctx context.Context, u models.Authenticatable, m factor.Message) error {
	s := o.s
	if err := checkMessage(m); err != nil {
		return err
	}
	account := []byte(o.rm.Owner(u.AuthID()))
	if err := s.countMail(o.r.Within(ctx), "code "+m.Purpose, account); err != nil {
		return err
	}
	code, t := newCode(), opaque.New()
	if err := o.store(o.r.Within(ctx), m, u, t, sent{sum: s.codeSum(t.Family, code), second: true}); err != nil {
		return err
	}
	later := deadline.Detach(o.r.EventContext(ctx))
	s.Env.Background.Run(func() {
		o.logFailure(later, m.Purpose, u, o.deliver(later, m, u, factor.Secrets{Code: grouped(code)}))
	})
	return nil
}

// Mail sends a mail to a user.
func (o *OneTime) Mail(ctx context.Context, u models.Authenticatable, l factor.Letter) {
	to, ok := mailbox(u)
	if !ok {
		o.logFailure(ctx, l.Kind, u, errors.New("the user has no email address"))
		return
	}
	if _, stranger := u.(factor.Recipient); stranger {
		if made, err := NewUser(o.rm); err == nil {
			u = made // Config.Mail.Language expects the application's type
		}
	}
	data := mail.Data{URL: cmp.Or(l.URL, o.s.Mails.forgotPage()), Code: l.Code, Expires: l.Expires}
	o.s.Mails.sendTo(ctx, l.Kind, u, to, data)
}

// codeLetters are those of codes: none is mistaken for another one.
const (
	codeLetters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	codeLength  = 8
)

// newCode returns a random code of 40 bits.
func newCode() string {
	var raw [codeLength]byte
	_, _ = rand.Read(raw[:])
	for i, b := range raw {
		raw[i] = codeLetters[int(b)%len(codeLetters)] // 256 is a multiple of 32
	}
	return string(raw[:])
}

// grouped returns a code as people read it.
func grouped(code string) string { return code[:codeLength/2] + "-" + code[codeLength/2:] }
