package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/internal/dispatch"
	"github.com/ginauth/ginauth/internal/faults"
	"github.com/ginauth/ginauth/internal/realm"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/throttle"
	"github.com/ginauth/ginauth/internal/useragent"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

// MailConfig configures Mails. The root package documents the fields.
type MailConfig struct {
	BaseURL, AppName                               string
	VerifyPath, ResetPath, ForgotPath, ConfirmPath string
	ResetTokenInQuery                              bool
	Language                                       func(u models.Authenticatable) string
}

// ErrNoMailer says that Config.Mail.Mailer is not set.
var ErrNoMailer = fmt.Errorf("ginauth: no mail can be sent: set Config.Mail: %w", errors.ErrUnsupported)

// Mails writes mails to users and puts them into the queue. A nil *Mails sends none.
type Mails struct {
	Env       *request.Env
	Queue     *mail.Queue
	Templates *mail.Templates
	Config    MailConfig
}

// NewMails starts a queue and returns the Mails that use it, or nil without a mailer. Without
// templates it uses the embedded ones.
func NewMails(
	env *request.Env, mailer mail.Mailer, options mail.QueueOptions, templates *mail.Templates, cfg MailConfig, f *faults.List,
) *Mails {
	if mailer == nil {
		return nil
	}
	var err error
	if templates == nil {
		if templates, err = mail.NewTemplates(mail.TemplateOptions{}); err != nil {
			f.Add("Mail.Templates", "%v", err)
			return nil
		}
	}
	queue, err := mail.NewQueue(mailer, options)
	if err != nil {
		f.Add("Mail.Queue", "%v", err)
		return nil
	}
	return &Mails{Env: env, Queue: queue, Templates: templates, Config: cfg}
}

// Enabled returns ErrNoMailer if no mail can be sent.
func (m *Mails) Enabled() error {
	if m == nil {
		return ErrNoMailer
	}
	return nil
}

// link returns a link into the application.
func (m *Mails) link(path string) string { return m.Config.BaseURL + path }

// resetLink returns the link to choose a new password. The token and the email address, which the
// page fills in, are in the fragment, which reaches the page but no server, log or Referer header.
func (m *Mails) resetLink(token string, u models.Authenticatable) string {
	to, _ := mailbox(u)
	mark := "#"
	if m.Config.ResetTokenInQuery {
		mark = "?"
	}
	return m.link(m.Config.ResetPath + mark + "email=" + url.QueryEscape(to.Email) + "&token=" + token)
}

// forgotPage returns the link to the page where a user asks for a reset link, for
// mails that tell of something the user may not have done.
func (m *Mails) forgotPage() string {
	if m == nil {
		return ""
	}
	return m.link(m.Config.ForgotPath)
}

// mailbox returns the address in the user's record. Mail goes there, and never to what
// a client typed.
func mailbox(u models.Authenticatable) (address mail.Address, ok bool) {
	v, ok := u.(models.EmailVerifiable)
	if !ok || v.AuthEmail() == "" {
		return mail.Address{}, false
	}
	address.Email = v.AuthEmail()
	if n, ok := u.(models.Named); ok {
		address.Name = n.AuthName()
	}
	return address, true
}

// words returns what the password of a user must not consist of.
func words(u models.Authenticatable) []string {
	to, _ := mailbox(u)
	return []string{to.Name, to.Email}
}

// send puts a mail to a user into the queue. A failure is logged and not returned,
// because the client must not learn of it.
func (m *Mails) send(ctx context.Context, kind string, u models.Authenticatable, data mail.Data) {
	if to, ok := mailbox(u); ok {
		m.sendTo(ctx, kind, u, to, data)
	}
}

func (m *Mails) sendTo(ctx context.Context, kind string, u models.Authenticatable, to mail.Address, data mail.Data) {
	if m == nil {
		return
	}
	to.Email = canon.ASCIIDomain(to.Email) // also of users who were not registered here
	data.AppName, data.Name = m.Config.AppName, to.Name
	if data.At.IsZero() {
		data.At = m.Env.Now()
	}
	message, err := m.Templates.Message(kind, m.language(ctx, u), to, data)
	if err == nil {
		err = m.Queue.Enqueue(message)
	}
	if err != nil {
		m.Env.Log.ErrorContext(ctx, "ginauth: mail not sent", "kind", kind, "user", request.Cut(u.AuthID(), 64), "error", request.Cut(err.Error(), 256))
	}
}

// language returns the language of a mail to a user: that of the user, or else that of the browser that caused the mail.
func (m *Mails) language(ctx context.Context, u models.Authenticatable) string {
	if m.Config.Language != nil {
		if language := m.Config.Language(u); language != "" {
			return language
		}
	}
	if languages := dispatch.LanguagesOf(ctx); languages != "" {
		return m.Templates.Match(languages)
	}
	return ""
}

