package magiclink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/models"
)

// Channel sends codes to users, for example by SMS. It is safe for concurrent use.
type Channel interface {
	// Send sends a code to a user. The code has the form "ABCD-EFGH" and works for 10 minutes. Send is called off the
	// request, also at the same time for one user. The context ends after 15 s. An error is logged, so it must not
	// contain the code; nothing is sent again. A user who cannot be reached by the channel is no error.
	Send(ctx context.Context, u models.Authenticatable, code string) error
}

// ChannelFunc is a function that is a Channel.
type ChannelFunc func(ctx context.Context, u models.Authenticatable, code string) error

// Send calls the function.
func (f ChannelFunc) Send(ctx context.Context, u models.Authenticatable, code string) error {
	return f(ctx, u, code)
}

// ChannelOptions configure a channel.
type ChannelOptions struct {
	// Name names the channel in endpoints, events and PendingLogin.Factors, as in "sms": 1 to 32 lower-case letters,
	// digits and hyphens. "email" is taken.
	Name string
	// Channel sends the codes.
	Channel Channel
	// Method is what a code proves, a name of RFC 8176. Default "sms".
	Method string
	// Login lets users log in by a code alone: it proves one factor. No channel with the same Method can then be a second
	// one: whoever has the phone would prove both.
	Login bool
	// Second reports which users must give a code as a second factor at each login, or is nil for nobody. It is called
	// at each login, after the first proof. An error fails the login with 503. A channel whose Method is "email" has none.
	Second func(ctx context.Context, u models.Authenticatable) (bool, error)
}

// setupChannels checks the channels and adds the second factors.
func (f *Feature) setupChannels(s *ginauth.Setup) error {
	var faults []error
	names := []string{"email"}
	for i := range f.options.Channels {
		c := &f.options.Channels[i]
		if c.Method == "" {
			c.Method = "sms"
		}
		switch _, err := factor.ParseMethods(c.Method); {
		case c.Name == "" || len(c.Name) > 32 || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			faults = append(faults, errConfig(c.Name, "is not a name of 1 to 32 lower-case letters, digits and hyphens"))
		case slices.Contains(names, c.Name):
			faults = append(faults, errConfig(c.Name, "is the name of two channels"))
		case c.Channel == nil:
			faults = append(faults, errConfig(c.Name, "has no Channel"))
		case c.Second != nil && c.Method == "email":
			faults = append(faults, errConfig(c.Name, "is no second factor: whoever reads the mailbox can have the password reset"))
		case !c.Login && c.Second == nil:
			faults = append(faults, errConfig(c.Name, "is of no use: set Login or Second"))
		case err != nil:
			faults = append(faults, fmt.Errorf("Options.Channels: %w", err))
		}
		names = append(names, c.Name)
		if twin := f.twinOf(c); twin != "" {
			faults = append(faults, errConfig(c.Name, fmt.Sprintf(
				"is a second factor by the method %q, by which channel %q logs in: whoever has the phone would prove two factors", c.Method, twin)))
		}
		if c.Second != nil {
			s.Challenge(ginauth.Challenge{
				Name: c.Name, Methods: []string{c.Method},
				Has: func(ctx context.Context, _ string, u models.Authenticatable) (bool, error) { return c.Second(ctx, u) },
			})
		}
	}
	return errors.Join(faults...)
}

// twinOf returns the channel that logs in by what the given one proves as a second factor, or "".
func (f *Feature) twinOf(c *ChannelOptions) string {
	for i := range f.options.Channels {
		other := &f.options.Channels[i]
		if c.Second != nil && other.Login && cmp.Or(other.Method, "sms") == c.Method {
			return other.Name
		}
	}
	return ""
}

