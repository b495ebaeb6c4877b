package main

import (
	"context"
	"errors"
	"html/template"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/pages"
)

// maxMails is how many mails the mailbox keeps.
const maxMails = 50

// mailbox keeps the last mails in memory, for a developer to read at /_mail.
// Then it gives them to another mailer.
type mailbox struct {
	next  mail.Mailer
	mu    sync.Mutex
	mails []sentMail
}

// sentMail is a mail with the time when it was sent.
type sentMail struct {
	mail.Message
	At time.Time
}

// Send keeps a mail.
func (b *mailbox) Send(ctx context.Context, m mail.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	b.mu.Lock()
	b.mails = append(b.mails, sentMail{m, time.Now()})
	b.mails = b.mails[max(0, len(b.mails)-maxMails):]
	b.mu.Unlock()
	return b.next.Send(ctx, m)
}

// show responds with a page of the mails, the newest first.
func (b *mailbox) show(c *gin.Context) {
	b.mu.Lock()
	mails := slices.Clone(b.mails)
	b.mu.Unlock()
	slices.Reverse(mails)
	pages.Render(c, http.StatusOK, "mailbox", "Mails", mails)
}

var link = regexp.MustCompile(`https?://[^\s<>"]+`)

// Body returns the text with its links as links.
func (m sentMail) Body() template.HTML {
	var html string
	rest := m.Text
	for _, at := range link.FindAllStringIndex(m.Text, -1) {
		url := template.HTMLEscapeString(m.Text[at[0]:at[1]])
		html += template.HTMLEscapeString(m.Text[len(m.Text)-len(rest):at[0]]) + `<a href="` + url + `">` + url + `</a>`
		rest = m.Text[at[1]:]
	}
	return template.HTML(html + template.HTMLEscapeString(rest))
}

// developerOnly hides a route from everybody but a developer on this machine:
// the mails have links into the accounts of others.
func developerOnly(c *gin.Context) {
	host, _, err := net.SplitHostPort(c.Request.RemoteAddr)
	proxied := c.Request.Header.Get("Forwarded") + c.Request.Header.Get("X-Forwarded-For")
	if err != nil || !net.ParseIP(host).IsLoopback() || proxied != "" || gin.Mode() == gin.ReleaseMode {
		ginauth.Abort(c, errors.Join(ginauth.ErrNotFound, err))
	}
}
