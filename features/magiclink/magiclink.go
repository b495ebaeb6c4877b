// Package magiclink logs users in by a link or a code that is mailed to them, or by a code that another channel sends,
// such as SMS. It also adds the codes of a channel as a second factor.
//
//	links := magiclink.New(magiclink.Options{})
//	auth, err := ginauth.New(ginauth.Config{…, Features: []ginauth.Feature{links}})
//	links.Mount(r)
//
// A link and a code work once, for 10 minutes. A GET of a link changes nothing, so that mail scanners may open it. In the
// browser that asked, the page of the link goes on by itself. Another browser needs the code on the screen of the first
// one, so a link that was forwarded or stolen is worth nothing alone.
package magiclink

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// Name is the name of the feature.
const Name = "magiclink"

// purpose names logins by mail. Those by channels have the name of the channel after it.
const purpose = "login"

// Contents says what a mail for a login contains.
type Contents int

const (
	// Links mails a link.
	Links Contents = iota
	// LinksAndCodes mails a link, and a code to type into the page where the user asked.
	LinksAndCodes
	// Codes mails a code only. A code can be asked for by somebody else and be told on the telephone. A link cannot.
	Codes
)

// Options configure the feature. The zero value is ready for use.
type Options struct {
	// Mails says what a mail contains. Default Links.
	Mails Contents
	// Register makes the user of an address that has none, once somebody has used a link or a code that was mailed to
	// it. It calls Manager.Register with the context that it is given, or another method of the application; the address
	// is then verified. Addresses without a user get no mail if Register is nil. Default nil.
	Register func(ctx context.Context, email string) error
	// WithoutMail turns logins by mail off, for applications that only use channels.
	WithoutMail bool
	// Channels are other ways to send codes.
	Channels []ChannelOptions
	// SessionGuard and AccessGuard are the guards that users are logged in by: at endpoints for browsers, and at those
	// that respond with tokens. There are no endpoints for a guard that does not exist. Default "web" and "api".
	SessionGuard, AccessGuard string
	// LinkPath is the path of links, below Config.Mail.BaseURL. Default: where Mount adds the endpoint.
	LinkPath string
	// Page shows the pages to browsers. Default: plain pages in English.
	Page PageFunc
}

// Feature logs users in, for ginauth.Config.Features. It belongs to one Manager.
type Feature struct {
	options  Options
	auth     *ginauth.Manager
	now      func() time.Time
	linkPath string
}

// New returns the feature.
func New(o Options) *Feature {
	if o.SessionGuard == "" {
		o.SessionGuard = "web"
	}
	if o.AccessGuard == "" {
		o.AccessGuard = "api"
	}
	if o.Page == nil {
		o.Page = plainPage
	}
	o.Channels = append([]ChannelOptions(nil), o.Channels...)
	return &Feature{options: o, linkPath: strings.TrimSuffix(o.LinkPath, "/")}
}

// Name returns "magiclink".
func (*Feature) Name() string { return Name }

// Setup registers the second factors. Logins by mail need Config.Mail.Mailer.
func (f *Feature) Setup(s *ginauth.Setup) error {
	f.auth, f.now = s.Manager(), s.Clock()
	if !f.options.WithoutMail && f.auth.MailConfig().Mailer == nil {
		return errors.New("Config.Mail.Mailer is missing; without logins by mail set Options.WithoutMail")
	}
	if f.options.Mails < Links || f.options.Mails > Codes {
		return errors.New("Options.Mails is none of the constants")
	}
	return f.setupChannels(s)
}

// Ask mails a link or a code, or both, to the user of an email address, for a login by the guard of the handle. The
// result and its time do not tell whether there is such a user. Within Config.Account.MailPerMinute and MailPerHour one
// address gets no further mail; a browser that asks again is then shown what it has. The errors are
// *ginauth.InputError if the text is no address, and ginauth.ErrUnavailable.
func (f *Feature) Ask(ctx context.Context, a *ginauth.Authenticator, email string, remember bool) (factor.Request, error) {
	if f.options.WithoutMail {
		return factor.Request{}, ginauth.ErrNotFound
	}
	about := a.EventMeta("")
	r, err := a.OneTime().Ask(ctx, factor.Message{
		Purpose: purpose, Email: email, Remember: remember, Mailed: true,
		Strangers: f.options.Register != nil,
		Deliver: func(ctx context.Context, u models.Authenticatable, s factor.Secrets) error {
			f.mail(ctx, a.OneTime(), u, s)
			f.sent(ctx, about, u, "email")
			return nil
		},
	})
	if f.options.Mails == Codes {
		r.Screen = ""
	}
	return r, err
}

// mail writes the mail of a login.
func (f *Feature) mail(ctx context.Context, to factor.OneTime, u models.Authenticatable, s factor.Secrets) {
	l := factor.Letter{Kind: mail.LoginLink, Expires: factor.OneTimeLifetime}
	if f.options.Mails != Links {
		l.Code = s.Code
	}
	if f.options.Mails == Codes {
		l.Kind = mail.LoginCode
	} else {
		l.URL = f.auth.MailConfig().BaseURL + f.linkPath + "/" + s.Link
	}
	to.Mail(ctx, u, l)
}