// channel returns the channel of a name, for logins or as a second factor. The error is ginauth.ErrNotFound.
func (f *Feature) channel(name string, second bool) (*ChannelOptions, error) {
	for i := range f.options.Channels {
		if c := &f.options.Channels[i]; c.Name == name && (second && c.Second != nil || !second && c.Login) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("magiclink: there is no channel %.64q for this: %w", name, ginauth.ErrNotFound)
}

// AskChannel sends a code for a login to the user of an email address by a channel with Login. What Ask says holds here
// too. The request has no code for the screen. The errors are those of Ask, and ginauth.ErrNotFound if there is no such
// channel.
func (f *Feature) AskChannel(ctx context.Context, a *ginauth.Authenticator, name, email string, remember bool) (factor.Request, error) {
	c, err := f.channel(name, false)
	if err != nil {
		return factor.Request{}, err
	}
	about := a.EventMeta("")
	r, err := a.OneTime().Ask(ctx, factor.Message{
		Purpose: purpose + "-" + name, Email: email, Remember: remember,
		Deliver: func(ctx context.Context, u models.Authenticatable, s factor.Secrets) error {
			if err := c.Channel.Send(ctx, u, s.Code); err != nil {
				return err
			}
			f.sent(ctx, about, u, name)
			return nil
		},
	})
	r.Screen = ""
	return r, err
}

// UseChannelCode logs in the user to whom a channel sent a code. Request is the token of AskChannel, or "" for the
// cookie. The errors are those of UseCode, and ginauth.ErrNotFound if there is no such channel.
func (f *Feature) UseChannelCode(ctx context.Context, a *ginauth.Authenticator, name, request, code string) (*ginauth.LoginResult, error) {
	c, err := f.channel(name, false)
	if err != nil {
		return nil, err
	}
	p, err := a.OneTime().UseCode(ctx, purpose+"-"+name, request, code)
	if err != nil {
		return nil, f.failed(ctx, a, name, err)
	}
	return f.logIn(context.WithoutCancel(ctx), a, p.User, p.Remember, name, c.Method)
}

// errSent ends the proof of a factor that was only asked to send its code. Nothing was compared.
var errSent = errors.New("magiclink: the code was sent")

// Send sends the code of a second factor for a pending login. The token may be "" for the pending login of the session.
// The errors are those of Authenticator.AnswerChallenge, *ginauth.ThrottledError above the limits of mails, and
// ginauth.ErrNotFound if there is no such channel.
func (f *Feature) Send(ctx context.Context, a *ginauth.Authenticator, token, name string) error {
	c, err := f.channel(name, true)
	if err != nil {
		return err
	}
	_, err = a.AnswerChallenge(ctx, token, name, f.sender(a, c))
	return unlessSent(err)
}

// SendAgain sends a code to a user who is logged in, for StepUp. The errors are those of Authenticator.ConfirmFactor, and
// those of Send.
func (f *Feature) SendAgain(ctx context.Context, a *ginauth.Authenticator, name string) error {
	c, err := f.channel(name, true)
	if err != nil {
		return err
	}
	return unlessSent(a.ConfirmFactor(ctx, name, f.sender(a, c)))
}

func unlessSent(err error) error {
	if errors.Is(err, errSent) {
		return nil
	}
	return err
}

// sender returns a proof that sends a code and proves nothing.
func (f *Feature) sender(a *ginauth.Authenticator, c *ChannelOptions) factor.Prove {
	about := a.EventMeta("")
	return func(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
		secrets, err := f.secretsOf(a, owner, u)
		if err != nil {
			return false, err
		}
		err = secrets.SendCode(ctx, u, factor.Message{
			Purpose: "second-" + c.Name,
			Deliver: func(ctx context.Context, u models.Authenticatable, s factor.Secrets) error {
				if err := c.Channel.Send(ctx, u, s.Code); err != nil {
					return err
				}
				f.sent(ctx, about, u, c.Name)
				return nil
			},
		})
		if err == nil {
			err = errSent
		}
		return false, err
	}
}

// secretsOf returns the one-time secrets of the guard that a user is of. The pending login may be that of another guard
// than the handle's.
func (f *Feature) secretsOf(a *ginauth.Authenticator, owner string, u models.Authenticatable) (factor.OneTime, error) {
	for _, guard := range f.guards() {
		if at := a.Guard(guard); at.Owner(u) == owner {
			return at.OneTime(), nil
		}
	}
	return nil, fmt.Errorf("magiclink: the user is of no guard of the feature: %w", ginauth.ErrForbidden)
}

// guards returns the guards of the feature that exist.
func (f *Feature) guards() (names []string) {
	if can, _ := f.auth.Capabilities(f.options.SessionGuard); can.Sessions && can.Users {
		names = append(names, f.options.SessionGuard)
	}
	if can, _ := f.auth.Capabilities(f.options.AccessGuard); can.AccessTokens && can.Users {
		names = append(names, f.options.AccessGuard)
	}
	return names
}

// Answer completes a pending login by a code that Send sent. The token may be "" for the pending login of the session.
// The errors are those of Authenticator.AnswerChallenge, *ginauth.InputError if the text is no code, and
// ginauth.ErrNotFound if there is no such channel.
func (f *Feature) Answer(
	ctx context.Context, a *ginauth.Authenticator, token, name, code string, options ...factor.AnswerOption,
) (*ginauth.LoginResult, error) {
	if _, err := f.channel(name, true); err != nil {
		return nil, err
	}
	return a.AnswerChallenge(ctx, token, name, f.checker(a, name, code), options...)
}

// StepUp asks a user who is logged in for a code that SendAgain sent, for the middleware RequireLevel. The errors are
// those of Authenticator.ConfirmFactor and of Answer.
func (f *Feature) StepUp(ctx context.Context, a *ginauth.Authenticator, name, code string) error {
	if _, err := f.channel(name, true); err != nil {
		return err
	}
	return a.ConfirmFactor(ctx, name, f.checker(a, name, code))
}

func (f *Feature) checker(a *ginauth.Authenticator, name, code string) factor.Prove {
	return func(ctx context.Context, owner string, u models.Authenticatable) (bool, error) {
		secrets, err := f.secretsOf(a, owner, u)
		if err != nil {
			return false, err
		}
		return secrets.CheckCode(ctx, u, "second-"+name, code)
	}
}
