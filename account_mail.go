package ginauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/internal/useragent"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
)

var errNoMailer = fmt.Errorf("ginauth: no mail can be sent: set Config.Mail: %w", errors.ErrUnsupported)

// openMail starts what sends mails.
func (m *Manager) openMail() error {
	cfg := &m.cfg.Mail
	if cfg.Mailer == nil {
		return nil
	}
	var err error
	if m.templates = cfg.Templates; m.templates == nil {
		if m.templates, err = mail.NewTemplates(mail.TemplateOptions{}); err != nil {
			return fmt.Errorf("%w: Mail.Templates: %w", ErrConfig, err)
		}
	}
	if m.mails, err = mail.NewQueue(cfg.Mailer, cfg.Queue); err != nil {
		return fmt.Errorf("%w: Mail.Queue: %w", ErrConfig, err)
	}
	return nil
}

// mailbox is the address that a user's row holds: mail goes there, never to
// what somebody typed.
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

// send puts a mail to a user into the queue. What keeps it from being sent is
// logged and reported to nobody: whoever asked must not learn it.
func (m *Manager) send(ctx context.Context, kind string, u models.Authenticatable, data mail.Data) {
	if to, ok := mailbox(u); ok {
		m.sendTo(ctx, kind, u, to, data)
	}
}

func (m *Manager) sendTo(ctx context.Context, kind string, u models.Authenticatable, to mail.Address, data mail.Data) {
	if m.mails == nil {
		return
	}
	data.AppName, data.Name = m.cfg.Mail.AppName, to.Name
	if data.At.IsZero() {
		data.At = m.env.Now()
	}
	language := ""
	if m.cfg.Mail.Language != nil {
		language = m.cfg.Mail.Language(u)
	}
	message, err := m.templates.Message(kind, language, to, data)
	if err == nil {
		err = m.mails.Enqueue(message)
	}
	if err != nil {
		m.env.Log.ErrorContext(ctx, "ginauth: mail not sent", "kind", kind, "user", request.Cut(u.AuthID(), 64), "error", request.Cut(err.Error(), 256))
	}
}

// tellNewDevice tells a user of a login from a device that was not used for the
// account before, once the login is stored.
func (x *requestState) tellNewDevice(ctx context.Context, s subject, u models.Authenticatable) {
	if !x.m.cfg.Mail.NotifyNewDevice || s.device != nil {
		return
	}
	data := mail.Data{URL: x.m.resetPage(), Address: x.IP(), Device: useragent.Name(x.HTTP.UserAgent())}
	ctx = context.WithoutCancel(ctx)
	x.AfterCommit(func() { x.m.send(ctx, mail.NewDevice, u, data) })
}

// mayMail counts a mail of a kind to an account and reports whether it is one too
// many. Its counts do not depend on whether the account exists.
func (m *Manager) mayMail(ctx context.Context, kind string, account []byte) (bool, error) {
	if m.cfg.Throttle.InsecureDisable {
		return true, nil
	}
	ctx, span := m.env.Span(ctx)
	defer span.End()
	grant, err := m.stores.Limiter.Reserve(ctx, m.env.Now(),
		m.window("mail", Limit{m.cfg.Account.MailPerMinute, time.Minute}, []byte(kind), account),
		m.window("mail", Limit{m.cfg.Account.MailPerHour, time.Hour}, []byte(kind), account))
	if err != nil {
		return false, autherr.Unavailable("count mails", err)
	}
	return grant.OK(), nil
}