// TellNewDevice tells a user of a login from a device that was not used for the account
// before, once the login is stored.
func (m *Mails) TellNewDevice(ctx context.Context, r *request.State, u models.Authenticatable) {
	if m == nil {
		return
	}
	data := m.clientData(r)
	ctx = context.WithoutCancel(r.WithClient(ctx))
	r.AfterCommit(func() { m.send(ctx, mail.NewDevice, u, data) })
}

// TellFactor tells a user what happened to a second factor. A nil *Mails tells nothing.
func (m *Mails) TellFactor(ctx context.Context, r *request.State, u models.Authenticatable, what string) {
	if m == nil {
		return
	}
	data := m.clientData(r)
	data.Field = what
	m.send(context.WithoutCancel(r.WithClient(ctx)), mail.FactorChanged, u, data)
}

// Tell tells a user what happened to the account, which there may be no more. A nil *Mails tells nothing.
func (m *Mails) Tell(ctx context.Context, r *request.State, u models.Authenticatable, kind string) {
	if m == nil {
		return
	}
	data := m.clientData(r)
	if kind == mail.AccountDeleted {
		data.URL = ""
	}
	m.send(context.WithoutCancel(r.WithClient(ctx)), kind, u, data)
}

// TellFactorsReset tells a user that an administrator removed all second factors. A nil *Mails tells
// nothing.
func (m *Mails) TellFactorsReset(ctx context.Context, rm *realm.Realm, userID string) error {
	if m == nil {
		return nil
	}
	within, span := m.Env.Span(ctx)
	defer span.End()
	u, err := rm.ByID(within, userID)
	if err == nil && u != nil {
		m.send(context.WithoutCancel(ctx), mail.FactorChanged, u, mail.Data{URL: m.forgotPage(), Field: mail.FactorsReset})
	}
	return err
}

// clientData describes the client of a request in a mail.
func (m *Mails) clientData(r *request.State) mail.Data {
	return mail.Data{URL: m.forgotPage(), Address: r.IP(), Device: useragent.Name(r.HTTP.UserAgent())}
}

// mayMail counts a mail of a kind to an account and reports whether it is within the
// limits. The counts do not depend on whether the account exists.
func (s *Service) mayMail(ctx context.Context, kind string, account []byte) (bool, error) {
	err := s.countMail(ctx, kind, account)
	if errors.Is(err, autherr.ErrThrottled) {
		return false, nil
	}
	return err == nil, err
}

// countMail counts a mail of a kind to an account. The error is an *autherr.ThrottledError above the limits.
func (s *Service) countMail(ctx context.Context, kind string, account []byte) error {
	_, err := s.Limiter.Count(ctx, "count mails",
		s.Limiter.Window("mail", throttle.Limit{Attempts: s.Config.MailPerMinute, Per: time.Minute}, []byte(kind), account),
		s.Limiter.Window("mail", throttle.Limit{Attempts: s.Config.MailPerHour, Per: time.Hour}, []byte(kind), account))
	return err
}

// Identifier is what a person gives who asks for a mail: the value of a field by which users are
// looked up.
type Identifier struct{ Field, Value string }

// ByEmail is the identifier of a user by email address.
func ByEmail(address string) Identifier { return Identifier{emailField, address} }

// mailable returns the user of an identifier, and counts a mail to that user. It returns true if
// there is such a user and the limits allow a mail.
func (s *Service) mailable(ctx context.Context, rm *realm.Realm, kind string, by Identifier) (models.Authenticatable, bool, error) {
	if rm.Users == nil {
		return nil, false, realm.ErrNoProvider
	}
	canonical, err := rm.Canonical(by.Field, by.Value)
	if err != nil {
		return nil, false, err
	}
	if by.Field == emailField && !isOneAddress(canonical) {
		return nil, false, autherr.Invalid(emailField, "is not one email address")
	}
	ctx, span := s.Env.Span(ctx)
	defer span.End()
	// Both are asked in any case, so that all answers take the same time. The count
	// comes last: a registration counts before it makes its user, so a request that
	// finds that user here is counted after it.
	u, err := rm.ByIdentifier(ctx, by.Field, canonical)
	if err != nil {
		return nil, false, err
	}
	allowed, err := s.mayMail(ctx, kind, s.mailAccount(rm, by.Field, canonical, u))
	return u, u != nil && allowed && err == nil, err
}

// mailAccount names the account that mails are counted under. Mails that are asked for by any
// identifier of a user count under the email address, as those that are asked for by that.
func (s *Service) mailAccount(rm *realm.Realm, field, canonical string, u models.Authenticatable) []byte {
	if to, ok := mailbox(u); ok && field != emailField {
		if email, _, err := rm.Email(to.Email); err == nil {
			field, canonical = emailField, email
		}
	}
	account := s.Limiter.Account(rm.Name, field, canonical)
	return account[:]
}