// UseLink logs in the user to whom a link was mailed, by the guard of the handle, which has to be the one that Ask was
// called for. Request is the token of Ask, or "" for the cookie of the browser that asked. Another browser gives the code
// on the screen of that one. The user's address is then verified; see factor.OneTime.Prove. If the user has a second
// factor, the login is pending. The errors are ginauth.ErrInvalidLink, ginauth.ErrInvalidCode, *ginauth.InputError if a
// code is needed, *ginauth.ThrottledError, ginauth.ErrUnavailable and those of Authenticator.Login.
func (f *Feature) UseLink(ctx context.Context, a *ginauth.Authenticator, link, request, screen string) (*ginauth.LoginResult, error) {
	if f.options.WithoutMail || f.options.Mails == Codes {
		return nil, ginauth.ErrInvalidLink
	}
	p, err := a.OneTime().UseLink(ctx, purpose, link, request, screen)
	return f.logInMailbox(ctx, a, p, err)
}

// UseCode logs in the user to whom a code was mailed. Request is the token of Ask, or "" for the cookie. A code takes 5
// guesses, however many come at once. The errors are those of UseLink, without ginauth.ErrInvalidLink.
func (f *Feature) UseCode(ctx context.Context, a *ginauth.Authenticator, request, code string) (*ginauth.LoginResult, error) {
	if f.options.WithoutMail || f.options.Mails == Links {
		return nil, ginauth.ErrInvalidCode
	}
	p, err := a.OneTime().UseCode(ctx, purpose, request, code)
	return f.logInMailbox(ctx, a, p, err)
}

func (f *Feature) logInMailbox(ctx context.Context, a *ginauth.Authenticator, p factor.Proved, err error) (*ginauth.LoginResult, error) {
	if err != nil {
		return nil, f.failed(ctx, a, "email", err)
	}
	ctx = context.WithoutCancel(ctx) // the link or code is used up
	u := p.User
	if u == nil {
		if u, err = f.register(ctx, a, p.Email); err != nil {
			return nil, err
		}
	}
	u, err = a.OneTime().Prove(ctx, u)
	if err != nil {
		return nil, err
	}
	return f.logIn(ctx, a, u, p.Remember, "email", "email")
}

// register makes the user of an address. A parallel registration may have been first.
func (f *Feature) register(ctx context.Context, a *ginauth.Authenticator, email string) (models.Authenticatable, error) {
	if f.options.Register == nil {
		return nil, ginauth.ErrInvalidLink
	}
	failed := f.options.Register(a.EventContext(ctx), email)
	u, err := a.OneTime().Registered(ctx, email)
	switch {
	case err != nil:
		return nil, err
	case u == nil && failed != nil:
		return nil, failed
	case u == nil:
		return nil, fmt.Errorf("%w: Options.Register made no user", ginauth.ErrConfig)
	}
	return u, nil
}

func (f *Feature) logIn(
	ctx context.Context, a *ginauth.Authenticator, u models.Authenticatable, remember bool, by, method string,
) (*ginauth.LoginResult, error) {
	proof, err := factor.NewProof(f.now(), factor.LevelOne, method)
	if err != nil {
		return nil, err
	}
	f.auth.Dispatch(ctx, Used{a.EventMeta(u.AuthID()), by})
	options := []ginauth.LoginOption{ginauth.ProvedBy(proof)}
	if remember {
		options = append(options, ginauth.Remember())
	}
	return a.Login(ctx, u, options...)
}

// failed reports a wrong link or code, and returns err.
func (f *Feature) failed(ctx context.Context, a *ginauth.Authenticator, by string, err error) error {
	if errors.Is(err, ginauth.ErrInvalidLink) || errors.Is(err, ginauth.ErrInvalidCode) {
		f.auth.Dispatch(ctx, Failed{a.EventMeta(""), by})
	}
	return err
}

func (f *Feature) sent(ctx context.Context, about events.Meta, u models.Authenticatable, by string) {
	about.Time, about.UserID = f.now(), u.AuthID()
	f.auth.Dispatch(ctx, Sent{about, by})
}

// Sent is dispatched when a link or code was sent to a user. Nobody is logged in yet.
type Sent struct {
	events.Meta
	// By is "email" or the name of a channel.
	By string
}

// EventName returns "magic_link_sent".
func (Sent) EventName() string { return "magic_link_sent" }

// Used is dispatched when a link or code was used, before the user is logged in: a second factor may be missing.
type Used struct {
	events.Meta
	// By is "email" or the name of a channel.
	By string
}

// EventName returns "magic_link_used".
func (Used) EventName() string { return "magic_link_used" }

// Failed is dispatched when a link or code was wrong, used before, or too old.
type Failed struct {
	events.Meta
	// By is "email" or the name of a channel.
	By string
}

// EventName returns "magic_link_failed".
func (Failed) EventName() string { return "magic_link_failed" }

// errConfig says what is wrong with a channel.
func errConfig(name, what string) error { return fmt.Errorf("Options.Channels: %.64q %s", name, what) }
